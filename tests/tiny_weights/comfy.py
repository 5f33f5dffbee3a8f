"""A real ComfyUI on the CPU with our node pack and the tiny weights."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from handler.adapters.clock import SystemClock
from handler.comfy.files import ComfyFiles
from handler.comfy.process import ComfyOptions, ComfyProcess
from tests.comfy_nodes.comfy import Comfy
from tests.comfy_nodes.pictures import ROOT
from tests.comfyui_checkout import COMFYUI
from tests.tiny_weights.folder import TINY_MODELS, make

_TEST_NODES = Path(__file__).with_name("custom_nodes")


@dataclass(frozen=True)
class TinyComfy(Comfy):
    """A running ComfyUI, and the id of its process."""

    pid: int

    def peak_memory(self) -> int:
        """The most memory that the process has held so far, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


def link_test_nodes(base: Path) -> None:
    """Put the node packs that only tests need into a base directory, before ComfyUI boots."""
    folder = base / "custom_nodes"
    folder.mkdir(parents=True, exist_ok=True)
    for pack in sorted(_TEST_NODES.iterdir()):
        if (pack / "__init__.py").is_file():
            (folder / pack.name).symlink_to(pack, target_is_directory=True)


@contextmanager
def tiny_process(base: Path) -> Iterator[tuple[ComfyProcess, ComfyFiles]]:
    """Write the weights if need be, boot ComfyUI in a base directory, and end it."""
    make()
    link_test_nodes(base)
    files = ComfyFiles(base, node_pack=ROOT / "comfy_nodes", models=TINY_MODELS)
    options = ComfyOptions(COMFYUI, environment={"PATH": os.environ["PATH"]}, cpu=True)
    process = ComfyProcess(options, files, SystemClock())
    try:
        process.ensure_running()
        yield process, files
    finally:
        process.stop()


@contextmanager
def running_tiny_comfy(base: Path) -> Iterator[TinyComfy]:
    """The same as an address to send graphs to."""
    with tiny_process(base) as (process, files):
        arguments = process.ensure_running().command_line()
        port = arguments[arguments.index("--port") + 1]
        assert process.pid is not None  # it runs
        yield TinyComfy(f"127.0.0.1:{port}", files.root, process.pid)
