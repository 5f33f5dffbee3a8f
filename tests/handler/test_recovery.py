"""Every row of the table in ``handler.recovery``."""

import asyncio
from collections.abc import Callable

import pytest

from handler.errors import (
    ComfyBootFailed,
    ComfyDied,
    ComfyError,
    ComfyStalled,
    ComfyUnreachable,
    GpuOutOfMemory,
    NodeFailed,
    OutputMissing,
    PoisonedPage,
    PromptInterrupted,
    PromptRejected,
)
from handler.graph import FilledGraph
from handler.ports import Step
from handler.recovery import Recovery
from tests.handler.fakes import FakeClock, FakeComfy

pytestmark = pytest.mark.anyio

GRAPH = FilledGraph({}, "save", {})


def ignore(_: Step) -> None:
    """Progress is of no interest."""


async def outcome(comfy: FakeComfy) -> tuple[type[ComfyError] | None, bool, int]:
    """The error of a page, whether the machine is doubtful then, and how often it was tried."""
    recovery = Recovery(comfy, FakeClock(), "job-1")
    try:
        await recovery.render(GRAPH, ignore, page_number=1)
    except ComfyError as error:
        return type(error), recovery.doubtful, len(comfy.graphs)
    return None, recovery.doubtful, len(comfy.graphs)


def died_of_it() -> ComfyError:
    return ComfyDied("gone", blamed=True)


def died_of_another() -> ComfyError:
    return ComfyDied("gone", blamed=False)


def stalled() -> ComfyError:
    return ComfyStalled("nothing for an hour")


def memory_full() -> ComfyError:
    return GpuOutOfMemory("full")


def interrupted() -> ComfyError:
    return PromptInterrupted("by somebody")


async def test_a_page_that_renders_is_rendered_once() -> None:
    comfy = FakeComfy()
    assert await outcome(comfy) == (None, False, 1)
    assert comfy.boots == 0


@pytest.mark.parametrize("fault", [died_of_it, died_of_another, stalled, memory_full, interrupted])
async def test_every_fault_is_survived_once(fault: Callable[[], ComfyError]) -> None:
    comfy = FakeComfy(fault())
    assert await outcome(comfy) == (None, False, 2)
    assert comfy.boots == 1


async def test_a_page_of_which_comfyui_dies_twice_is_poisoned() -> None:
    comfy = FakeComfy(died_of_it(), died_of_it())
    assert await outcome(comfy) == (PoisonedPage, False, 2)


async def test_the_pages_beside_a_poisoned_one_are_rendered() -> None:
    comfy = FakeComfy(died_of_it(), died_of_another(), died_of_it(), died_of_another())
    recovery = Recovery(comfy, FakeClock(), "job-1")
    poisoned, other = await asyncio.gather(
        recovery.render(GRAPH, ignore), recovery.render(GRAPH, ignore), return_exceptions=True
    )
    assert isinstance(poisoned, PoisonedPage)
    assert not isinstance(other, BaseException)
    assert not recovery.doubtful


async def test_deaths_that_others_caused_are_not_counted_with_its_own() -> None:
    comfy = FakeComfy(died_of_another(), died_of_it(), died_of_another(), died_of_another())
    assert await outcome(comfy) == (None, False, 5)


@pytest.mark.parametrize(
    "error", [died_of_another(), ComfyUnreachable("busy"), interrupted()], ids=lambda e: str(e)
)
async def test_a_page_without_blame_has_five_more_tries(error: ComfyError) -> None:
    assert await outcome(FakeComfy(*[error] * 5)) == (None, False, 6)
    assert await outcome(FakeComfy(*[error] * 6)) == (type(error), True, 6)


async def test_a_page_that_stalls_twice_fails() -> None:
    assert await outcome(FakeComfy(stalled(), stalled())) == (ComfyStalled, False, 2)


async def test_memory_is_freed_before_the_second_try() -> None:
    comfy = FakeComfy(memory_full())
    await outcome(comfy)
    assert comfy.freed == 1


async def test_memory_that_is_full_twice_makes_the_machine_doubtful() -> None:
    comfy = FakeComfy(memory_full(), memory_full())
    assert await outcome(comfy) == (GpuOutOfMemory, True, 2)
    assert comfy.freed == 1


async def test_a_comfyui_that_does_not_boot_again_makes_the_machine_doubtful() -> None:
    comfy = FakeComfy(died_of_it())
    comfy.boot_failure = ComfyBootFailed("no")
    assert await outcome(comfy) == (ComfyBootFailed, True, 1)
    assert comfy.boots == 3


async def test_a_boot_that_fails_within_a_render_counts_too() -> None:
    failure = ComfyBootFailed("no")
    assert await outcome(FakeComfy(failure, failure)) == (None, False, 3)
    assert await outcome(FakeComfy(failure, failure, failure)) == (ComfyBootFailed, True, 3)


@pytest.mark.parametrize(
    "error",
    [NodeFailed("no", node="1"), PromptRejected("no"), OutputMissing("none")],
    ids=lambda error: type(error).__name__,
)
async def test_what_another_try_cannot_cure_fails_at_once(error: ComfyError) -> None:
    comfy = FakeComfy(error)
    assert await outcome(comfy) == (type(error), False, 1)
    assert comfy.boots == comfy.freed == 0


async def test_a_cancelled_page_is_not_tried_again() -> None:
    comfy = FakeComfy(hangs=True)
    page = asyncio.create_task(Recovery(comfy, FakeClock(), "job-1").render(GRAPH, ignore))
    await comfy.rendering.wait()
    page.cancel()
    with pytest.raises(asyncio.CancelledError):
        await page
    assert (len(comfy.graphs), comfy.interrupted) == (1, 1)
