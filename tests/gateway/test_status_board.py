"""How old a state may be, and who pays for reading it."""

import anyio
import pytest
from sqlalchemy import event

from gateway.adapters.memory import MemoryKeyValue
from gateway.services import Services
from gateway.status_board import FRESH_S, RUNNING_TTL_S, StatusBoard
from tests.gateway.fakes import MovableClock
from tests.gateway.rendering import Stage, progress

pytestmark = pytest.mark.anyio


class Ticks:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class CountingKeyValue(MemoryKeyValue):
    """A mirror that counts how often it is read."""

    reads = 0

    def get(self, key: str) -> bytes | None:
        self.reads += 1
        return super().get(key)


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def kv(clock: MovableClock) -> CountingKeyValue:
    return CountingKeyValue(clock)


@pytest.fixture
def board(services: Services, kv: CountingKeyValue, ticks: Ticks) -> StatusBoard:
    return StatusBoard(services.engine, kv, time=ticks)


@pytest.fixture
def job_id(stage: Stage) -> str:
    """A job that the endpoint has."""
    job = stage.order()
    stage.dispatch()
    return job.job_id


def hear(stage: Stage, share: float, seq: int = 1) -> None:
    """Another gateway hears progress, and dies before it tells the mirror."""
    stage.services.dispatcher.ledger.receive(progress(stage.endpoint.submitted[0], share, seq=seq))


async def test_memory_answers_for_a_quarter_of_a_second(
    board: StatusBoard, kv: CountingKeyValue, ticks: Ticks, job_id: str
) -> None:
    first = await board.get(job_id)
    assert first
    reads = kv.reads
    ticks.seconds += FRESH_S
    assert board.fresh(job_id) is first
    assert await board.get(job_id) is first
    assert kv.reads == reads
    ticks.seconds += 0.01
    assert board.fresh(job_id) is None
    again = await board.get(job_id)
    assert again == first
    assert kv.reads == reads + 1


async def test_the_mirror_spares_sql(
    board: StatusBoard, services: Services, ticks: Ticks, job_id: str
) -> None:
    await board.get(job_id)
    statements: list[str] = []
    event.listen(
        services.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_rest: statements.append(statement),
    )
    ticks.seconds += 1
    assert await board.get(job_id)
    assert statements == []


async def test_a_mirror_that_isnt_told_is_believed_for_seconds_only(
    board: StatusBoard, stage: Stage, clock: MovableClock, ticks: Ticks, job_id: str
) -> None:
    before = await board.get(job_id)
    assert before
    hear(stage, 0.5)
    ticks.seconds += 1
    assert await board.get(job_id) == before
    clock.move(seconds=RUNNING_TTL_S)
    ticks.seconds += RUNNING_TTL_S
    after = await board.get(job_id)
    assert after
    assert after.etag != before.etag


async def test_an_older_state_doesnt_replace_a_newer_one(
    board: StatusBoard, stage: Stage, kv: CountingKeyValue, ticks: Ticks, job_id: str
) -> None:
    """Another gateway was slow to write what it had read."""
    await board.get(job_id)
    old = kv.get(f"job_status/{job_id}")
    assert old
    hear(stage, 0.5)
    newer = await board.publish(job_id)
    kv.put(f"job_status/{job_id}", old, 60)
    ticks.seconds += 1
    assert await board.get(job_id) == newer


@pytest.mark.parametrize("entry", [b"", b"noise", b"1\np\nasleep\n{}", b"one\np\nqueued\n{}"])
async def test_a_mirror_that_speaks_another_language_is_passed_over(
    board: StatusBoard, kv: CountingKeyValue, job_id: str, entry: bytes
) -> None:
    kv.put(f"job_status/{job_id}", entry, 60)
    snapshot = await board.get(job_id)
    assert snapshot
    assert b'"status":"queued"' in snapshot.body


async def test_many_followers_cost_one_read(
    board: StatusBoard, kv: CountingKeyValue, job_id: str
) -> None:
    reads = kv.reads
    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(board.get, job_id)
    assert kv.reads == reads + 1


async def test_an_unknown_job_is_none_for_everybody(board: StatusBoard) -> None:
    found: list[object] = []

    async def look() -> None:
        found.append(await board.get("nobody"))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(look)
    assert found == [None] * 5


async def test_waiting_ends_at_a_publication(board: StatusBoard, stage: Stage, job_id: str) -> None:
    first = await board.get(job_id)
    assert first
    async with anyio.create_task_group() as group:

        async def change() -> None:
            await anyio.to_thread.run_sync(hear, stage, 0.5)
            await board.publish(job_id)

        group.start_soon(change)
        with anyio.fail_after(10):
            changed = await board.next_change(job_id, None, 30)
    assert changed
    assert changed.revision > first.revision


async def test_the_same_state_has_the_same_etag_at_every_gateway(
    board: StatusBoard, services: Services, job_id: str
) -> None:
    here, there = await board.get(job_id), await services.board.publish(job_id)
    assert here
    assert there
    assert (here.etag, here.body) == (there.etag, there.body)


async def test_the_remaining_time_follows_the_pace(
    board: StatusBoard, stage: Stage, clock: MovableClock, job_id: str
) -> None:
    def remaining(body: bytes) -> int:
        return int(body.split(b'"estimated_remaining_seconds":')[1].split(b",")[0])

    hear(stage, 0.01, seq=1)
    clock.move(seconds=10)
    hear(stage, 0.5, seq=2)
    halfway = await board.publish(job_id)
    assert halfway
    assert remaining(halfway.body) == 10
