import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.comfy.events import (
    Event,
    Executing,
    ExecutionCached,
    ExecutionFailed,
    ExecutionInterrupted,
    ExecutionStarted,
    ExecutionSucceeded,
    NodeExecuted,
    NodeProgress,
    Other,
    Status,
)
from handler.comfy.tracker import PromptTracker
from handler.errors import GpuOutOfMemory, NodeFailed, PromptInterrupted
from handler.ports import Step

TITLES = {"a": "Load", "b": "Sample", "c": "Decode", "d": "Save"}


def tracker() -> PromptTracker:
    return PromptTracker("p", TITLES)


def test_progress_counts_nodes_and_the_running_nodes_steps() -> None:
    track = tracker()
    track.feed(ExecutionStarted("p"))
    assert track.feed(ExecutionCached("p", ("a",))) is None
    assert track.feed(Executing("p", "b")) == Step(0.25, "Sample")
    assert track.feed(NodeProgress("p", "b", 10, 20)) == Step(0.375, "Sample", 10, 20)
    assert track.feed(Executing("p", "c")) == Step(0.5, "Decode")


def test_success_is_not_the_end_until_the_history_is_written() -> None:
    track = tracker()
    ended = []
    for event in (ExecutionSucceeded("p"), Executing("p", None)):
        track.feed(event)
        ended.append(track.ended)
    assert ended == [False, True]
    track.raise_for_error()


def test_a_failure_names_node_title_and_reason() -> None:
    track = tracker()
    track.feed(ExecutionFailed("p", "b", "KSampler", "/a/pack.RuntimeError", "out of\n  paper"))
    track.feed(Executing("p", None))
    with pytest.raises(
        NodeFailed, match=r"b \(Sample, KSampler\) raised RuntimeError: out of paper"
    ):
        track.raise_for_error()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("torch.OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB."),
        ("torch.cuda.OutOfMemoryError", ""),
        ("torch.OutOfMemoryError", "Allocation on device 0 would exceed allowed memory."),
        (
            "RuntimeError",
            "Allocation on device \nThis error means you ran out of memory on your GPU",
        ),
        ("RuntimeError", "CUDA out of memory."),
    ],
)
def test_a_full_gpu_is_told_from_a_failure(kind: str, text: str) -> None:
    track = tracker()
    track.feed(ExecutionFailed("p", "b", "KSampler", kind, text))
    with pytest.raises(GpuOutOfMemory, match=r"b \(Sample, KSampler\)") as failure:
        track.raise_for_error()
    assert failure.value.node == "b"


@pytest.mark.parametrize("text", ["out of memory of the child", "no device", "Allocation failed"])
def test_other_trouble_is_no_full_gpu(text: str) -> None:
    track = tracker()
    track.feed(ExecutionFailed("p", "b", "KSampler", "builtins.MemoryError", text))
    with pytest.raises(NodeFailed):
        track.raise_for_error()


def test_what_the_history_says_of_a_missed_failure_still_counts() -> None:
    track = tracker()
    track.feed(Executing("p", None))
    track.feed(ExecutionCached("p", ("a", "d")))
    track.feed(ExecutionInterrupted("p", "b"))
    assert track.cached == {"a", "d"}
    with pytest.raises(PromptInterrupted):
        track.raise_for_error()


def test_an_interruption_is_told_from_a_failure() -> None:
    track = tracker()
    track.feed(ExecutionInterrupted("p", "b"))
    with pytest.raises(PromptInterrupted):
        track.raise_for_error()


def test_another_prompts_events_change_nothing() -> None:
    track = tracker()
    track.feed(ExecutionStarted("q"))
    track.feed(Executing("q", None))
    assert not track.started
    assert not track.ended


NODES = st.sampled_from(["a", "b", "c", "d", "unknown"])
NUMBERS = st.floats(-1, 2.0**53) | st.integers(-3, 30)
EVENTS = st.one_of(
    st.just(Status(1)),
    st.just(Other("x")),
    st.just(ExecutionStarted("p")),
    st.builds(ExecutionCached, st.just("p"), st.lists(NODES).map(tuple)),
    st.builds(Executing, st.just("p"), NODES),
    st.builds(NodeExecuted, st.just("p"), NODES),
    st.builds(NodeProgress, st.just("p"), NODES, NUMBERS, NUMBERS),
    st.just(ExecutionSucceeded("p")),
)


@given(st.lists(EVENTS))
def test_whatever_comes_progress_stays_between_nothing_and_all(events: list[Event]) -> None:
    track = tracker()
    for event in events:
        step = track.feed(event)
        if step is not None:
            assert 0 <= step.fraction <= 1
            assert step.steps is None or 0 <= (step.step or 0) <= step.steps
    assert not track.ended
