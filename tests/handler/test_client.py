"""How the history's entries of output nodes are read; the rest of the client needs a ComfyUI."""

from typing import Any

import pytest

from handler.comfy.client import OutputFile, saved_file

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
