"""Released workflows run on a real ComfyUI with tiny weights, and what their events say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from contract.job import SlotValue
from handler.graph import FilledGraph, Workflow, load_workflow
from tests.comfy_nodes.comfy import Comfy, Event
from tests.comfy_nodes.pictures import ASTRONAUT

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
SIZE = 128
"""Width and height of the test pages in pixels: a real one takes minutes on a CPU."""

PAGE = {"background": "background.png", "character": "character.png", "person_mask": "mask.png"}
"""The image slots of a storybook page."""

Picture = npt.NDArray[np.uint8]


def released(name: str, version: int = 1) -> Workflow:
    """A released workflow by its files."""
    return load_workflow(WORKFLOWS / name / f"v{version}.json")


def write_inputs(base: Path) -> None:
    """A photo and the art of two pages in the input folder of a ComfyUI's base directory."""
    folder = base / "input"
    (folder / "photo.png").write_bytes(ASTRONAUT.read_bytes())
    for seed, prefix in enumerate(("", "other_")):
        for name in ("background", "character"):
            random = np.random.default_rng([seed, len(name)])
            colours = random.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            art = cv2.resize(colours, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(folder / f"{prefix}{name}.png"), art)
        mask = np.zeros((SIZE, SIZE), np.uint8)
        cv2.circle(mask, (56 + 16 * seed, 64), 24, 255, -1)
        cv2.imwrite(str(folder / f"{prefix}mask.png"), mask)


@dataclass(frozen=True)
class Run:
    """A finished prompt: its graph and all its events."""

    filled: FilledGraph
    events: Sequence[Event]

    @property
    def executed(self) -> set[str]:
        """Ids of the nodes that ran, and were not taken from the cache."""
        begun = {event.data["node"] for event in self.events if event.type == "executing"}
        return begun - {None}

    @property
    def executed_classes(self) -> set[str]:
        """Classes of the nodes that ran."""
        return {self.filled.prompt[node]["class_type"] for node in self.executed}

    @property
    def sampling_steps(self) -> int:
        """How often samplers called the model, as the last progress of each tells: a newer ComfyUI
        doesn't pass on every step of a fast one."""
        samplers = {n for n in self.filled.prompt if self._class(n) == "KSampler"}
        told = [e.data for e in self.events if e.type == "progress" and e.data["node"] in samplers]
        return sum({step["node"]: step["value"] for step in told}.values())

    def file(self, comfy: Comfy) -> Path:
        """What the output node wrote."""
        assert self.events[-1].type == "execution_success", self.events[-1].data
        output = next(
            event.data["output"]
            for event in self.events
            if event.type == "executed" and event.data["node"] == self.filled.output_node
        )
        (entry,) = next(iter(output.values()))
        path: Path = comfy.base / entry["type"] / entry["subfolder"] / entry["filename"]
        return path

    def picture(self, comfy: Comfy) -> Picture:
        """The saved page, uint8 [H, W, 3]."""
        pixels = cv2.imread(str(self.file(comfy)))
        assert pixels is not None
        return np.asarray(pixels, dtype=np.uint8)

    def failure(self) -> dict[str, Any]:
        """What ComfyUI says of the error that ended it."""
        assert self.events[-1].type == "execution_error", self.events[-1].data
        return self.events[-1].data

    def _class(self, node: str) -> str:
        return str(self.filled.prompt[node]["class_type"])


def run(
    comfy: Comfy,
    workflow: Workflow,
    files: Mapping[str, str],
    *,
    seed: int = 1,
    prefix: str = "run/page",
    **values: SlotValue,
) -> Run:
    """Fill a workflow as the worker does, and run it to its end."""
    filled = workflow.fill(values, files, filename_prefix=prefix, seed=seed)
    return Run(filled, comfy.run(filled.prompt))


def identity_file(comfy: Comfy, name: str = "identity.safetensors") -> str:
    """Run the released extraction and put its file among the inputs; its name there."""
    made = run(comfy, released("identity"), {"photo": "photo.png"}, prefix="run/identity")
    (comfy.base / "input" / name).write_bytes(made.file(comfy).read_bytes())
    return name
