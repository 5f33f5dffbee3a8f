import asyncio
from datetime import UTC, datetime

import pytest

from contract.job import IdentityJob, PagesJob
from contract.result import IdentityResult, PageResult
from contract.status import PageStatus
from handler.ports import Step
from handler.progress import INTERVAL_S, ProgressReporter
from tests.handler.fakes import FakeClock, RecordingSink, identity_input, job_input

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


async def test_of_pages_that_overlap_the_rendered_one_is_shown_and_each_counts() -> None:
    sink = RecordingSink()
    reporter = reporter_for(sink, FakeClock())
    reporter.start()
    reporter.begin(1, "fetching inputs")
    reporter.step(1, Step(0.5, "Sample", 5, 10))
    reporter.begin(2, "fetching inputs")
    await settle()
    shown = sink.progress[-1]
    assert (shown.page_number, shown.current_step, shown.step) == (1, "Sample", 5)
    reporter.step(1, Step(1.0, "Save"))
    reporter.step(2, Step(0.5, "Sample", 6, 10))  # while page 1 is on its way to the store
    await settle()
    before = sink.progress[-1]
    assert (before.page_number, before.step) == (2, 6)
    assert before.progress > 0.5
    reporter.end_page(ended(1))
    await settle()
    after = sink.progress[-1]
    assert (after.page_number, after.step, len(after.pages)) == (2, 6, 1)
    assert before.progress < after.progress < 1.0
    reporter.end_page(ended(2))
    await reporter.close()
    last = sink.progress[-1]
    assert (last.progress, last.current_step) == (1.0, "page completed")


def an_identity() -> IdentityResult:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return IdentityResult(
        key="a/b", sha256="0" * 64, size_bytes=1, extracted_at=moment, extracted=True
    )


async def test_an_extraction_is_a_part_of_the_page_that_waits_for_it() -> None:
    sink = RecordingSink()
    reporter = reporter_for(sink, FakeClock())
    reporter.start()
    reporter.begin(1, "fetching inputs")
    reporter.begin_identity()
    await settle()
    assert sink.progress[-1].current_step == "extracting identity"
    reporter.step_identity(Step(1.0, "Encode", 3, 3))
    await settle()
    last = sink.progress[-1]
    assert (last.current_step, last.page_number) == ("extracting identity", 1)
    assert (last.step, last.steps) == (3, 3)
    assert 0 < last.progress < 0.5  # less than the page, which is half of the job
    reporter.end_identity(an_identity())
    reporter.step(1, Step(0.01, "Paint"))
    await settle()
    assert sink.progress[-1].progress == last.progress
    await reporter.close()


async def test_an_extraction_is_the_whole_of_an_identity_job() -> None:
    sink = RecordingSink()
    job = IdentityJob.model_validate(identity_input())
    reporter = ProgressReporter(job, 1000, sink, FakeClock())
    reporter.start()
    reporter.begin_identity()
    for fraction in (0.5, 1.0):
        reporter.step_identity(Step(fraction, "Encode"))
        await settle()
    reporter.end_identity(an_identity())
    await reporter.close()
    fractions = [message.progress for message in sink.progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert max(fractions[:-1]) < 1.0
    assert {message.page_number for message in sink.progress} == {None}
    assert reporter.identity == an_identity()


async def test_an_identity_that_was_there_counts_no_longer_once_another_is_extracted() -> None:
    reporter = reporter_for(RecordingSink(), FakeClock())
    reporter.end_identity(an_identity())
    reporter.begin_identity()
    assert reporter.identity is None


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
