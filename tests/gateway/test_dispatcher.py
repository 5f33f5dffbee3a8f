"""The gateway's own loops: they begin with the art, and nothing ends them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from sqlalchemy import text

from contract.job import PagesJob
from contract.keys import template_key
from gateway.dispatcher import Dispatcher
from gateway.services import Services
from storage.errors import StoreUnavailable
from storage.folder import FolderStore
from tests.gateway.fakes import FakeEndpoint, MovableClock
from tests.gateway.rendering import BOOK, Stage

DATABASES = ("sqlite", "postgresql")

pytestmark = pytest.mark.anyio


@dataclass
class TellingEndpoint(FakeEndpoint):
    """Tells a waiting test when a job comes; fails first as often as it is told to."""

    arrived: anyio.Event = field(default_factory=anyio.Event)
    stumbles: int = 0

    async def submit(self, job: PagesJob, *, webhook_url: str) -> str:
        if self.stumbles:
            self.stumbles -= 1
            raise RuntimeError("a bug in an adapter")
        runpod_id = await super().submit(job, webhook_url=webhook_url)
        self.arrived.set()
        return runpod_id


@pytest.fixture
def endpoint() -> TellingEndpoint:
    return TellingEndpoint()


@asynccontextmanager
async def running(dispatcher: Dispatcher) -> AsyncIterator[None]:
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(dispatcher.run)
            yield
            group.cancel_scope.cancel()


async def test_a_job_leaves_after_the_art_is_there(
    stage: Stage, services: Services, endpoint: TellingEndpoint
) -> None:
    await anyio.to_thread.run_sync(stage.order)
    async with running(services.dispatcher):
        await endpoint.arrived.wait()
    assert services.store.exists(template_key(BOOK, 1, "background"))


async def test_a_bug_with_one_job_doesnt_stop_the_others(
    stage: Stage, services: Services, endpoint: TellingEndpoint
) -> None:
    await anyio.to_thread.run_sync(stage.order)
    await anyio.to_thread.run_sync(stage.order)
    endpoint.stumbles = 1
    async with running(services.dispatcher):
        await endpoint.arrived.wait()


async def test_a_job_that_met_a_bug_goes_again(
    stage: Stage, services: Services, endpoint: TellingEndpoint, clock: MovableClock
) -> None:
    job = await anyio.to_thread.run_sync(stage.order)
    endpoint.stumbles = 1
    await services.dispatcher.dispatch_due()
    clock.move(seconds=60)
    await services.dispatcher.dispatch_due()
    assert [sent.job_id for sent in endpoint.submitted] == [job.job_id]


async def test_a_database_that_was_away_is_used_again(
    stage: Stage, services: Services, endpoint: TellingEndpoint
) -> None:
    await anyio.to_thread.run_sync(stage.order)
    with services.engine.begin() as connection:
        connection.execute(text("ALTER TABLE jobs RENAME TO jobs_away"))
    async with running(services.dispatcher):
        await anyio.wait_all_tasks_blocked()
        with services.engine.begin() as connection:
            connection.execute(text("ALTER TABLE jobs_away RENAME TO jobs"))
        services.dispatcher.wake()
        await endpoint.arrived.wait()


class AwayOnce(FolderStore):
    """A folder that can't be reached at first."""

    reached = 0

    def get(self, key: str, max_bytes: int) -> bytes:
        self.reached += 1
        if self.reached == 1:
            raise StoreUnavailable("away")
        return super().get(key, max_bytes)


async def test_no_job_leaves_before_the_store_takes_the_art(
    stage: Stage, services: Services, endpoint: TellingEndpoint, tmp_path: Path
) -> None:
    store = AwayOnce(tmp_path / "objects")
    dispatcher = Dispatcher(
        ledger=services.dispatcher.ledger,
        endpoint=endpoint,
        store=store,
        books=services.books,
        board=services.board,
        webhook_url=lambda job_id: f"http://gateway.test/{job_id}",
        deadline_s=60,
    )
    await anyio.to_thread.run_sync(stage.order)
    with pytest.raises(StoreUnavailable):
        await dispatcher.dispatch_due()
    assert endpoint.submitted == []
    assert await dispatcher.dispatch_due() == 1
    assert store.exists(template_key(BOOK, 1, "background"))
