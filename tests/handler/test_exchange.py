import copy
from pathlib import Path
from typing import Any

import pytest

from handler.exchange import exchanged, raw_slots
from handler.graph import FilledGraph, Workflow, load_workflow
from tests.handler.conftest import REPOSITORY
from tests.handler.tiny import (
    portrait_graph,
    portrait_slots,
    tiny_graph,
    tiny_identity_graph,
    tiny_identity_slots,
    tiny_slots,
    write_workflow,
)

RELEASED = {
    "identity": {"photo"},
    "print_upscale": {"page"},
    "print_upscale_draft": {"page"},
    "scene_page": set(),
    "storybook_page": {"background", "character", "person_mask"},
    "storybook_page_draft": {"photo", "background", "character", "person_mask"},
    "storybook_page_photo": {"photo", "background", "character", "person_mask"},
}


def masked(folder: Path, reads: str, **more_slots: Any) -> Workflow:
    """``tiny`` with a mask beside the photo, which a job need not give."""
    graph, slots = tiny_graph(), tiny_slots()
    graph["mask"] = {
        "class_type": "LoadImageMask",
        "inputs": {"image": "own.png", "channel": reads},
    }
    slots["slots"]["mask"] = {"node": "mask", "input": "image", "type": "image", "required": False}
    slots["slots"] |= more_slots
    return load_workflow(write_workflow(folder, graph, slots))


def filled(workflow: Workflow, **files: str) -> FilledGraph:
    return workflow.fill({}, files, filename_prefix="job_1/page", seed=1)


def classes(graph: FilledGraph) -> dict[str, str]:
    return {node_id: node["class_type"] for node_id, node in graph.prompt.items()}


def test_loaders_that_got_pixels_and_the_saver_are_exchanged_and_nothing_else(
    tmp_path: Path,
) -> None:
    workflow = masked(tmp_path, "red")
    before = filled(workflow, photo="job_1/a.npy", mask="job_1/b.npy")
    kept = copy.deepcopy(before)
    after = exchanged(workflow, before)
    assert classes(after) == {
        "load": "FoxetalesReadPixels",
        "invert": "ImageInvert",
        "save": "FoxetalesWritePixels",
        "mask": "FoxetalesReadMask",
    }
    assert after.raw
    assert (before, before.raw) == (kept, False)
    assert (after.titles, after.output_node, after.makes) == (kept.titles, "save", "image")
    for node_id, node in after.prompt.items():
        assert {**node, "class_type": classes(kept)[node_id]} == kept.prompt[node_id]


def test_to_exchange_twice_is_to_exchange_once(tmp_path: Path) -> None:
    workflow = masked(tmp_path, "red")
    once = exchanged(workflow, filled(workflow, photo="job_1/a.npy"))
    assert exchanged(workflow, once) == once


def test_a_loader_with_a_file_of_its_own_stays(tmp_path: Path) -> None:
    workflow = masked(tmp_path, "red")
    assert raw_slots(workflow) == {"photo", "mask"}
    after = exchanged(workflow, filled(workflow, photo="job_1/a.npy"))
    assert classes(after)["mask"] == "LoadImageMask"
    assert after.prompt["mask"]["inputs"]["image"] == "own.png"


def feathered(folder: Path, reads: str, **inputs: Any) -> FilledGraph:
    """``masked`` with the mask's contour feathered, filled and exchanged."""
    workflow = masked(folder, reads)
    workflow.graph["feather"] = {
        "class_type": "FoxetalesContourFeather",
        "inputs": {"mask": ["mask", 0], "grow_px": 2, "feather_px": 12, **inputs},
    }
    return exchanged(workflow, filled(workflow, photo="job_1/a.npy", mask="job_1/b.npy"))


def test_the_contour_of_a_mask_that_is_read_reads_it_by_itself(tmp_path: Path) -> None:
    after = feathered(tmp_path, "red")
    assert after.prompt["feather"] == {
        "class_type": "FoxetalesReadContour",
        "inputs": {"image": "job_1/b.npy", "channel": "red", "grow_px": 2, "feather_px": 12},
    }
    assert classes(after)["mask"] == "FoxetalesReadMask"


def test_the_contour_of_another_mask_stays(tmp_path: Path) -> None:
    of_a_file = feathered(tmp_path / "file", "alpha")
    of_a_picture = feathered(tmp_path / "picture", "red", mask=["load", 1])
    for after in (of_a_file, of_a_picture):
        assert classes(after)["feather"] == "FoxetalesContourFeather"


def test_a_mask_of_alpha_keeps_its_file(tmp_path: Path) -> None:
    channel = {"node": "mask", "input": "channel", "type": "choice", "required": False}
    assert raw_slots(masked(tmp_path / "fixed", "alpha")) == {"photo"}
    assert raw_slots(masked(tmp_path / "free", "red", channel=channel)) == {"photo"}


def test_a_slot_of_another_node_keeps_its_file(tmp_path: Path) -> None:
    graph = tiny_graph()
    graph["load"]["class_type"] = "LoadImageOutput"
    workflow = load_workflow(write_workflow(tmp_path, graph))
    assert raw_slots(workflow) == frozenset()
    after = exchanged(workflow, filled(workflow, photo="job_1/a.png"))
    assert classes(after)["load"] == "LoadImageOutput"
    assert after.raw


@pytest.mark.parametrize(
    ("graph", "slots", "files"),
    [
        (tiny_identity_graph(), tiny_identity_slots(), {"photo": "job_1/a.npy"}),
        (portrait_graph(), portrait_slots(), {"person": "job_1/a.safetensors"}),
    ],
    ids=["makes one", "takes one"],
)
def test_identities_stay_files(
    tmp_path: Path, graph: Any, slots: Any, files: dict[str, str]
) -> None:
    workflow = load_workflow(write_workflow(tmp_path, graph, slots, slots["name"]))
    after = exchanged(workflow, filled(workflow, **files))
    unchanged = {"FoxetalesIdentitySave", "FoxetalesIdentityLoad"} & set(classes(after).values())
    assert unchanged
    assert after.raw == (workflow.makes == "image")


@pytest.mark.parametrize("name", RELEASED)
def test_released_workflows_hand_over_every_picture(name: str) -> None:
    workflow = load_workflow(REPOSITORY / f"workflows/{name}/v1.json")
    assert raw_slots(workflow) == RELEASED[name]
    pictures = {n for n, slot in workflow.spec.slots.items() if slot.type == "image"}
    assert raw_slots(workflow) == pictures
