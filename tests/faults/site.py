"""A control plane and real workers, each with a ComfyUI, as processes that tests may hurt."""

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from contract.job import PagesJob
from contract.result import JobResult
from contract.status import JobStatus
from handler.page_store import MAX_PAGE_BYTES
from handler.ports import ObjectStore
from sandbox.control_plane.worker_api import worker_environ
from sandbox.supervisor import Process, Supervisor
from sandbox.units import members
from storage.errors import ObjectNotFound
from tests.comfyui_checkout import COMFYUI
from tests.faults.pages import (
    base_files,
    link_nodes,
    pages_job,
    write_workflows,
)
from tests.faults.receiver import Receiver
from tests.handler.conftest import REPOSITORY
from tests.sandbox.conftest import free_port
from tests.sandbox.waiting import eventually

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT")
BOOT_S = 90.0
WORKER_LOST_S = 5.0
QUIET_S = 4.0
"""Longer than any node takes, and so short that a test can wait for it."""


@dataclass
class Site:
    """What runs, below ``folder``; ``store`` is the workers' own, looked at from outside."""

    folder: Path
    origin: str
    workers: Sequence[str]
    supervisor: Supervisor
    client: httpx.Client
    receiver: Receiver
    store: ObjectStore
    _undisturbed: dict[str, list[str]] = field(default_factory=dict)

    # Jobs.

    def submit(self, job: PagesJob) -> str:
        """Give a job to RunPod; return RunPod's id."""
        body = {"input": job.model_dump(mode="json")}
        runpod_id: str = self.client.post("/run", json=body).json()["id"]
        return runpod_id

    def cancel(self, runpod_id: str) -> None:
        """Have RunPod stop a job."""
        assert self.client.post(f"/cancel/{runpod_id}").json()["status"] == "CANCELLED"

    def status(self, runpod_id: str) -> dict[str, Any]:
        """What RunPod says of a job."""
        document: dict[str, Any] = self.client.get(f"/status/{runpod_id}").json()
        return document

    def worker_of(self, runpod_id: str) -> str:
        """The worker that has a job, once it has one."""
        worker = eventually(lambda: self.status(runpod_id).get("workerId"))
        assert isinstance(worker, str)
        return worker

    def end_of(self, runpod_id: str, within_s: float = 60.0) -> dict[str, Any]:
        """What RunPod says of a job once it has ended."""

        def ended() -> dict[str, Any] | None:
            document = self.status(runpod_id)
            return document if document["status"] in ENDED else None

        return eventually(ended, within_s)

    def completed(self, job: PagesJob, runpod_id: str, within_s: float = 60.0) -> JobResult:
        """The result of a job that ends well: RunPod and the callback say the same, and every page
        is there as an undisturbed run leaves it."""
        document = self.end_of(runpod_id, within_s)
        assert document["status"] == "COMPLETED", document
        result = JobResult.model_validate(document["output"])
        assert result in self.receiver.results(job.job_id)
        self.check(job, result)
        return result

    def check(self, job: PagesJob, result: JobResult) -> None:
        """Every page of a completed result lies in the store, bit for bit as it must be."""
        assert result.status is JobStatus.COMPLETED
        expected = self.undisturbed(job.workflow.name)[: len(job.pages)]
        assert [page.page_number for page in result.pages] == [
            task.page_number for task in job.pages
        ]
        for page, task, sha256 in zip(result.pages, job.pages, expected, strict=True):
            assert page.image is not None
            assert page.image.key == task.output_key
            assert page.image.sha256 == sha256
        assert self.stored(job) == dict(zip(self._keys(job), expected, strict=True))

    def undisturbed(self, workflow: str) -> list[str]:
        """The SHA-256 of each page of a workflow, from a run that nothing happened to."""
        if workflow not in self._undisturbed:
            job = pages_job(f"undisturbed-{workflow}", workflow)
            document = self.end_of(self.submit(job))
            assert document["status"] == "COMPLETED", document
            stored = self.stored(job)
            self._undisturbed[workflow] = [stored[key] for key in self._keys(job)]
        return self._undisturbed[workflow]

    def stored(self, job: PagesJob) -> dict[str, str]:
        """Key → SHA-256 of a job's pages that are in the store."""
        found = {}
        for key in self._keys(job):
            try:
                found[key] = hashlib.sha256(self.store.get(key, MAX_PAGE_BYTES)).hexdigest()
            except ObjectNotFound:
                continue
        return found

    # Processes.

    def comfyui(self, worker: str) -> psutil.Process:
        """A worker's ComfyUI, once it answers."""

        def answering() -> psutil.Process | None:
            found = self.comfyuis(worker)
            return found[0] if len(found) == 1 and _answers(found[0]) else None

        return eventually(answering, BOOT_S)

    def comfyuis(self, worker: str) -> list[psutil.Process]:
        """Every ComfyUI that a worker has."""
        marked = members(f"{self.supervisor.mark}/{worker}")
        return [process for process in marked if "launcher.py" in " ".join(process.cmdline())]

    def queue(self, worker: str) -> dict[str, list[Any]]:
        """``running`` and ``pending`` prompts of a worker's ComfyUI."""
        answer = httpx.get(f"{_url(self.comfyui(worker))}/queue", trust_env=False).json()
        return {state: answer[f"queue_{state}"] for state in ("running", "pending")}

    def wait_until_rendering(self, worker: str) -> None:
        """Wait until a worker's ComfyUI executes a page."""
        eventually(lambda: self.queue(worker)["running"])

    def worked(self) -> int:
        """How many of the nodes that take time have been executed so far, by all workers."""
        logs = [self.folder / f"{name}.nodes" for name in self.workers]
        return sum(len(log.read_text().splitlines()) for log in logs if log.exists())

    def wait_until_ready(self) -> None:
        """Wait until every worker runs and is idle."""
        count = len(self.workers)

        def ready() -> bool:
            health = self.client.get("/health").json()
            return bool(health["workers"]["idle"] == count and health["jobs"]["inQueue"] == 0)

        eventually(ready, BOOT_S)

    def arm(self, operation: str, status: int, count: int) -> None:
        """Let the control plane fail."""
        body = {"operation": operation, "status": status, "count": count}
        url = f"{self.origin}/sandbox/sandbox/faults"
        assert self.client.post(url, json=body).status_code == 200

    def has_logged(self, worker: str, text: str) -> bool:
        """Whether a worker, or the SDK in it, has logged a line that holds ``text``."""
        return self.times_logged(worker, text) > 0

    def times_logged(self, worker: str, text: str) -> int:
        """How many lines that hold ``text`` a worker, or the SDK in it, has logged."""
        lines = (self.folder / f"{worker}.log").read_text().splitlines()
        return sum(text in line for line in lines)

    def assert_tidy(self) -> None:
        """Nothing of any job is left: no file on its way, no process too many."""

        def tidy() -> bool:
            return not self._files_left() and all(
                len(self.comfyuis(name)) <= 1 for name in self.workers
            )

        eventually(tidy, BOOT_S)

    def _files_left(self) -> list[Path]:
        left = list((self.folder / "store").rglob(".part-*"))
        for name in self.workers:
            left += base_files(self.folder / name)
        return left

    @staticmethod
    def _keys(job: PagesJob) -> list[str]:
        return [task.output_key for task in job.pages]


