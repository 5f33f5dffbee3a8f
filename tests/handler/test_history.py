"""How ComfyUI's record of a prompt is read."""

from typing import Any

import pytest

from handler.comfy.events import ExecutionCached, ExecutionFailed, ExecutionStarted
from handler.comfy.history import History, OutputFile, parse_history, saved_file

FILE = {"filename": "a_00001_.png", "subfolder": "job_1", "type": "output"}


@pytest.mark.parametrize("kind", ["images", "identities", "gifs"])
def test_a_file_is_found_whatever_its_list_is_called(kind: str) -> None:
    assert saved_file({kind: [FILE]}) == OutputFile("job_1", "a_00001_.png")


def test_the_first_file_of_the_output_folder_counts() -> None:
    preview = {**FILE, "type": "temp"}
    other = {**FILE, "filename": "b_00001_.png"}
    output = {"animated": [True], "text": ["done"], "images": [preview, FILE, other]}
    assert saved_file(output) == OutputFile("job_1", "a_00001_.png")


@pytest.mark.parametrize(
    "output",
    [{}, {"images": []}, {"images": None}, {"images": [{"type": "output"}]}, {"text": "output"}],
)
def test_a_node_may_have_saved_nothing(output: dict[str, Any]) -> None:
    assert saved_file(output) is None


def test_a_history_tells_fate_files_and_seconds() -> None:
    messages = [
        ["execution_start", {"prompt_id": "p", "timestamp": 1_000}],
        ["execution_cached", {"prompt_id": "p", "nodes": ["1"], "timestamp": 1_010}],
        [
            "execution_error",
            {
                "prompt_id": "p",
                "node_id": "4",
                "node_type": "KSampler",
                "exception_type": "ValueError",
                "exception_message": "no",
                "timestamp": 3_500,
            },
        ],
    ]
    entry = {
        "outputs": {"9": {"images": [FILE]}, "10": {"text": ["none"]}},
        "status": {"status_str": "error", "completed": False, "messages": messages},
    }
    expected = (
        ExecutionStarted("p"),
        ExecutionCached("p", ("1",)),
        ExecutionFailed("p", "4", "KSampler", "ValueError", "no"),
    )
    file = OutputFile("job_1", "a_00001_.png")
    assert parse_history(entry) == History(expected, {"9": file}, 2.5)


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"status": None, "outputs": None},
        {"status": {"messages": None}, "outputs": []},
        {"status": {"messages": [["executing"], 3, ["execution_start", {}]]}, "outputs": {"1": 2}},
    ],
)
def test_what_makes_no_sense_is_left_out(entry: dict[str, Any]) -> None:
    assert parse_history(entry) == History((), {}, 0.0)
