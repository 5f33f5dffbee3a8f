"""What a worker says of itself: the answer to a health job."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from contract.result import Gpu, HealthReport, InstalledWorkflow
from handler.graph import Workflows
from handler.models import ModelFiles
from handler.models.licence_gate import Terms
from handler.ports import Clock

_NVIDIA_SMI: Final = (
    *("nvidia-smi", "--format=csv,noheader,nounits"),
    "--query-gpu=memory.total,memory.free,name",
)
_SMI_TIMEOUT_S: Final = 5.0
_MIB: Final = 1024 * 1024
_VERSION: Final = re.compile(r"""^__version__ = ["']([\w.+-]+)["']""", re.MULTILINE)


@dataclass(frozen=True)
class Machine:
    """Where the parts of a worker lie: folders, none of which is ever named in a report.

    ``comfyui_alive`` says whether ComfyUI's process runs; ``query_gpus`` returns what
    ``nvidia-smi`` says, see :func:`query_gpus`.
    """

    comfyui: Path
    node_pack: Path
    files: Path
    comfyui_alive: Callable[[], bool]
    query_gpus: Callable[[], str]


class Health:
    """Makes the reports of one worker, which started when this was made."""

    def __init__(
        self,
        machine: Machine,
        workflows: Workflows,
        required: Iterable[tuple[str, int]],
        models: ModelFiles,
        clock: Clock,
        worker_id: str = "",
        terms: Terms | None = None,
    ) -> None:
        self._machine = machine
        self._workflows = workflows
        self._required = frozenset(required)
        self._models = models
        self._clock = clock
        self._worker_id = worker_id
        self._terms = terms or Terms()
        self._started = clock.monotonic()
        self.jobs_done = 0

    def report(self, job_id: str | None = None) -> HealthReport:
        """Look at everything; takes well below a second, and needs no ComfyUI that answers.

        It blocks: call it from a thread.
        """
        machine = self._machine
        return HealthReport(
            job_id=job_id,
            worker_id=self._worker_id,
            worker_version=_installed("foxetales"),
            node_pack_version=_node_pack_version(machine.node_pack),
            comfyui_version=_comfyui_version(machine.comfyui),
            comfyui_alive=machine.comfyui_alive(),
            torch_version=_installed("torch"),  # ComfyUI runs in this very Python
            sdk_version=_installed("runpod"),
            workflows=[
                self._workflow(each.spec.name, each.spec.version) for each in self._workflows
            ],
            models=self._models.installed(),
            models_use=self._terms.use,
            acknowledged_licences=list(self._terms.acknowledged),
            gpus=parse_gpus(machine.query_gpus()),
            free_disk_bytes=shutil.disk_usage(machine.files).free,
            uptime_s=max(0.0, self._clock.monotonic() - self._started),
            jobs_done=self.jobs_done,
        )

    def _workflow(self, name: str, number: int) -> InstalledWorkflow:
        required = (name, number) in self._required
        return InstalledWorkflow(name=name, version=number, required=required)


def query_gpus() -> str:
    """A line for each NVIDIA GPU, ``MiB in all, MiB free, name``; empty on a machine without."""
    try:
        done = subprocess.run(  # noqa: S603  # fixed arguments, no shell
            _NVIDIA_SMI, capture_output=True, text=True, timeout=_SMI_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def parse_gpus(text: str) -> list[Gpu]:
    """The GPUs in what :func:`query_gpus` returns; a line of another form doesn't count."""
    gpus = []
    for line in text.splitlines():
        memory, free, name, *_ = [*(part.strip() for part in line.split(",", 2)), "", "", ""]
        if memory.isdigit() and free.isdigit() and name:
            gpus.append(
                Gpu(name=name, memory_bytes=int(memory) * _MIB, free_bytes=int(free) * _MIB)
            )
    return gpus


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _node_pack_version(folder: Path) -> str | None:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return str(project["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _comfyui_version(folder: Path) -> str | None:
    """From the file that ComfyUI itself reads it from, so that it need not run."""
    try:
        match = _VERSION.search((folder / "comfyui_version.py").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return match[1] if match else None
