"""What is found out before the first job: on fakes, and once on a real ComfyUI."""

import hashlib
import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handler.adapters.clock import SystemClock
from handler.comfy.engine import ComfyEngine
from handler.comfy.process import ComfyProcess
from handler.embedding_file import read_record
from handler.errors import ComfyStalled, NodeFailed, Unfit, WorkerError, WorkflowInvalid
from handler.exchange import DROP_INS
from handler.fitness import Demands, Fitness, nobody, picture
from handler.graph import FilledGraph, Workflows, load_workflows
from handler.models import HashCache, ModelFiles
from handler.ports import Clock, Comfy
from handler.settle import SETTLE_NODE
from handler.workflows.model_list import ListedModel
from tests.handler.conftest import REPOSITORY
from tests.handler.fakes import EPOCH, FakeClock, FakeComfy
from tests.handler.tiny import (
    portrait_graph,
    portrait_slots,
    tiny_graph,
    tiny_slots,
    write_workflow,
)

pytestmark = pytest.mark.anyio

CORE = frozenset({"LoadImage", "LoadImageMask", "ImageInvert", "SaveImage"})
IDENTITY = frozenset({"FoxetalesIdentityLoad", "FoxetalesIdentitySave"})
PULID = b"weights of PuLID"


class FakeEngine:
    """A ComfyUI process that runs, and has some node classes."""

    def __init__(self) -> None:
        self.alive = True
        self.classes = CORE | IDENTITY | DROP_INS | {SETTLE_NODE}

    def node_classes(self) -> frozenset[str]:
        return self.classes


class Gym:
    """The checks of a worker on fakes."""

    def __init__(
        self,
        workflows: Workflows,
        *required: tuple[str, int],
        comfy: FakeComfy | None = None,
        models: Path = Path("/nowhere"),
        **demands: Any,
    ) -> None:
        self.comfy = comfy or FakeComfy()
        self.engine = FakeEngine()
        listed = {("pulid", "p"): ListedModel("pulid", "p", "a" * 64, "MIT", "x")}
        self.fitness = Fitness(
            Demands(required, **{"size": 64, **demands}),
            workflows=workflows,
            models=ModelFiles(listed, [models], HashCache(models / "hashes.json")),
            engine=self.engine,
            comfy=self.comfy,
            clock=FakeClock(),
        )


