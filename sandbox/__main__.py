"""``python -m sandbox demo`` and ``python -m sandbox up``."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sandbox.demo import run_demo
from sandbox.secrets_file import InvalidSecrets
from sandbox.shop_client import DemoFailed
from sandbox.stack import ROOT, PortTaken, Stack, StackRunning
from sandbox.supervisor import SupervisorError

# The portrait that the demo uses shows more than a face: it fills four percent of the picture.
DEMO_FACE_MIN_AREA_PERCENT = 3.0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="one photo in, a printed book out")
    demo.add_argument("--photo", type=Path, help="a photo of one face (default: a portrait)")
    demo.add_argument("--out", type=Path, default=ROOT / "out", help="where all of it goes")
    up = commands.add_parser("up", help="start the whole system and keep it running")
    up.add_argument("--state", type=Path, default=ROOT / ".local", help="where it keeps everything")
    up.add_argument("--port", type=int, default=8000, help="the gateway's port; 0: any free one")
    for command in (demo, up):
        command.add_argument("--workers", type=int, default=1, help="number of worker processes")
    return parser.parse_args(argv)


def _stack(state: Path, workers: int, port: int) -> Stack:
    return Stack(
        state_dir=state,
        environ=os.environ,
        workers=workers,
        books_dir=ROOT / "build" / "books",
        face_min_area_percent=DEMO_FACE_MIN_AREA_PERCENT,
        gateway_port=port,
    )


def _demo(arguments: argparse.Namespace, console: Console) -> None:
    with tempfile.TemporaryDirectory(prefix="foxetales-demo-") as state:
        run_demo(
            _stack(Path(state), arguments.workers, port=0),
            photo=arguments.photo,
            out=arguments.out,
            console=console,
        )


def _up(arguments: argparse.Namespace, console: Console) -> None:
    stack = _stack(arguments.state, arguments.workers, arguments.port)
    with stack.up(notify=console.log) as supervisor:
        console.print(f"Shop page and API   {stack.gateway_url}/")
        console.print(f"API documentation   {stack.gateway_url}/docs")
        console.print(f"RunPod stand-in     {stack.control_plane_url}/v2")
        console.print(f"Stripe stand-in     {stack.stripe_url}/v1")
        console.print(f"Letters             {stack.mail_dir}/")
        console.print(f"Print jobs          {stack.print_dir}/")
        console.print(f"State and logs      {stack.state}")
        console.print("Ctrl-C stops everything.")
        dead = supervisor.wait_until_signalled()
        if dead is not None:
            raise SupervisorError(f"{dead} ended; its log ends:\n{supervisor.tail(dead)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the commands; return the exit status."""
    arguments = _parse(argv)
    console = Console()
    try:
        {"demo": _demo, "up": _up}[arguments.command](arguments, console)
    except (DemoFailed, SupervisorError, StackRunning, PortTaken, InvalidSecrets, OSError) as error:
        Console(stderr=True).print(f"{type(error).__name__}: {error}", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
