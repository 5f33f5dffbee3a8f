"""Runs ComfyUI's ``main.py`` in a child process that can't outlive the worker.

Usage: ``python launcher.py PARENT_PID COMFYUI_FOLDER [ComfyUI's own arguments]``

A script, not a module of ours to import: it uses the standard library alone, so that it runs
beside any ComfyUI, and never imports torch by itself, since ComfyUI sets what torch reads first.
"""

import ctypes
import importlib
import importlib.machinery
import os
import runpy
import signal
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_BOX_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def die_with_parent(parent_pid: int) -> None:
    """Ask Linux to kill this process as soon as the thread that started it ends.

    The worker may have died before we asked: then our parent is already another process.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        sys.exit("the worker died before ComfyUI was started")


class TorchvisionOperators(MetaPathFinder):
    """Defines two operators just before torchvision is first imported, if it can't itself.

    A torchvision built for CUDA beside a CPU build of torch can't load its compiled half, goes on
    without it, and then fails to import on the two operators whose shapes it describes anyway.
    ComfyUI calls neither. Where the compiled half loads, nothing is changed.
    """

    def __init__(self) -> None:
        self._library: Any = None  # definitions vanish with the object that made them

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Find nothing; only notice that torchvision is about to be imported."""
        if fullname == "torchvision" and self._library is None:
            spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
            folders = spec.submodule_search_locations if spec else None
            if folders and not _compiled_half_loads(Path(folders[0])):
                self._define()
        return None

    def _define(self) -> None:
        torch: Any = importlib.import_module("torch")
        self._library = torch.library.Library("torchvision", "DEF")
        for operator in _BOX_OPERATORS:
            self._library.define(operator)


def _compiled_half_loads(folder: Path) -> bool:
    """Whether torchvision's own operators can be loaded; loading them twice does no harm."""
    torch: Any = importlib.import_module("torch")
    for library in folder.glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            continue
        return True
    return False


def main(arguments: list[str]) -> None:
    """Become ComfyUI."""
    parent_pid, folder, *comfy_arguments = arguments
    die_with_parent(int(parent_pid))
    script = Path(folder) / "main.py"
    sys.path[0] = folder  # where Python put this file's own folder
    sys.meta_path.insert(0, TorchvisionOperators())
    sys.argv = [str(script), *comfy_arguments]
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
