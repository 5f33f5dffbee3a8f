from handler.comfy.events import (
    Executing,
    ExecutionCached,
    ExecutionStarted,
    ExecutionSucceeded,
)
from handler.comfy.times import PromptTimes

CLASSES = {"a": "LoadImage", "b": "KSampler", "c": "KSampler", "d": "SaveImage"}


def test_the_time_of_each_class_of_nodes_is_summed() -> None:
    times = PromptTimes(CLASSES, submitted=10.0)
    times.feed(ExecutionStarted("p"), 12.0)
    times.feed(ExecutionCached("p", ("a",)), 12.25)
    for at, node in ((12.5, "b"), (13.5, "c"), (15.5, "d")):
        times.feed(Executing("p", node), at)
    times.feed(ExecutionSucceeded("p"), 16.0)
    times.feed(Executing("p", None), 17.0)
    assert times.node_ms == {"KSampler": 3000.0, "SaveImage": 500.0}
    assert (times.began, times.ended) == (12.5, 16.0)
    assert (times.queue_ms, times.render_ms) == (2000.0, 4000.0)


def test_a_graph_out_of_the_cache_takes_no_nodes_time() -> None:
    times = PromptTimes(CLASSES, submitted=10.0)
    times.feed(ExecutionStarted("p"), 12.0)
    times.feed(ExecutionSucceeded("p"), 12.5)
    assert times.node_ms == {}
    assert (times.began, times.ended, times.render_ms) == (12.0, 12.5, 500.0)


def test_what_is_told_late_doesnt_change_what_is_known() -> None:
    times = PromptTimes(CLASSES, submitted=10.0)
    for at in (12.0, 20.0):
        times.feed(ExecutionStarted("p"), at)
        times.feed(ExecutionSucceeded("p"), at + 1)
    assert (times.queue_ms, times.render_ms) == (2000.0, 1000.0)


def test_no_time_runs_backwards() -> None:
    times = PromptTimes(CLASSES, submitted=10.0)
    times.feed(ExecutionStarted("p"), 9.0)  # by the history's coarser clock
    assert (times.queue_ms, times.render_ms) == (0.0, 0.0)
