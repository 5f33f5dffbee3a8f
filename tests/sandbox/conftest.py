"""A control plane in the test's own process, and one as a process with real SDK workers."""

import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.control_plane.app import create_app
from sandbox.control_plane.plane import Plane
from sandbox.control_plane.settings import Settings
from sandbox.control_plane.worker_api import worker_environ
from sandbox.supervisor import Process, Supervisor
from tests.sandbox.fakes import FakeClock, Receiver
from tests.sandbox.waiting import eventually

ROOT = Path(__file__).parents[2]
SETTINGS = Settings(
    api_key="api", worker_key="work", poll_s=0.05, tick_s=3600, webhook_retry_s=0.01, faults=True
)


@dataclass
class Served:
    """A control plane behind HTTP, with the clock it reads; `as_worker` is an SDK's client."""

    plane: Plane
    clock: FakeClock
    client: httpx.AsyncClient
    as_worker: httpx.AsyncClient

    async def run(self, **fields: Any) -> str:
        """Submit a job and return its id."""
        answer = await self.client.post("/run", json={"input": {}, **fields})
        assert answer.status_code == 200, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    async def take(self, worker: str = "w1") -> dict[str, Any] | None:
        """One job-take long poll."""
        answer = await self.as_worker.get(f"/job-take/{worker}?gpu=none&job_in_progress=1")
        taken: dict[str, Any] | None = None if answer.status_code == 204 else answer.json()
        return taken

    async def done(self, job_id: str, body: Any, worker: str = "w1") -> httpx.Response:
        """One result or progress post."""
        return await self.as_worker.post(f"/job-done/{worker}/{job_id}?isStream=false", json=body)

    async def status(self, job_id: str) -> dict[str, Any]:
        """The status document."""
        answer = await self.client.get(f"/status/{job_id}")
        document: dict[str, Any] = answer.json()
        return document

    def pass_time(self, seconds: float) -> None:
        """Let time go by and act."""
        self.clock.advance(seconds)
        self.plane.queue.tick()
        self.plane.settle()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def served(receiver: Receiver) -> AsyncIterator[Served]:
    clock = FakeClock()
    hooks = httpx.AsyncClient(transport=httpx.ASGITransport(app=receiver.app()))
    plane = Plane(SETTINGS, clock, hooks)
    transport = httpx.ASGITransport(app=create_app(plane))
    base = "http://plane/v2/sandbox"
    async with (
        plane.running(),
        httpx.AsyncClient(
            transport=transport, base_url=base, headers={"Authorization": "Bearer api"}
        ) as client,
        httpx.AsyncClient(
            transport=transport, base_url=base, headers={"Authorization": "work"}
        ) as as_worker,
    ):
        yield Served(plane, clock, client, as_worker)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Cluster:
    """A control plane process and two SDK worker processes."""

    supervisor: Supervisor
    origin: str
    client: httpx.Client

    def run(self, **asked: Any) -> str:
        """Submit a job for the echo worker and return its id."""
        answer = self.client.post("/run", json={"input": asked})
        assert answer.status_code == 200, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def status(self, job_id: str) -> dict[str, Any]:
        """The status document."""
        document: dict[str, Any] = self.client.get(f"/status/{job_id}").json()
        return document

    def wait_for(self, job_id: str, *states: str) -> dict[str, Any]:
        """The status document once the job is in one of the states."""

        def arrived() -> dict[str, Any] | None:
            document = self.status(job_id)
            return document if document["status"] in states else None

        return eventually(arrived)

    def arm(self, operation: str, status: int, count: int) -> None:
        """Switch a fault on."""
        body = {"operation": operation, "status": status, "count": count}
        url = f"{self.origin}/sandbox/sandbox/faults"
        assert self.client.post(url, json=body).status_code == 200


def _worker(
    name: str, origin: str, logs: Path, base: Mapping[str, str], *, restart: bool
) -> Process:
    return Process(
        name=name,
        argv=[sys.executable, "-m", "tests.sandbox.echo_worker"],
        env={
            **base,
            **worker_environ(origin, "sandbox", worker_id=name, key="work"),
        },
        log=logs / f"{name}.log",
        cwd=ROOT,
        stage=1,
        restart=restart,
    )


@contextmanager
def running_cluster(logs: Path, *, worker_lost_s: float, restart: bool) -> Iterator[Cluster]:
    """Two idle workers; `restart` says whether a killed one comes back."""
    origin = f"http://127.0.0.1:{free_port()}"
    base = {"PATH": os.environ["PATH"], "HOME": str(logs), "PYTHONUNBUFFERED": "1"}
    plane = Process(
        name="plane",
        argv=[sys.executable, "-m", "sandbox.control_plane", "--port", origin.rpartition(":")[2]],
        env={
            **base,
            "SANDBOX_API_KEY": "api",
            "SANDBOX_WORKER_KEY": "work",
            "SANDBOX_POLL_S": "0.5",
            "SANDBOX_TICK_S": "0.1",
            "SANDBOX_WORKER_LOST_S": str(worker_lost_s),
            "SANDBOX_FAULTS": "1",
        },
        log=logs / "plane.log",
        cwd=ROOT,
        ready_url=f"{origin}/ready",
    )
    names = ("worker-1", "worker-2")
    workers = [_worker(name, origin, logs, base, restart=restart) for name in names]
    with (
        Supervisor([plane, *workers]) as supervisor,
        httpx.Client(
            base_url=f"{origin}/v2/sandbox",
            headers={"Authorization": "Bearer api"},
            trust_env=False,
        ) as client,
    ):
        made = Cluster(supervisor, origin, client)
        eventually(lambda: made.client.get("/health").json()["workers"]["idle"] == 2)
        yield made


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    logs = tmp_path_factory.mktemp("cluster")
    with running_cluster(logs, worker_lost_s=30, restart=True) as made:
        yield made
