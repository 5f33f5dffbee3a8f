"""Which version of the gateway this is."""

from importlib.metadata import PackageNotFoundError, version

_DISTRIBUTION = "foxetales"


def gateway_version() -> str:
    """Return the installed version; ``0+unknown`` when the code runs without being installed."""
    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return "0+unknown"
