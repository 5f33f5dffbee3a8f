"""ComfyUI with its page for the browser, on the processor of this machine: where workflows are
looked at and edited."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from handler.comfy.files import ComfyFiles
from handler.comfy.process import ComfyOptions, ComfyProcess
from handler.errors import ComfyBootFailed
from handler.ports import Clock
from handler.workflows.live import url_of

_LOOK_AGAIN_S = 0.5
_FIRST_SETTINGS = {"Comfy.TutorialCompleted": True}
"""Of the page; without it the first visit begins with a dialog of templates, which we have none
of."""


@dataclass(frozen=True)
class Desk:
    """What the editor's ComfyUI works with: the folder that keeps pictures and saved graphs, our
    nodes, and the folder of model files."""

    base: Path
    node_pack: Path
    models: Path


class Editor:
    """A running ComfyUI whose page is at ``url``."""

    def __init__(self, process: ComfyProcess) -> None:
        self._process = process
        self._client = process.ensure_running()
        self.url = url_of(self._client)

    def wait(self) -> None:
        """Wait until a signal comes.

        Raises:
            ComfyBootFailed: ComfyUI ended by itself; it has the last lines of its log.
        """
        while not self._process.wait_for_end(self._client, _LOOK_AGAIN_S):
            pass
        raise ComfyBootFailed("ComfyUI ended", self._process.log_tail())


@contextmanager
def editing(options: ComfyOptions, desk: Desk, clock: Clock) -> Iterator[Editor]:
    """An editor that ends with the block. What lies in ``desk.base`` stays.

    Raises:
        ComfyBootFailed: ComfyUI doesn't start, or its page isn't installed.
        OSError: the disk won't have it.
    """
    try:
        page = files("comfyui_frontend_package") / "static"
    except ModuleNotFoundError:
        raise ComfyBootFailed("ComfyUI's page isn't installed: run `make setup`") from None
    options = replace(options, cpu=True, extra_arguments=("--front-end-root", str(page)))
    comfy_files = ComfyFiles(desk.base, desk.node_pack, desk.models)
    process = ComfyProcess(options, comfy_files, clock)
    _write_first_settings(desk.base / "user" / "default" / "comfy.settings.json")
    try:
        yield Editor(process)
    finally:
        process.stop()


def _write_first_settings(target: Path) -> None:
    if not target.exists():  # else they are the artist's own
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(_FIRST_SETTINGS))
