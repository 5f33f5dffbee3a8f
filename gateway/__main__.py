"""Run the gateway: ``python -m gateway``, configured by the environment (gateway/settings.py)."""

import os
import sys

import uvicorn

from gateway import logs
from gateway.app import create_app
from gateway.services import build
from gateway.settings import Settings, SettingsError

_GRACE_S = 10
_BAD_CONFIGURATION = 2


def main() -> int:
    """Serve until a signal ends it; return the process's exit status."""
    try:
        settings = Settings.from_environ(os.environ)
        services = build(settings, os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return _BAD_CONFIGURATION
    logs.configure(settings.log_level, sys.stderr)
    uvicorn.run(
        create_app(services),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        # No proxy's word is taken for who is calling; nothing here depends on the address.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
