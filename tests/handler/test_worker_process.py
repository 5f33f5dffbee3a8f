"""``python -m handler`` under the unmodified RunPod SDK, as a process, with a real ComfyUI, against
the control plane, as a process."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.result import HealthReport
from sandbox.control_plane.worker_api import worker_environ
from sandbox.supervisor import Process, Supervisor
from tests.handler.conftest import REPOSITORY
from tests.handler.tiny import slow_graph, write_workflow
from tests.sandbox.conftest import free_port
from tests.sandbox.waiting import eventually

pytestmark = pytest.mark.comfyui

NAME = "worker-1"


@dataclass
class Endpoint:
    """One worker behind RunPod's public API."""

    supervisor: Supervisor
    client: httpx.Client
    log: Path

    def run(self, job: dict[str, Any]) -> str:
        job_id: str = self.client.post("/run", json={"input": job}).json()["id"]
        return job_id

    def status(self, job_id: str) -> dict[str, Any]:
        document: dict[str, Any] = self.client.get(f"/status/{job_id}").json()
        return document

    def end_of(self, job_id: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            document = self.status(job_id)
            return document if document["status"] in ("COMPLETED", "FAILED") else None

        return eventually(ended, within_s=120)  # the first job waits for the boot

    def logged(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    origin = f"http://127.0.0.1:{free_port()}"
    base = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    port = origin.rpartition(":")[2]
    plane = Process(
        name="plane",
        argv=[sys.executable, "-m", "sandbox.control_plane", "--port", port],
        env={
            **base,
            "SANDBOX_API_KEY": "api",
            "SANDBOX_WORKER_KEY": "work",
            "SANDBOX_POLL_S": "0.5",
            "SANDBOX_TICK_S": "0.1",
        },
        log=tmp_path / "plane.log",
        cwd=REPOSITORY,
        ready_url=f"{origin}/ready",
    )
    write_workflow(tmp_path / "workflows")
    worker = Process(
        name=NAME,
        argv=[sys.executable, "-m", "handler"],
        env={
            **base,
            **worker_environ(origin, "sandbox", worker_id=NAME, key="work"),
            "OBJECT_STORE_URL": f"file://{tmp_path}/store",
            "COMFYUI_DEVICE": "cpu",
            "WORKFLOWS_DIR": f"{tmp_path}/workflows",
            "REQUIRED_WORKFLOWS": "tiny/v1",
            "WARM_UP_SIZE": "64",
            "RAW_WORKFLOWS": "true",
        },
        log=tmp_path / "worker.log",
        cwd=REPOSITORY,
        stage=1,
        restart=False,
    )
    headers = {"Authorization": "Bearer api"}
    url = f"{origin}/v2/sandbox"
    with (
        Supervisor([plane, worker]) as supervisor,
        httpx.Client(base_url=url, headers=headers, trust_env=False) as client,
    ):
        yield Endpoint(supervisor, client, tmp_path / "worker.log")


def test_a_worker_warms_up_reports_and_finishes_its_job_when_it_is_told_to_stop(
    endpoint: Endpoint,
) -> None:
    document = endpoint.end_of(endpoint.run({"kind": "health", "job_id": "job-1"}))
    report = HealthReport.model_validate(document["output"])
    assert (report.worker_id, report.comfyui_alive, report.jobs_done) == (NAME, True, 0)
    assert [(each.name, each.required) for each in report.workflows] == [("tiny", True)]
    slow = endpoint.run({"workflow": slow_graph("ComfyUI", nodes=3)})
    eventually(
        lambda: any(line.get("message") == "raw workflow begins" for line in endpoint.logged())
    )
    endpoint.supervisor.kill(NAME, signal.SIGTERM)
    document = endpoint.end_of(slow)
    assert [image["filename"] for image in document["output"]["images"]] == ["ComfyUI_00001_.png"]
    eventually(lambda: endpoint.supervisor.pid(NAME) is None)
    messages = [line["message"] for line in endpoint.logged()]
    assert "tiny v1 is warm" in messages
    assert any("All fitness checks passed" in message for message in messages)
    assert not any("Handler output" in message for message in messages)
