"""`python -m sandbox.control_plane --port N`: serve the control plane on loopback."""

import argparse
import asyncio
import logging
import os
import socket
import sys
from contextlib import suppress

import uvicorn

from sandbox.control_plane.app import create_app
from sandbox.control_plane.plane import Plane
from sandbox.control_plane.settings import VARIABLES, InvalidSettings, Settings


class Server(uvicorn.Server):
    """Answers the long polls when it is told to stop, instead of waiting for them."""

    def __init__(self, config: uvicorn.Config, plane: Plane) -> None:
        super().__init__(config)
        self._plane = plane

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._plane.stop_waiting()
        await super().shutdown(sockets)


def main() -> int:
    """Serve until SIGTERM or SIGINT; 2 means that the environment can't be used."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.control_plane",
        description="A stand-in for RunPod's serverless control plane.",
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
    # uvicorn raises the signal again once it has shut down; the work is done by then.
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(settings, arguments.host, arguments.port))
    return 0


async def _serve(settings: Settings, host: str, port: int) -> None:
    plane = Plane(settings)
    config = uvicorn.Config(create_app(plane), host=host, port=port, access_log=False)
    await Server(config, plane).serve()


if __name__ == "__main__":
    sys.exit(main())
