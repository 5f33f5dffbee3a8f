"""The same adapter against the control plane's stand-in, over real HTTP."""

import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from gateway.adapters.runpod import RunpodEndpoint
from gateway.ports import EndpointRejected, EndpointState
from sandbox.supervisor import Process, Supervisor
from tests.gateway.test_runpod_endpoint import JOB, WEBHOOK

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def api_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    plane = Process(
        name="control-plane",
        argv=[sys.executable, "-m", "sandbox.control_plane", "--port", str(port)],
        env={
            **os.environ,
            "SANDBOX_ENDPOINT_ID": "ep1",
            "SANDBOX_API_KEY": "rpa_key",
            "SANDBOX_WORKER_KEY": "worker_key",
        },
        log=tmp_path_factory.mktemp("plane") / "log",
        cwd=ROOT,
        ready_url=f"http://127.0.0.1:{port}/ready",
    )
    with Supervisor([plane]):
        yield f"http://127.0.0.1:{port}/v2"


@pytest.fixture
async def runpod(api_url: str) -> AsyncIterator[RunpodEndpoint]:
    async with httpx.AsyncClient() as client:
        yield RunpodEndpoint(client, api_url=api_url, endpoint_id="ep1", api_key="rpa_key")


async def test_a_job_is_queued_seen_and_cancelled(runpod: RunpodEndpoint) -> None:
    runpod_id = await runpod.submit(JOB, webhook_url=WEBHOOK)
    queued = await runpod.status(runpod_id)
    assert queued
    assert queued.state is EndpointState.IN_QUEUE
    assert (await runpod.health())["jobs"]["inQueue"] >= 1
    await runpod.cancel(runpod_id)
    await runpod.cancel(runpod_id)
    cancelled = await runpod.status(runpod_id)
    assert cancelled
    assert cancelled.state is EndpointState.CANCELLED


async def test_a_job_that_it_never_had_is_none(runpod: RunpodEndpoint) -> None:
    assert await runpod.status("never-had-it") is None


async def test_another_key_is_rejected(api_url: str) -> None:
    async with httpx.AsyncClient() as client:
        stranger = RunpodEndpoint(client, api_url=api_url, endpoint_id="ep1", api_key="other")
        with pytest.raises(EndpointRejected):
            await stranger.submit(JOB, webhook_url=WEBHOOK)
