"""The control plane as a process."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from sandbox.control_plane.app import create_app
from sandbox.control_plane.plane import Plane
from sandbox.control_plane.settings import Settings
from sandbox.supervisor import Process, Supervisor
from tests.sandbox.conftest import ROOT, free_port
from tests.sandbox.waiting import eventually

ENVIRON = {"PATH": os.environ["PATH"], "SANDBOX_API_KEY": "api", "SANDBOX_WORKER_KEY": "work"}


def control_plane(tmp_path: Path, port: int, **environ: str) -> Process:
    return Process(
        name="plane",
        argv=[sys.executable, "-m", "sandbox.control_plane", "--port", str(port)],
        env={**ENVIRON, **environ},
        log=tmp_path / "plane.log",
        cwd=ROOT,
        ready_url=f"http://127.0.0.1:{port}/ready",
    )


def test_it_refuses_to_start_without_a_key() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.control_plane", "--port", "1"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "SANDBOX_API_KEY is not set\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_at_once_while_workers_wait_for_jobs(
    tmp_path: Path, number: signal.Signals
) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}/v2/sandbox"
    answers: list[int] = []

    def poll() -> None:
        headers = {"Authorization": "work"}
        url = f"{base}/job-take/w1?gpu=none&job_in_progress=1"
        answers.append(httpx.get(url, headers=headers, timeout=30, trust_env=False).status_code)

    waiting = threading.Thread(target=poll)
    with Supervisor([control_plane(tmp_path, port, SANDBOX_POLL_S="60")]) as supervisor:
        waiting.start()
        headers = {"Authorization": "api"}

        def health() -> bool:
            answer = httpx.get(f"{base}/health", headers=headers, trust_env=False)
            idle: int = answer.json()["workers"]["idle"]
            return idle == 1

        eventually(health)
        supervisor.kill("plane", number)
        waiting.join(timeout=5)
        eventually(lambda: supervisor.pid("plane") is None, within_s=5)
    assert answers == [204]
    assert "Traceback" not in supervisor.tail("plane")


@pytest.mark.anyio
async def test_faults_can_only_be_armed_where_they_are_switched_on() -> None:
    assert await _arming_answers(Settings("api", "work", faults=True)) == 200
    assert await _arming_answers(Settings("api", "work", faults=False)) == 404


@pytest.mark.anyio
async def test_an_unexpected_error_shows_no_traceback() -> None:
    plane = Plane(Settings("api", "work"))
    broken: Callable[[], object] = lambda: 1 / 0  # noqa: E731 - a function that fails
    plane.queue.health = broken  # type: ignore[method-assign, assignment]  # our own queue, broken
    transport = httpx.ASGITransport(app=create_app(plane), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://plane") as client:
        answer = await client.get("/v2/sandbox/health", headers={"Authorization": "api"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error"}


async def _arming_answers(settings: Settings) -> int:
    transport = httpx.ASGITransport(app=create_app(Plane(settings)))
    async with httpx.AsyncClient(transport=transport, base_url="http://plane") as client:
        answer = await client.post(
            "/sandbox/sandbox/faults",
            json={"operation": "run"},
            headers={"Authorization": "api"},
        )
    return answer.status_code
