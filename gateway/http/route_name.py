"""How a request is named in the log."""

from starlette.types import Scope


def route_of(scope: Scope) -> str:
    """Return the template of the route that answers, such as ``/files/{key:path}``.

    Paths themselves aren't logged: some carry a secret. Empty when no route fits.
    """
    return str(getattr(scope.get("route"), "path", ""))
