import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.comfy.events import (
    Executing,
    ExecutionCached,
    ExecutionFailed,
    ExecutionInterrupted,
    MalformedEvent,
    NodeProgress,
    Other,
    Status,
    parse_event,
)

TYPES = [
    "status",
    "execution_start",
    "execution_cached",
    "executing",
    "progress",
    "progress_state",
    "executed",
    "execution_success",
    "execution_error",
    "execution_interrupted",
    "something_new",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["prompt_id", "node", "nodes", "value", "max", "status", "state", "x"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


def message(kind: str, **data: Any) -> str:
    return json.dumps({"type": kind, "data": data})


def test_a_greeting_carries_the_queue() -> None:
    raw = message("status", status={"exec_info": {"queue_remaining": 2}}, sid="abc")
    assert parse_event(raw) == Status(2)


def test_a_prompt_ends_with_no_node_executing() -> None:
    assert parse_event(message("executing", node=None, prompt_id="p")) == Executing("p", None)


def test_cached_nodes_are_named() -> None:
    raw = message("execution_cached", nodes=["1", "2"], prompt_id="p", timestamp=1)
    assert parse_event(raw) == ExecutionCached("p", ("1", "2"))


def test_both_ways_to_report_progress_mean_the_same() -> None:
    old = message("progress", value=3, max=25, prompt_id="p", node="7")
    states = {
        "6": {"value": 1, "max": 1, "state": "finished"},
        "7": {"value": 3, "max": 25, "state": "running"},
    }
    new = message("progress_state", prompt_id="p", nodes=states)
    assert parse_event(old) == parse_event(new) == NodeProgress("p", "7", 3, 25)


def test_an_exception_names_its_node() -> None:
    raw = message(
        "execution_error",
        prompt_id="p",
        node_id="4",
        node_type="LoadImage",
        exception_type="ValueError",
        exception_message="no_face: nobody",
        traceback=["…"],
    )
    expected = ExecutionFailed("p", "4", "LoadImage", "ValueError", "no_face: nobody")
    assert parse_event(raw) == expected


def test_an_interruption_is_no_exception() -> None:
    raw = message("execution_interrupted", prompt_id="p", node_id="4", node_type="KSampler")
    assert parse_event(raw) == ExecutionInterrupted("p", "4")


def test_the_greeting_of_a_connection_opened_again_is_let_pass() -> None:
    assert parse_event(message("executing", node="7")) == Other("executing")


def test_previews_and_newer_types_are_let_pass() -> None:
    assert parse_event(b"\x00\x00\x00\x01") == Other("binary")
    assert parse_event(message("from_the_future", a=1)) == Other("from_the_future")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        "[]",
        '{"type": 1}',
        '{"type": "executing"}',
        message("executing", node="1", prompt_id=None),
        message("progress", prompt_id="p", node="1", value="three", max=4),
        message("progress", prompt_id="p", node="1", value=1, max=float("inf")),
        message("progress", prompt_id="p", node="1", value=float("nan"), max=4),
        message("execution_cached", prompt_id="p", nodes=[1]),
        "[" * 100_000,
    ],
)
def test_a_malformed_message_is_a_typed_error(raw: str) -> None:
    with pytest.raises(MalformedEvent):
        parse_event(raw)


@given(st.sampled_from(TYPES), JSON)
def test_no_message_of_a_known_type_breaks_the_parser(kind: str, data: object) -> None:
    with suppress(MalformedEvent):
        parse_event(json.dumps({"type": kind, "data": data}))


@given(st.text() | st.binary())
def test_no_bytes_break_the_parser(raw: str | bytes) -> None:
    with suppress(MalformedEvent):
        parse_event(raw)
