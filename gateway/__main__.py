"""Run the gateway: ``python -m gateway``, configured by the environment (gateway/settings.py).
Other commands than serving: ``python -m gateway --help``."""

import argparse
import os
import sys

import uvicorn

from gateway import commands, config_command, logs
from gateway.adapters.pings import pings
from gateway.adapters.system_clock import SystemClock
from gateway.app import create_app
from gateway.backup import BackupFailed
from gateway.desk_users import DeskUserError
from gateway.privacy_commands import PrivacyError
from gateway.services import Services, build, open_database
from gateway.settings import Settings, SettingsError, database_url
from gateway.shops import ShopError

_GRACE_S = 10
_FAILED = 1
_BAD_CONFIGURATION = 2
_REFUSALS = (ShopError, DeskUserError, BackupFailed, PrivacyError, commands.NoSuchMessage)


def main() -> int:
    """Do what the command line says; return the process's exit status."""
    if sys.argv[1:2] == ["config"]:
        return config_command.run(sys.argv[2:], os.environ, sys.stdout, pings)
    given = commands.parser().parse_args()
    try:
        if given.run is not None:
            return administer(given)
        return serve(build(Settings.from_environ(os.environ), os.environ))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return _BAD_CONFIGURATION


def serve(services: Services) -> int:
    """Serve until a signal ends it."""
    settings = services.settings
    logs.configure(settings.log_level, sys.stderr)
    uvicorn.run(
        create_app(services, carry_orders=True),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        # Whose word is taken for who is calling, gateway.rate_limits decides.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return 0


def administer(given: argparse.Namespace) -> int:
    """Run a command on the database, which is brought up to date first.

    Raises:
        SettingsError: it can't be opened.
    """
    engine = open_database(database_url(os.environ))
    try:
        given.run(given, engine, SystemClock(), sys.stdout)
    except _REFUSALS as error:
        print(error, file=sys.stderr)
        return _FAILED
    finally:
        engine.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
