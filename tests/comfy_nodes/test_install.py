"""The folder is an ordinary node pack: copied into any ComfyUI, it works by itself."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from handler.adapters.clock import SystemClock
from handler.comfy.files import ComfyFiles
from handler.comfy.process import ComfyOptions, ComfyProcess
from tests.comfy_nodes.comfy import Comfy
from tests.comfy_nodes.pictures import ROOT
from tests.comfyui_checkout import COMFYUI

PACK = ROOT / "comfy_nodes"
NODES = {
    "FoxetalesComposite",
    "FoxetalesContourFeather", "FoxetalesDraftPortrait", "FoxetalesEvaClipLoader",
    "FoxetalesFaceAnalysisLoader", "FoxetalesIdentityApply", "FoxetalesIdentityExtract",
    "FoxetalesIdentityLoad", "FoxetalesIdentitySave", "FoxetalesPulidEncoderLoader",
    "FoxetalesPulidInjectorLoader", "FoxetalesReadContour", "FoxetalesReadMask",
    "FoxetalesReadPixels", "FoxetalesSettle", "FoxetalesSkinShift", "FoxetalesWritePixels",
}  # fmt: skip


@pytest.fixture
def comfy_with_a_copy(tmp_path: Path) -> Iterator[Comfy]:
    """A ComfyUI with no model at all, which knows of our repository only the copied folder."""
    base = tmp_path / "base"
    shutil.copytree(
        PACK, base / "custom_nodes" / "foxetales", ignore=shutil.ignore_patterns("__pycache__")
    )
    files = ComfyFiles(base)
    options = ComfyOptions(COMFYUI, environment={"PATH": os.environ["PATH"]}, cpu=True)
    process = ComfyProcess(options, files, SystemClock())
    try:
        arguments = process.ensure_running().command_line()
        yield Comfy(f"127.0.0.1:{arguments[arguments.index('--port') + 1]}", files.root)
    finally:
        process.stop()


@pytest.mark.comfyui
def test_a_copy_of_the_folder_brings_every_node(comfy_with_a_copy: Comfy) -> None:
    info = comfy_with_a_copy.node_info()
    ours = {name for name in info if info[name]["python_module"] == "custom_nodes.foxetales"}
    assert ours == NODES
    models = comfy_with_a_copy.base / "models"
    assert not [path for path in models.rglob("*") if path.is_file()]  # nothing is downloaded


def test_importing_the_pack_does_nothing() -> None:
    code = (
        "import sys, comfy_nodes; "
        "heavy = {'torch', 'cv2', 'numpy', 'onnxruntime', 'timm', 'comfy'}; "
        "sys.exit(len(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_both_files_name_the_same_dependencies() -> None:
    project = tomllib.loads((PACK / "pyproject.toml").read_text())
    assert (PACK / "requirements.txt").read_text().split() == project["project"]["dependencies"]
    assert project["tool"]["comfy"]["PublisherId"]
