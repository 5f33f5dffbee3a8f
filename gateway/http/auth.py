"""Who is asking: the bearer token of a preview."""

from starlette.requests import HTTPConnection

from gateway.errors import Problem
from gateway.services import Services


def require_token(request: HTTPConnection, *, allow_query: bool = False) -> str | None:
    """Return the id of the preview whose token the request carries; None for a false token.

    The token is read from ``Authorization: Bearer …``. With ``allow_query``, the query parameter
    ``access_token`` is read too: browsers can't give headers to an EventSource or a WebSocket.
    A route answers None, and another preview's id, with its own "unknown" code, so that ids
    can't be probed.

    Raises:
        Problem: ``token_required`` if there is no token at all.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.query_params.get("access_token", "") if allow_query else ""
    token = token.strip()
    if not token:
        raise Problem("token_required", headers={"WWW-Authenticate": 'Bearer realm="foxetales"'})
    services: Services = request.app.state.services
    return services.tokens.preview_id(token)
