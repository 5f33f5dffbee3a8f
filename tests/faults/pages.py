"""Small pages that take a fixed time and no processor: workflows, art, jobs."""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from benchmarks.overhead.graphs import ROOT
from contract.job import ObjectRef, PagesJob, PageTask, WorkflowRef
from contract.keys import page_key, template_key
from handler.ports import ObjectStore
from tests.handler.tiny import write_workflow

SHORT, LONG, LARGE, DEADLY = "short_page", "long_page", "large_page", "deadly_page"
NODES: Final = {SHORT: 1, LONG: 10, LARGE: 10, DEADLY: 1}
"""How many nodes of a page take time; between two of them ComfyUI can be interrupted."""

NODE_S: Final = {SHORT: 0.3, LONG: 0.15, LARGE: 0.1, DEADLY: 0.5}
NUMBERS: Final = range(1, 5)
"""The pages that there is art for."""

_EDGE: Final = {SHORT: 64, LONG: 64, LARGE: 512, DEADLY: 64}
_FIXED_TIME = ROOT / "benchmarks" / "overhead" / "nodes" / "fixed_time"
_DEADLY = Path(__file__).with_name("nodes") / "deadly"


def write_workflows(folder: Path) -> None:
    """Each loads its art, works on it for a while, and saves it. A page of ``DEADLY`` has a slot
    ``text`` besides, and ends ComfyUI if that is ``deadly``."""
    for name, count in NODES.items():
        graph, slots = _graph(count, NODE_S[name]), _slots(name)
        if name == DEADLY:
            graph["end"] = _node("EndIf", image=graph["save"]["inputs"]["images"], text="")
            graph["save"]["inputs"]["images"] = ["end", 0]
            text = {"node": "end", "input": "text", "type": "text", "required": False}
            slots["slots"]["text"] = text
        write_workflow(folder, graph, slots, name)


def link_nodes(base: Path) -> None:
    """Put the nodes of these pages into a ComfyUI's base directory."""
    folder = base / "custom_nodes"
    folder.mkdir(parents=True)
    for nodes in (_FIXED_TIME, _DEADLY):
        (folder / nodes.name).symlink_to(nodes, target_is_directory=True)


def write_art(store: ObjectStore) -> None:
    """Noise, another for each page: it can't be compressed, or taken for another's."""
    for name, edge in _EDGE.items():
        for number in NUMBERS:
            pixels = np.random.default_rng(number).integers(0, 255, (edge, edge, 3), np.uint8)
            png = cv2.imencode(".png", pixels)[1].tobytes()
            store.put(_art_key(name, number), png, "image/png")


def pages_job(
    owner: str, name: str = SHORT, pages: int = len(NUMBERS), deadly: int | None = None
) -> PagesJob:
    """The first ``pages`` pages of a workflow, for an owner of their own. The page ``deadly``
    ends ComfyUI."""
    tasks = [
        PageTask(
            page_number=number,
            output_key=page_key(owner, number),
            seed=number,
            slots={"text": "deadly"} if number == deadly else {},
            assets={"background": ObjectRef(key=_art_key(name, number))},
        )
        for number in NUMBERS[:pages]
    ]
    workflow = WorkflowRef(name=name, version=1)
    return PagesJob(job_id=owner, workflow=workflow, pages=tasks, deadline_s=120)


def base_files(base: Path) -> list[Path]:
    """Every file in the folders that pictures pass through."""
    folders = [base / name for name in ("input", "output", "temp")]
    return [path for folder in folders for path in folder.rglob("*") if not path.is_dir()]


def _art_key(name: str, number: int) -> str:
    return template_key(name, number, "background")


def _graph(count: int, seconds: float) -> dict[str, Any]:
    graph: dict[str, Any] = {"load": _node("LoadImage", image="page.png")}
    previous = "load"
    for number in range(count):
        node = f"work_{number}"
        graph[node] = _node("FixedImage", image=[previous, 0], seconds=seconds)
        previous = node
    graph["save"] = _node("SaveImage", images=[previous, 0], filename_prefix="page")
    return graph


def _slots(name: str) -> dict[str, Any]:
    prefix = {"node": "save", "input": "filename_prefix", "type": "text", "required": True}
    return {
        "name": name,
        "version": 1,
        "label": "test",
        "slots": {
            "background": {"node": "load", "input": "image", "type": "image", "required": True},
            "filename_prefix": prefix,
        },
        "outputs": {"page": {"node": "save"}},
    }


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}
