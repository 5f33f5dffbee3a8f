"""RunPod's public API, spoken through a transport that a test answers for."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from contract.job import PagesJob, PageTask, WorkflowRef
from gateway.adapters.runpod import RunpodEndpoint
from gateway.ports import EndpointError, EndpointRejected, EndpointState

pytestmark = pytest.mark.anyio

JOB = PagesJob(
    job_id="j1",
    workflow=WorkflowRef(name="storybook_page_draft", version=1),
    pages=[PageTask(page_number=1, output_key="pages/p1/page_01.png", seed=1)],
    deadline_s=120,
)
WEBHOOK = "https://gateway.test/webhooks/runpod/job/token/j1"
Answer = Callable[[httpx.Request], httpx.Response]


@asynccontextmanager
async def endpoint(answer: Answer) -> AsyncIterator[RunpodEndpoint]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        yield RunpodEndpoint(
            client, api_url="https://api.runpod.ai/v2/", endpoint_id="ep1", api_key="rpa_key"
        )


def says(status: int, document: object = None, **headers: str) -> Answer:
    return lambda _: httpx.Response(status, json=document, headers=headers)


async def test_a_job_is_submitted_with_its_limits_and_webhook() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"id": "rp-1", "status": "IN_QUEUE"})

    async with endpoint(answer) as runpod:
        assert await runpod.submit(JOB, webhook_url=WEBHOOK) == "rp-1"
    (request,) = seen
    assert (request.method, str(request.url)) == ("POST", "https://api.runpod.ai/v2/ep1/run")
    assert request.headers["authorization"] == "Bearer rpa_key"
    body = json.loads(request.content)
    assert PagesJob.model_validate(body["input"]) == JOB
    assert body["webhook"] == WEBHOOK
    assert body["policy"]["executionTimeout"] == 150_000
    assert body["policy"]["ttl"] > body["policy"]["executionTimeout"]


@pytest.mark.parametrize("state", list(EndpointState))
async def test_a_state_is_read(state: EndpointState) -> None:
    told = {"id": "rp-1", "status": state.value, "output": {"a": 1}, "error": "why"}
    async with endpoint(says(200, told)) as runpod:
        job = await runpod.status("rp-1")
    assert job
    assert (job.runpod_id, job.state, job.output, job.error) == ("rp-1", state, {"a": 1}, "why")


async def test_running_is_in_progress() -> None:
    async with endpoint(says(200, {"status": "RUNNING"})) as runpod:
        job = await runpod.status("rp-1")
    assert job
    assert job.state is EndpointState.IN_PROGRESS


async def test_a_job_that_runpod_forgot_is_none() -> None:
    async with endpoint(says(404, {"error": "job not found"})) as runpod:
        assert await runpod.status("rp-1") is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
async def test_what_will_never_be_taken_is_rejected(status: int) -> None:
    async with endpoint(says(status, {})) as runpod:
        with pytest.raises(EndpointRejected):
            await runpod.submit(JOB, webhook_url=WEBHOOK)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 302])
async def test_what_may_be_taken_later_is_no_rejection(status: int) -> None:
    async with endpoint(says(status, {})) as runpod:
        with pytest.raises(EndpointError) as caught:
            await runpod.submit(JOB, webhook_url=WEBHOOK)
    assert not isinstance(caught.value, EndpointRejected)
    assert "rpa_key" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:00:00 -0000", None),
        ("-3", None),
    ],
)
async def test_retry_after_is_passed_on(header: str, seconds: float | None) -> None:
    async with endpoint(says(429, {}, **{"Retry-After": header})) as runpod:
        with pytest.raises(EndpointError) as caught:
            await runpod.submit(JOB, webhook_url=WEBHOOK)
    assert caught.value.retry_after_s == seconds


async def test_a_broken_line_is_an_endpoint_error() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with endpoint(refuse) as runpod:
        with pytest.raises(EndpointError, match="ConnectError"):
            await runpod.status("rp-1")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"status": "LOST"}', b"\xff\xfe"])
async def test_an_answer_that_makes_no_sense_is_an_endpoint_error(body: bytes) -> None:
    async with endpoint(lambda _: httpx.Response(200, content=body)) as runpod:
        with pytest.raises(EndpointError):
            await runpod.status("rp-1")
        with pytest.raises(EndpointError):
            await runpod.submit(JOB, webhook_url=WEBHOOK)


@pytest.mark.parametrize("status", [200, 400, 404])
async def test_cancelling_what_has_ended_is_no_error(status: int) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url.path}")
        return httpx.Response(status, json={})

    async with endpoint(answer) as runpod:
        await runpod.cancel("rp-1")
    assert seen == ["POST /v2/ep1/cancel/rp-1"]


async def test_health_is_runpods_own_document() -> None:
    counts = {"jobs": {"inQueue": 1}, "workers": {"idle": 2}}
    async with endpoint(says(200, counts)) as runpod:
        assert await runpod.health() == counts
    async with endpoint(says(404, {})) as runpod:
        with pytest.raises(EndpointError):
            await runpod.health()
