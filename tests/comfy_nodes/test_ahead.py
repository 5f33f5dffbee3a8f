"""Reading ahead, without ComfyUI and without its thread."""

import threading
from typing import Any

import pytest

from comfy_nodes.hand_over.ahead import Ahead, calls_in


class Reader:
    """Counts how often each name was read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, name: str) -> list[str]:
        self.read.append(name)
        if name == "damaged":
            raise ValueError("damaged can't be read")
        return [name]


def ahead_of(*queued: str) -> Ahead:
    return Ahead(lambda: queued)


def test_what_was_planned_is_done_in_the_second_turn_and_handed_out_once() -> None:
    ahead, read = ahead_of("p1"), Reader()
    ahead.plan("p1", [(read, ("a",)), (read, ("b",))])
    ahead.turn()
    assert read.read == []
    ahead.turn()
    ahead.turn()
    assert read.read == ["a", "b"]
    first = ahead.take(read, "a")
    assert (first, read.read) == (["a"], ["a", "b"])
    assert ahead.take(read, "a") is not first
    assert read.read == ["a", "b", "a"]


def test_what_nobody_has_begun_is_done_where_it_is_asked_for() -> None:
    ahead, read = ahead_of("p1"), Reader()
    ahead.plan("p1", [(read, ("a",))])
    ahead.turn()
    assert ahead.take(read, "a") == ["a"]
    ahead.turn()
    assert read.read == ["a"]


def test_who_asks_for_what_has_begun_waits_for_it() -> None:
    ahead, begun, go_on = ahead_of("p1"), threading.Event(), threading.Event()

    def slow(name: str) -> str:
        begun.set()
        assert go_on.wait(10)
        return f"{name} by {threading.current_thread().name}"

    ahead.plan("p1", [(slow, ("a",))])
    ahead.turn()
    worker = threading.Thread(target=ahead.turn, name="ahead")
    worker.start()
    assert begun.wait(10)
    threading.Timer(0.01, go_on.set).start()
    assert ahead.take(slow, "a") == "a by ahead"
    worker.join()


def test_an_error_is_raised_where_the_result_is_asked_for() -> None:
    ahead, read = ahead_of("p1"), Reader()
    ahead.plan("p1", [(read, ("damaged",)), (read, ("a",))])
    ahead.turn()
    ahead.turn()
    with pytest.raises(ValueError, match="damaged can't be read"):
        ahead.take(read, "damaged")
    assert ahead.take(read, "a") == ["a"]
    assert read.read == ["damaged", "a"]


def test_what_a_prompt_did_not_ask_for_goes_when_the_prompt_has_left_the_queue() -> None:
    queued = {"p1"}
    ahead, read = Ahead(lambda: queued), Reader()
    ahead.plan("p1", [(read, ("a",))])
    ahead.turn()
    ahead.turn()
    assert ahead.waiting == 1
    queued.clear()
    ahead.turn()
    assert ahead.waiting == 0
    ahead.take(read, "a")
    assert read.read == ["a", "a"]


def test_a_prompt_that_was_refused_is_never_read_for() -> None:
    ahead, read = ahead_of(), Reader()
    ahead.plan("refused", [(read, ("a",))])
    ahead.turn()
    ahead.turn()
    assert (ahead.waiting, read.read) == (0, [])


def test_two_prompts_are_read_for_at_most() -> None:
    ahead, read = ahead_of("p1", "p2", "p3"), Reader()
    for prompt in ("p1", "p2", "p3"):
        ahead.plan(prompt, [(read, (prompt,))])
    ahead.turn()
    ahead.turn()
    assert read.read == ["p1", "p2"]
    ahead.take(read, "p1")
    ahead.plan("p3", [(read, ("p3",))])
    assert ahead.waiting == 2


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ({"1": {"class_type": "Read", "inputs": {"image": "a", "channel": "red"}}}, ["a"]),
        ({"1": {"class_type": "Read", "inputs": {"image": ["2", 0]}}}, []),
        ({"1": {"class_type": "Read", "inputs": {}}}, []),
        ({"1": {"class_type": "Other", "inputs": {"image": "a"}}}, []),
        ({"1": {"class_type": ["Read"], "inputs": {"image": "a"}}}, []),
        ({"1": {"class_type": "Read", "inputs": None}, "2": 3}, []),
        (None, []),
        ([], []),
    ],
)
def test_only_nodes_that_need_no_other_node_are_done_ahead(prompt: Any, names: list[str]) -> None:
    read = Reader()
    assert calls_in(prompt, {"Read": (read, ("image",))}) == [(read, (name,)) for name in names]
