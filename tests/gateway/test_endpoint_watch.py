"""The watch on RunPod's endpoint: what it makes of counts, and whom it tells."""

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread
import httpx
import pytest
from starlette.testclient import TestClient

from gateway.adapters.runpod import RunpodEndpoint
from gateway.app import create_app
from gateway.endpoint_watch import EndpointWatch, Level, WorkersMissing, read
from gateway.metrics import Gauge, exposition
from gateway.ports import EndpointError
from gateway.services import Services
from tests.gateway.fakes import FakeEndpoint, MovableClock
from tests.gateway.test_runpod_endpoint import JOB, WEBHOOK
from tests.gateway.test_runpod_stand_in import api_url as api_url

pytestmark = pytest.mark.anyio


@dataclass
class CountingEndpoint(FakeEndpoint):
    """An endpoint whose counts a test sets."""

    workers: dict[str, Any] = field(default_factory=lambda: {"idle": 3})
    queued: int = 0

    async def health(self) -> dict[str, Any]:
        await super().health()
        return {"workers": self.workers, "jobs": {"inQueue": self.queued, "inProgress": 1}}


@pytest.fixture
def endpoint() -> CountingEndpoint:
    return CountingEndpoint()


@pytest.fixture
def watch(endpoint: CountingEndpoint, clock: MovableClock) -> EndpointWatch:
    return EndpointWatch(endpoint, clock)


async def pass_time(watch: EndpointWatch, clock: MovableClock, seconds: int) -> None:
    """Look every ten seconds."""
    for _ in range(0, seconds, 10):
        await watch.look()
        clock.move(seconds=10)
    await watch.look()


@pytest.mark.parametrize("state", ["idle", "initializing", "ready", "running", "someNewState"])
async def test_a_queue_that_waits_for_a_worker_is_no_trouble(
    watch: EndpointWatch, endpoint: CountingEndpoint, clock: MovableClock, state: str
) -> None:
    endpoint.workers, endpoint.queued = {state: 1, "throttled": 4}, 500
    await pass_time(watch, clock, 3600)
    assert watch.level is Level.WELL


