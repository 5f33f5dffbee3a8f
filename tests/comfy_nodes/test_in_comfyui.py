"""The node pack and the draft workflow in a real ComfyUI on the CPU."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from comfy_nodes.contour_feather.kernel import support
from comfy_nodes.draft_portrait.faces import the_face
from tests.comfy_nodes.comfy import Comfy, Event, running_comfy
from tests.comfy_nodes.pictures import (
    ASTRONAUT,
    MODEL,
    ROOT,
    ByteImage,
    FloatImage,
    template,
)

pytestmark = pytest.mark.comfyui

FOLDER = ROOT / "workflows" / "storybook_page_draft"
OUR_NODES = {"FoxetalesContourFeather", "FoxetalesDraftPortrait", "FoxetalesSkinShift"}


def write(path: Path, picture: FloatImage) -> None:
    cv2.imwrite(str(path), np.rint(picture[..., ::-1] * 255).astype(np.uint8))


def read(path: Path) -> ByteImage:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    with running_comfy(tmp_path_factory.mktemp("comfyui")) as running:
        page = template()
        inputs = running.base / "input"
        write(inputs / "background.png", page.background)
        write(inputs / "character.png", page.character)
        cv2.imwrite(str(inputs / "person_mask.png"), page.person)
        (inputs / "photo.png").write_bytes(ASTRONAUT.read_bytes())
        write(inputs / "sky.png", page.background[:300, :300])
        yield running


def graph(**values: Any) -> dict[str, Any]:
    """The released graph with its slots filled: the template's opening, and what is given."""
    filled: dict[str, Any] = deepcopy(json.loads((FOLDER / "v1.json").read_text()))
    slots = json.loads((FOLDER / "v1.slots.json").read_text())["slots"]
    opening = template().opening
    place = {
        "face_x": opening.x,
        "face_y": opening.y,
        "face_width": opening.width,
        "face_height": opening.height,
    }
    for name, value in {**place, **values}.items():
        filled[slots[name]["node"]]["inputs"][slots[name]["input"]] = value
    return filled


def page_of(comfy: Comfy, events: list[Event]) -> ByteImage:
    assert events[-1].type == "execution_success", events[-1].data
    image = next(event for event in events if event.type == "executed").data["output"]["images"][0]
    return read(comfy.base / "output" / image["subfolder"] / image["filename"])


def test_our_nodes_are_there_with_the_inputs_that_the_graph_fills(comfy: Comfy) -> None:
    info = comfy.node_info()
    assert set(info) >= OUR_NODES
    for node in graph().values():
        takes = {**info[node["class_type"]]["input"]["required"]}
        takes |= info[node["class_type"]]["input"].get("optional", {})
        assert set(node["inputs"]) <= set(takes)
        assert set(info[node["class_type"]]["input"]["required"]) <= set(node["inputs"])


def test_the_page_shows_her_and_leaves_the_background_alone(comfy: Comfy) -> None:
    events = comfy.run(graph(filename_prefix="test/page"))
    result, page = page_of(comfy, events), template()
    background = read(comfy.base / "input" / "background.png")
    beyond = ~support(page.person / np.float32(255), 2, 12)
    assert beyond.mean() > 0.3
    assert np.array_equal(result[beyond], background[beyond])
    face = the_face(result, MODEL)
    assert np.abs(face.landmarks - page.opening.landmarks()).max() < 22


def test_the_portrait_reports_its_steps(comfy: Comfy) -> None:
    portrait = next(i for i, n in graph().items() if n["class_type"] == "FoxetalesDraftPortrait")
    events = comfy.run(graph(watercolour=0.5, filename_prefix="test/steps"))
    steps = [e.data for e in events if e.type == "progress" and e.data["node"] == portrait]
    values = [step["value"] for step in steps]
    # The node tells each; a newer ComfyUI sends the first, the last, and at most ten a second.
    assert values == sorted(set(values))
    assert (values[0], values[-1]) == (1, 5)
    assert {step["max"] for step in steps} == {5}


def test_a_skin_preset_darkens_her_face_only(comfy: Comfy) -> None:
    plain = page_of(comfy, comfy.run(graph(filename_prefix="test/off")))
    dark = page_of(comfy, comfy.run(graph(skin_preset="brown", filename_prefix="test/brown")))
    off_the_person = template().person == 0
    assert np.array_equal(dark[off_the_person], plain[off_the_person])
    cheeks = np.s_[450:500, 460:560]
    assert dark[cheeks].mean() < 0.85 * plain[cheeks].mean()


def test_a_photo_without_a_face_fails_with_a_stable_code(comfy: Comfy) -> None:
    last = comfy.run(graph(photo="sky.png"))[-1]
    assert last.type == "execution_error"
    assert last.data["node_type"] == "FoxetalesDraftPortrait"
    assert last.data["exception_message"].startswith("no_face: ")


@pytest.mark.parametrize(
    ("node_class", "name", "value", "said"),
    [
        ("FoxetalesSkinShift", "preset", "purple", "not one of"),
        ("FoxetalesDraftPortrait", "face_model", "../../secrets.onnx", "face_model_missing: "),
    ],
)
def test_an_unknown_choice_is_refused_before_anything_runs(
    comfy: Comfy, node_class: str, name: str, value: str, said: str
) -> None:
    wrong = graph()
    node_id, node = next((i, n) for i, n in wrong.items() if n["class_type"] == node_class)
    node["inputs"][name] = value
    answer = comfy.submit(wrong)
    assert answer.status_code == 400
    assert said in answer.json()["node_errors"][node_id]["errors"][0]["details"]
