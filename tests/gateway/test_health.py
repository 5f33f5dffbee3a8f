"""GET /health and GET /ready."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest
from starlette.testclient import TestClient

from gateway.adapters.memory import MemoryKeyValue
from gateway.app import create_app
from gateway.health import DependencyStatus, HealthCheck, Seldom
from gateway.ports import EndpointError, KeyValueError, MailError
from gateway.services import Services
from storage.errors import StoreUnavailable
from storage.folder import FolderStore
from tests.gateway.fakes import FakeEndpoint, FakeMailer, MovableClock


def test_a_well_gateway_is_healthy_and_ready(client: TestClient, clock: MovableClock) -> None:
    response = client.get("/health")
    document = response.json()
    assert response.status_code == 200
    assert document["status"] == "healthy"
    assert document["service"] == "foxetales-gateway"
    assert document["version"]
    assert datetime.fromisoformat(document["timestamp"]) == clock.now()
    assert set(document["dependencies"]) == {
        "database",
        "object_store",
        "kv",
        "endpoint",
        "mailer",
    }
    assert {d["status"] for d in document["dependencies"].values()} == {"ok"}
    assert all(d["duration_ms"] >= 0 for d in document["dependencies"].values())
    assert client.get("/ready").json() == {"ready": True}


def test_without_the_endpoint_it_is_degraded_but_ready(
    client: TestClient, endpoint: FakeEndpoint
) -> None:
    endpoint.fail_with = EndpointError("away")
    document = client.get("/health").json()
    assert document["status"] == "degraded"
    assert document["dependencies"]["endpoint"]["status"] == "unavailable"
    assert client.get("/ready").status_code == 200


def test_without_the_store_it_is_not_ready(services: Services, tmp_path: Path) -> None:
    class LostStore(FolderStore):
        def get(self, key: str, max_bytes: int) -> bytes:
            raise StoreUnavailable("away")

        def ping(self) -> None:
            raise StoreUnavailable("away")

    with TestClient(create_app(replace(services, store=LostStore(tmp_path)))) as client:
        assert client.get("/health").status_code == 200
        response = client.get("/ready")
    assert (response.status_code, response.json()["code"]) == (503, "not_ready")
    assert response.headers["retry-after"] == "2"


def test_without_the_mirror_it_is_degraded_but_ready(services: Services) -> None:
    class LostMirror(MemoryKeyValue):
        def ping(self) -> None:
            raise KeyValueError("away")

    lost = replace(services, kv=LostMirror(services.clock))
    with TestClient(create_app(lost)) as client:
        assert client.get("/health").json()["dependencies"]["kv"]["status"] == "unavailable"
        assert client.get("/ready").status_code == 200


def test_without_the_mail_server_it_is_degraded_but_ready(
    client: TestClient, mailer: FakeMailer, clock: MovableClock
) -> None:
    mailer.fail_with = MailError("away")
    document = client.get("/health").json()
    assert (document["status"], document["dependencies"]["mailer"]["status"]) == (
        "degraded",
        "unavailable",
    )
    assert client.get("/ready").status_code == 200
    mailer.fail_with = None
    clock.move(seconds=60)
    assert client.get("/health").json()["status"] == "healthy"
    assert mailer.sent == []


def test_a_mail_server_isnt_asked_at_each_probe(clock: MovableClock) -> None:
    asked: list[object] = []
    ping = Seldom(lambda: asked.append(clock.now()), clock, timedelta(seconds=60))
    for _ in range(30):
        ping()
        clock.move(seconds=2)
    assert len(asked) == 1
    ping()
    assert len(asked) == 2
    clock.move(seconds=-3600)  # the clock was set back
    ping()
    assert len(asked) == 3


def test_what_a_seldom_ping_found_stands_until_the_next_one(clock: MovableClock) -> None:
    answers: list[Exception | None] = [MailError("away"), None]

    def answer() -> None:
        error = answers.pop(0)
        if error:
            raise error

    ping = Seldom(answer, clock, timedelta(seconds=60))
    for _ in range(2):
        with pytest.raises(MailError):
            ping()
        clock.move(seconds=30)
    ping()
    ping()
    assert answers == []


def test_while_a_seldom_ping_waits_for_its_answer_no_other_asks(clock: MovableClock) -> None:
    def ask_meanwhile() -> None:
        with pytest.raises(TimeoutError):
            ping()

    ping = Seldom(ask_meanwhile, clock, timedelta(seconds=60))
    ping()


@pytest.mark.anyio
async def test_a_report_is_kept_for_two_seconds(clock: MovableClock) -> None:
    asked = []

    async def ping() -> None:
        asked.append(clock.now())

    check = HealthCheck({"database": ping}, clock)
    await check.report()
    clock.move(seconds=1.9)
    await check.report()
    assert len(asked) == 1
    clock.move(seconds=0.1)
    await check.report()
    assert len(asked) == 2


@pytest.mark.anyio
async def test_many_probes_at_once_cost_one_look(clock: MovableClock) -> None:
    asked = []

    async def ping() -> None:
        asked.append(1)
        await anyio.lowlevel.checkpoint()

    check = HealthCheck({"database": ping}, clock)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(check.report)
    assert len(asked) == 1


@pytest.mark.anyio
async def test_a_dependency_that_hangs_is_unavailable(clock: MovableClock) -> None:
    never = threading.Event()

    async def hang() -> None:
        await anyio.to_thread.run_sync(never.wait, abandon_on_cancel=True)

    report = await HealthCheck({"database": hang}, clock, patience_s=0.01).report()
    never.set()
    assert report.dependencies["database"].status is DependencyStatus.UNAVAILABLE
    assert not report.ready