@contextmanager
def running_site(
    folder: Path, *, workers: int, store: ObjectStore, extra: Mapping[str, str] | None = None
) -> Iterator[Site]:
    """A site whose workers are ready, and come back when they are killed.

    ``extra`` goes to the workers' environment; without it their store is the folder ``store``.
    """
    names = [f"worker-{number}" for number in range(1, workers + 1)]
    origin = f"http://127.0.0.1:{free_port()}"
    write_workflows(folder / "workflows")
    with Receiver() as receiver:
        specs = [worker_process(folder, name, origin, receiver, extra or {}) for name in names]
        with (
            Supervisor([_plane(folder, origin), *specs]) as supervisor,
            httpx.Client(
                base_url=f"{origin}/v2/sandbox",
                headers={"Authorization": "Bearer api"},
                trust_env=False,
            ) as client,
        ):
            site = Site(folder, origin, names, supervisor, client, receiver, store)
            site.wait_until_ready()
            yield site


def _plane(folder: Path, origin: str) -> Process:
    port = origin.rpartition(":")[2]
    return Process(
        name="plane",
        argv=[sys.executable, "-m", "sandbox.control_plane", "--port", port],
        env={
            **_base(folder),
            "SANDBOX_API_KEY": "api",
            "SANDBOX_WORKER_KEY": "work",
            "SANDBOX_POLL_S": "0.5",
            "SANDBOX_TICK_S": "0.1",
            "SANDBOX_WORKER_LOST_S": str(WORKER_LOST_S),
            "SANDBOX_FAULTS": "1",
        },
        log=folder / "plane.log",
        cwd=REPOSITORY,
        ready_url=f"{origin}/ready",
    )


def worker_process(
    folder: Path, name: str, origin: str, receiver: Receiver, extra: Mapping[str, str]
) -> Process:
    """``python -m handler`` with a base directory of its own."""
    link_nodes(folder / name)
    return Process(
        name=name,
        argv=[sys.executable, "-m", "handler"],
        env={
            **_base(folder),
            **worker_environ(origin, "sandbox", worker_id=name, key="work"),
            "OBJECT_STORE_URL": (folder / "store").as_uri(),
            "COMFYUI_PATH": str(COMFYUI),
            "COMFYUI_BASE_DIR": str(folder / name),
            "COMFYUI_DEVICE": "cpu",
            "WORKFLOWS_DIR": str(folder / "workflows"),
            "CALLBACK_URL": receiver.url,
            "CALLBACK_SECRET": receiver.secret,
            "PAGE_QUIET_TIMEOUT_S": str(QUIET_S),
            "FIXED_TIME_LOG": str(folder / f"{name}.nodes"),
            **extra,
        },
        log=folder / f"{name}.log",
        cwd=REPOSITORY,
        stage=1,
        restart=True,
    )


def _base(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUNBUFFERED": "1"}


def _url(comfyui: psutil.Process) -> str:
    arguments = comfyui.cmdline()
    return f"http://127.0.0.1:{arguments[arguments.index('--port') + 1]}"


def _answers(comfyui: psutil.Process) -> bool:
    try:
        answer = httpx.get(f"{_url(comfyui)}/queue", trust_env=False, timeout=2.0)
    except (httpx.HTTPError, psutil.Error):
        return False
    return answer.status_code == 200
