import asyncio

import pytest

from contract.job import PagesJob
from contract.result import PageResult
from contract.status import PageStatus
from handler.ports import Step
from handler.progress import INTERVAL_S, ProgressReporter
from tests.handler.fakes import FakeClock, RecordingSink, job_input

pytestmark = pytest.mark.anyio


class SteppedClock(FakeClock):
    """A clock whose sleepers wake when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.wake = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await self.wake.wait()
        self.wake.clear()


def reporter_for(sink: RecordingSink, clock: FakeClock, drain_s: float = 2.0) -> ProgressReporter:
    job = PagesJob.model_validate(job_input(pages=2))
    return ProgressReporter(job, 1000, sink, clock, drain_s)


async def settle() -> None:
    """Let every task run until all of them wait."""
    for _ in range(20):
        await asyncio.sleep(0)


def ended(number: int) -> PageResult:
    return PageResult(page_number=number, status=PageStatus.COMPLETED, seed=1)


async def test_what_happens_between_two_messages_is_folded_into_the_next() -> None:
    sink, clock = RecordingSink(), SteppedClock()
    reporter = reporter_for(sink, clock)
    reporter.start()
    await settle()
    for step in range(1, 21):
        reporter.step(1, Step(step / 20, "Sample", step, 20))
    await settle()
    assert len(sink.progress) == 1
    assert clock.sleeps == [INTERVAL_S]
    clock.wake.set()
    await settle()
    assert [message.step for message in sink.progress] == [None, 20]
    await reporter.close()


async def test_closing_sends_the_last_state_and_nothing_afterwards() -> None:
    sink, clock = RecordingSink(), SteppedClock()
    reporter = reporter_for(sink, clock)
    reporter.start()
    await settle()
    reporter.end_page(ended(1))
    await reporter.close()
    reporter.step(2, Step(0.9, "late"))
    await settle()
    assert [len(message.pages) for message in sink.progress] == [0, 1]
    assert reporter.next_seq() == 3


async def test_messages_are_numbered_and_progress_never_falls() -> None:
    sink, clock = RecordingSink(), FakeClock()
    reporter = reporter_for(sink, clock)
    reporter.start()
    for number in (1, 2):
        for fraction in (0.2, 0.9, 0.1):
            reporter.step(number, Step(fraction, "Paint"))
            await settle()
        reporter.end_page(ended(number))
        await settle()
    await reporter.close()
    fractions = [message.progress for message in sink.progress]
    assert [message.seq for message in sink.progress] == list(range(1, len(fractions) + 1))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


async def test_a_sink_that_hangs_is_given_up() -> None:
    reporter = reporter_for(RecordingSink(stuck=True), FakeClock(), drain_s=0.01)
    reporter.start()
    await settle()
    await reporter.close()


async def test_a_sink_that_breaks_stops_nothing() -> None:
    class Broken(RecordingSink):
        async def send_progress(self, progress: object) -> None:
            raise RuntimeError("a bug in a sink")

    reporter = reporter_for(Broken(), FakeClock())
    reporter.start()
    await settle()
    await reporter.close()


async def test_closing_before_starting_does_nothing() -> None:
    await reporter_for(RecordingSink(), FakeClock()).close()