@pytest.mark.parametrize("workers", [{}, {"idle": 0}, {"throttled": 2, "unhealthy": 1}])
async def test_a_queue_that_nobody_can_work_on_is_the_alarm(
    watch: EndpointWatch,
    endpoint: CountingEndpoint,
    clock: MovableClock,
    workers: dict[str, int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoint.workers, endpoint.queued = workers, 2
    await pass_time(watch, clock, 80)
    assert (watch.level, caplog.records) == (Level.WELL, [])
    await pass_time(watch, clock, 3600)
    assert watch.level is Level.STALLED
    (record,) = caplog.records
    assert (record.message, record.levelno) == ("endpoint stalled", logging.ERROR)
    assert vars(record)["queued"] == 2


async def test_an_endpoint_that_runpod_scaled_to_zero_is_told_before_a_job_waits_for_it(
    watch: EndpointWatch,
    endpoint: CountingEndpoint,
    clock: MovableClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    endpoint.workers = {"idle": 0, "running": 0}
    await pass_time(watch, clock, 600)
    endpoint.queued = 1
    await pass_time(watch, clock, 600)
    endpoint.workers = {"initializing": 1}
    await pass_time(watch, clock, 600)
    assert [record.message for record in caplog.records] == [
        "endpoint without workers",
        "endpoint stalled",
        "endpoint has workers again",
    ]


async def test_a_moment_without_workers_is_no_trouble(
    watch: EndpointWatch,
    endpoint: CountingEndpoint,
    clock: MovableClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoint.queued = 1
    for _ in range(5):
        endpoint.workers = {}
        await pass_time(watch, clock, 80)
        assert watch.level is Level.WELL
        endpoint.workers = {"idle": 1}
        await pass_time(watch, clock, 10)
    assert caplog.records == []


async def test_a_clock_that_is_set_back_only_delays_the_alarm(
    watch: EndpointWatch, endpoint: CountingEndpoint, clock: MovableClock
) -> None:
    endpoint.workers, endpoint.queued = {}, 1
    await watch.look()
    clock.move(days=-1)
    await pass_time(watch, clock, 90)
    assert watch.level is Level.STALLED


async def test_while_runpod_doesnt_answer_the_level_stands(
    watch: EndpointWatch, endpoint: CountingEndpoint, clock: MovableClock
) -> None:
    endpoint.workers, endpoint.queued = {}, 1
    await pass_time(watch, clock, 100)
    endpoint.fail_with = EndpointError("away")
    with pytest.raises(EndpointError):
        await watch.look()
    assert watch.level is Level.STALLED
    assert "foxetales_endpoint_read 0\n" in exposition(watch.gauges())
    assert "foxetales_endpoint_jobs" not in exposition(watch.gauges())


async def test_a_round_that_runpod_doesnt_answer_is_one_line_in_the_log(
    watch: EndpointWatch, endpoint: CountingEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.fail_with = EndpointError("away")
    assert await anyio.to_thread.run_sync(watch.round().work) == 0
    (record,) = caplog.records
    assert (record.message, record.exc_info) == ("endpoint not read", None)


async def test_the_ping_fails_while_no_worker_can_run(
    watch: EndpointWatch, endpoint: CountingEndpoint, clock: MovableClock
) -> None:
    await watch.ping()
    endpoint.workers = {}
    await pass_time(watch, clock, 100)
    with pytest.raises(WorkersMissing):
        await watch.ping()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"jobs": None, "workers": []},
        {"workers": {"idle": -1, "running": True, 'x"} 1\n': 7, "ready": 1.5, "throttled": "2"}},
    ],
)
async def test_what_is_no_count_counts_as_none(document: dict[str, Any]) -> None:
    reading = read(document)
    assert set(reading.workers.values()) == {0}
    assert (reading.able, reading.queued, reading.in_progress) == (0, 0, 0)


def test_health_and_metrics_tell_of_a_stalled_endpoint(
    services: Services, endpoint: CountingEndpoint, clock: MovableClock
) -> None:
    endpoint.queued = 3
    with TestClient(create_app(services)) as client:
        assert client.get("/health").json()["dependencies"]["endpoint"]["status"] == "ok"
        endpoint.workers = {"throttled": 2}
        for _ in range(2):
            client.get("/health")
            clock.move(seconds=100)
        document = client.get("/health").json()
        assert document["dependencies"]["endpoint"]["status"] == "unavailable"
        assert document["status"] == "degraded"
        assert client.get("/ready").status_code == 200
        told = client.get("/metrics")
    assert told.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = told.text.splitlines()
    assert 'foxetales_endpoint_level{level="stalled"} 1' in lines
    assert 'foxetales_endpoint_level{level="well"} 0' in lines
    assert 'foxetales_endpoint_workers{state="throttled"} 2' in lines
    assert 'foxetales_endpoint_workers{state="idle"} 0' in lines
    assert 'foxetales_endpoint_jobs{state="queued"} 3' in lines
    sample = re.compile(r'[a-z_]+(\{[a-z]+="[A-Za-z_]+"\})? [0-9.e+]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines)


def test_numbers_are_told_in_the_form_that_monitors_read() -> None:
    one = Gauge("one", "Help.", {(("label", 'a"b\\c\nd'), ("other", "")): 0.5})
    two = Gauge("two", "More help.", {(): 0.0, (("state", "idle"),): 12.0})
    assert exposition([one, two]) == (
        "# HELP one Help.\n"
        "# TYPE one gauge\n"
        r'one{label="a\"b\\c\nd",other=""} 0.5'
        "\n"
        "# HELP two More help.\n"
        "# TYPE two gauge\n"
        "two 0\n"
        'two{state="idle"} 12\n'
    )


@pytest.fixture
async def stand_in(api_url: str) -> AsyncIterator[RunpodEndpoint]:
    async with httpx.AsyncClient() as client:
        yield RunpodEndpoint(client, api_url=api_url, endpoint_id="ep1", api_key="rpa_key")


async def test_the_stand_in_without_a_worker_stalls(
    stand_in: RunpodEndpoint, clock: MovableClock
) -> None:
    watch = EndpointWatch(stand_in, clock)
    await stand_in.submit(JOB, webhook_url=WEBHOOK)
    await pass_time(watch, clock, 90)
    assert watch.level is Level.STALLED
    assert watch.reading is not None
    assert watch.reading.queued >= 1
