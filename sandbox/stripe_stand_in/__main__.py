"""`python -m sandbox.stripe_stand_in --port N`: serve Stripe's stand-in on loopback."""

import argparse
import logging
import os
import sys
from contextlib import suppress

import httpx
import uvicorn

from sandbox.stripe_stand_in.app import StripeStandIn
from sandbox.stripe_stand_in.settings import VARIABLES, InvalidSettings, Settings


def main() -> int:
    """Serve until SIGTERM or SIGINT; 2 means that the environment can't be used."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.stripe_stand_in",
        description="A stand-in for Stripe's Checkout in test mode.",
        epilog="Environment: " + "; ".join(map(str, VARIABLES)),
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = Settings.from_environment(os.environ)
    except InvalidSettings as error:
        print(error, file=sys.stderr)
        return 2
    app = StripeStandIn(settings, httpx.AsyncClient(timeout=10)).app()
    # uvicorn raises the signal again once it has shut down; the work is done by then.
    with suppress(KeyboardInterrupt):
        uvicorn.run(app, host=arguments.host, port=arguments.port, access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
