"""The skin shift node in a real ComfyUI: batches, one mask or many, and wrong input."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from tests.comfy_nodes.comfy import Comfy, Event, running_comfy
from tests.comfy_nodes.pictures import template

pytestmark = pytest.mark.comfyui


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    with running_comfy(tmp_path_factory.mktemp("comfyui")) as running:
        page, inputs = template(512), running.base / "input"
        picture = np.rint(page.character[..., ::-1] * 255).astype(np.uint8)
        cv2.imwrite(str(inputs / "page.png"), picture)
        cv2.imwrite(str(inputs / "person.png"), page.person)
        cv2.imwrite(str(inputs / "small.png"), page.person[:100])
        yield running


def graph(mask: str = "person.png", count: int = 1, **inputs: Any) -> dict[str, Any]:
    shift = {"image": ["3", 0], "person_mask": ["2", 0], "preset": "deep", "strength": 1.0}
    load_mask = {"image": mask, "channel": "red"}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": "page.png"}},
        "2": {"class_type": "LoadImageMask", "inputs": load_mask},
        "3": {"class_type": "RepeatImageBatch", "inputs": {"image": ["1", 0], "amount": count}},
        "4": {"class_type": "FoxetalesSkinShift", "inputs": {**shift, **inputs}},
        "5": {"class_type": "SaveImage", "inputs": {"images": ["4", 0], "filename_prefix": "s"}},
    }


def pages(comfy: Comfy, events: list[Event]) -> list[np.ndarray[Any, Any]]:
    assert events[-1].type == "execution_success", events[-1].data
    files = next(event for event in events if event.type == "executed").data["output"]["images"]
    found = [cv2.imread(str(comfy.base / "output" / file["filename"])) for file in files]
    return [np.asarray(page) for page in found]


def test_one_mask_serves_a_batch_and_each_page_is_the_same(comfy: Comfy) -> None:
    results = pages(comfy, comfy.run(graph(count=2)))
    before = cv2.imread(str(comfy.base / "input" / "page.png"))
    assert before is not None
    assert len(results) == 2
    assert np.array_equal(results[0], results[1])
    cheeks = np.s_[225:250, 230:280]
    assert results[0][cheeks].mean() < 0.6 * before[cheeks].mean()
    off_the_person = template(512).person == 0
    assert np.array_equal(results[0][off_the_person], before[off_the_person])


def test_the_face_may_be_given(comfy: Comfy) -> None:
    face: dict[str, Any] = {
        "face_x": 256.0,
        "face_y": 215.0,
        "face_width": 115.0,
        "face_height": 140.0,
    }
    given = pages(comfy, comfy.run(graph(**face)))[0]
    found = pages(comfy, comfy.run(graph(strength=0.999)))[0]
    cheeks = np.s_[225:250, 230:280]
    assert np.abs(given[cheeks].astype(int) - found[cheeks].astype(int)).max() <= 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mask": "small.png"}, "person_mask (100, 512) is not as large as image (512, 512)"),
        ({"face_width": 50.0}, "a face has a centre"),
    ],
)
def test_what_does_not_fit_is_named(comfy: Comfy, wrong: dict[str, Any], said: str) -> None:
    last = comfy.run(graph(**wrong))[-1]
    assert last.type == "execution_error"
    assert last.data["node_type"] == "FoxetalesSkinShift"
    assert said in last.data["exception_message"]