class LookingComfy(FakeComfy):
    """Keeps the input files of each graph when it is rendered."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[dict[str, bytes]] = []

    def _made(self, graph: FilledGraph) -> bytes:
        self.seen.append({k: v for files in self.files.values() for k, v in files.items()})
        return super()._made(graph)


async def test_each_required_workflow_is_rendered_once_and_then_comfyui_settles(
    identity_workflows: Workflows,
) -> None:
    gym = Gym(identity_workflows, ("tiny", 1), ("tiny_identity", 1))
    with pytest.raises(Unfit, match="not rendered yet: tiny v1, tiny_identity v1"):
        gym.fitness.is_warm()
    await gym.fitness.warm_up()
    gym.fitness.is_warm()
    assert len(gym.comfy.graphs) == 2
    assert gym.comfy.settled_after == [2]
    assert gym.comfy.files == {}
    assert len(gym.comfy.discarded) == 2


async def test_without_required_workflows_comfyui_settles_and_nothing_else(
    workflows: Workflows,
) -> None:
    gym = Gym(workflows)
    await gym.fitness.warm_up()
    gym.fitness.is_warm()
    assert (gym.comfy.graphs, gym.comfy.settled_after) == ([], [0])


async def test_a_warm_up_that_is_off_is_not_missed(workflows: Workflows) -> None:
    gym = Gym(workflows, ("tiny", 1), warm_up=False)
    await gym.fitness.warm_up()
    gym.fitness.is_warm()
    assert (gym.comfy.graphs, gym.comfy.settled_after) == ([], [0])


async def test_a_comfyui_that_cannot_settle_keeps_the_worker_from_starting(
    workflows: Workflows,
) -> None:
    gym = Gym(workflows)
    gym.comfy.settle_failure = ComfyStalled("no progress")
    with pytest.raises(Unfit, match="ComfyUI can't settle: no progress"):
        await gym.fitness.warm_up()


async def test_pages_are_warmed_up_with_the_pixels_that_jobs_will_send(tmp_path: Path) -> None:
    graph, slots = tiny_graph(), tiny_slots()
    inputs = {"image": "m.png", "channel": "red"}
    graph["mask"] = {"class_type": "LoadImageMask", "inputs": inputs}
    graph["invert"]["inputs"]["title"] = "x"
    graph["invert"]["inputs"]["face_x"] = 512.0
    place = {"required": True}
    slots["slots"] |= {
        "person_mask": {"node": "mask", "input": "image", "type": "image", **place},
        "prompt": {"node": "invert", "input": "title", "type": "text", **place},
        "face_x": {"node": "invert", "input": "face_x", "type": "number", **place},
    }
    write_workflow(tmp_path, graph, slots)
    comfy = LookingComfy()
    await Gym(load_workflows(tmp_path), ("tiny", 1), comfy=comfy).fitness.warm_up()
    prompt = comfy.graphs[0].prompt
    assert comfy.graphs[0].raw
    assert prompt["load"]["class_type"] == "FoxetalesReadPixels"
    assert (prompt["invert"]["inputs"]["title"], prompt["invert"]["inputs"]["face_x"]) == (
        "warm-up",
        512.0,
    )
    photo, mask = (
        np.load(io.BytesIO(comfy.seen[0][f"{name}.npy"])) for name in ("photo", "person_mask")
    )
    assert photo.shape == mask.shape == (64, 64, 3)
    assert {int(value) for value in np.unique(photo)} == {128}
    assert (mask[32, 32, 0], mask[0, 0, 0]) == (255, 0)


async def test_an_identity_is_warmed_up_with_nobodys_for_the_pulid_file_that_is_there(
    tmp_path: Path,
) -> None:
    slots = portrait_slots()
    slots["models"] = [{"folder": "pulid", "file": "p"}]
    write_workflow(tmp_path / "workflows", portrait_graph(), slots, "portrait")
    (tmp_path / "pulid").mkdir()
    (tmp_path / "pulid/p").write_bytes(PULID)
    comfy = LookingComfy()
    gym = Gym(load_workflows(tmp_path / "workflows"), ("portrait", 1), comfy=comfy, models=tmp_path)
    await gym.fitness.warm_up()
    record = read_record(comfy.seen[0]["person.safetensors"])
    assert record.pulid_sha256 == hashlib.sha256(PULID).hexdigest()
    assert record.extracted_at == EPOCH


async def test_no_face_is_far_enough(workflows: Workflows) -> None:
    blank = NodeFailed("x", node="Extract", exception_message="no_face: there is no face")
    gym = Gym(workflows, ("tiny", 1), comfy=FakeComfy(blank))
    await gym.fitness.warm_up()
    gym.fitness.is_warm()


@pytest.mark.parametrize(
    "failure",
    [
        NodeFailed(
            "node 'Load' failed: weights", node="Load", exception_message="weights_unusable: x"
        ),
        ComfyStalled("no progress"),
    ],
)
async def test_a_workflow_that_cannot_be_rendered_keeps_the_worker_from_starting(
    workflows: Workflows, failure: WorkerError
) -> None:
    gym = Gym(workflows, ("tiny", 1), comfy=FakeComfy(failure))
    with pytest.raises(Unfit, match="the warm-up of tiny v1 failed: "):
        await gym.fitness.warm_up()
    assert len(gym.comfy.discarded) == 1


async def test_what_does_not_exist_cannot_be_required(workflows: Workflows) -> None:
    with pytest.raises(Unfit, match="tiny v9 is required, and there is no workflow"):
        Gym(workflows, ("tiny", 9)).fitness.models_are_right()


async def test_files_of_workflows_that_are_not_required_are_only_missed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slots = tiny_slots()
    slots["models"] = [{"folder": "pulid", "file": "p"}]
    write_workflow(tmp_path, slots=slots)
    workflows = load_workflows(tmp_path)
    Gym(workflows).fitness.models_are_right()
    Gym(workflows).fitness.note_missing_models()
    assert "tiny v1 lacks models: pulid/p" in caplog.text
    with pytest.raises(Unfit, match="pulid/p is missing"):
        Gym(workflows, ("tiny", 1)).fitness.models_are_right()


async def test_nodes_and_comfyui_itself_are_missed(workflows: Workflows) -> None:
    gym = Gym(workflows)
    gym.fitness.comfyui_is_up()
    gym.fitness.nodes_are_there()
    gym.engine.alive, gym.engine.classes = False, frozenset({"LoadImage"})
    with pytest.raises(Unfit, match="ComfyUI is not running"):
        gym.fitness.comfyui_is_up()
    with pytest.raises(WorkflowInvalid, match="which this ComfyUI does not have"):
        gym.fitness.nodes_are_there()


@pytest.mark.parametrize("node", ["FoxetalesReadMask", SETTLE_NODE])
async def test_an_older_node_pack_is_named(workflows: Workflows, node: str) -> None:
    gym = Gym(workflows)
    gym.engine.classes -= {node}
    with pytest.raises(Unfit, match=f"node pack lacks {node}"):
        gym.fitness.nodes_are_there()


def test_made_up_inputs_are_what_they_say() -> None:
    for is_mask in (False, True):
        with Image.open(io.BytesIO(picture(64, is_mask=is_mask))) as image:
            assert (image.size, image.mode) == ((64, 64), "RGB")
    assert read_record(nobody("b" * 64, EPOCH)).pulid_sha256 == "b" * 64


class RealEngine:
    """The shared ComfyUI as the checks see it."""

    def __init__(self, process: ComfyProcess) -> None:
        self._process = process

    @property
    def alive(self) -> bool:
        return self._process.alive

    def node_classes(self) -> frozenset[str]:
        return self._process.ensure_running().node_classes()


def real_fitness(
    workflows: Workflows, process: ComfyProcess, comfy: Comfy, clock: Clock, tmp_path: Path
) -> Fitness:
    return Fitness(
        Demands([(each.spec.name, each.spec.version) for each in workflows], size=1024),
        workflows=workflows,
        models=ModelFiles({}, [], HashCache(tmp_path / "hashes.json")),
        engine=RealEngine(process),
        comfy=comfy,
        clock=clock,
    )


@pytest.mark.comfyui
async def test_a_real_comfyui_warms_up_and_settles(
    comfy_process: ComfyProcess,
    engine: ComfyEngine,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    write_workflow(tmp_path / "workflows")
    draft = tmp_path / "workflows/storybook_page_draft"
    draft.symlink_to(REPOSITORY / "workflows/storybook_page_draft")
    workflows = load_workflows(tmp_path / "workflows")
    fitness = real_fitness(workflows, comfy_process, engine, SystemClock(), tmp_path)
    await fitness.warm_up()
    fitness.is_warm()
    fitness.comfyui_is_up()
    fitness.nodes_are_there()
    assert "tiny v1 is warm" in caplog.text
