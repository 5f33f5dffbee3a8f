"""One real ComfyUI for every test of this folder that needs one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from handler.adapters.clock import SystemClock
from handler.comfy.client import ComfyClient
from handler.comfy.engine import ComfyEngine
from handler.comfy.files import ComfyFiles
from handler.comfy.process import ComfyOptions, ComfyProcess
from handler.graph import Workflows, load_workflows
from tests.comfyui_checkout import COMFYUI
from tests.handler.faults import write_fault_nodes
from tests.handler.tiny import (
    portrait_graph,
    portrait_slots,
    tiny_identity_graph,
    tiny_identity_slots,
    write_workflow,
)

REPOSITORY = Path(__file__).parents[2]


def comfy_options(folder: Path = COMFYUI, *extra: str, timeout_s: float = 240.0) -> ComfyOptions:
    """Options for a ComfyUI on the CPU."""
    return ComfyOptions(folder, os.environ, True, timeout_s, extra_arguments=extra)


@pytest.fixture
def workflows(tmp_path: Path) -> Workflows:
    """The workflow ``tiny`` alone."""
    write_workflow(tmp_path / "workflows")
    return load_workflows(tmp_path / "workflows")


@pytest.fixture
def identity_workflows(tmp_path: Path) -> Workflows:
    """``tiny``, ``tiny_identity``, which makes an identity, and ``portrait``, which takes one."""
    folder = tmp_path / "workflows"
    write_workflow(folder)
    write_workflow(folder, tiny_identity_graph(), tiny_identity_slots(), "tiny_identity")
    write_workflow(folder, portrait_graph(), portrait_slots(), "portrait")
    return load_workflows(folder)


@pytest.fixture(scope="session")
def comfy_files(tmp_path_factory: pytest.TempPathFactory) -> ComfyFiles:
    """The base directory of the shared ComfyUI, which has the nodes of ``tests.handler.faults``
    beside our own."""
    base = tmp_path_factory.mktemp("comfyui")
    write_fault_nodes(base)
    return ComfyFiles(base, REPOSITORY / "comfy_nodes", REPOSITORY / "build/models")


@pytest.fixture(scope="session")
def comfy_process(comfy_files: ComfyFiles) -> Iterator[ComfyProcess]:
    """The shared ComfyUI. A test that kills it leaves it to the next one to boot it again."""
    process = ComfyProcess(comfy_options(), comfy_files, SystemClock())
    yield process
    process.stop()


@pytest.fixture
def comfy_client(comfy_process: ComfyProcess) -> ComfyClient:
    """A client of the shared ComfyUI, running."""
    return comfy_process.ensure_running()


@pytest.fixture
def engine(comfy_process: ComfyProcess, comfy_files: ComfyFiles) -> ComfyEngine:
    """The Comfy port on the shared ComfyUI."""
    return ComfyEngine(comfy_process, comfy_files, SystemClock(), quiet_timeout_s=60)
