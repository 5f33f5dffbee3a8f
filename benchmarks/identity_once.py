"""How often a book's identity is extracted: with an identity job first, and without one.

``python -m benchmarks.identity_once`` starts RunPod's stand-in and three real workers, each with
a real ComfyUI on the CPU and tiny random weights, and has them render 35 small pages in three
jobs, once after an identity job and once without. The workflows are the released ones but for the
sampler, which takes one step. It needs about 16 GB of memory.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.overhead.endpoint import DEADLINE_S, Endpoint
from contract.job import IdentityJob, IdentitySource, ObjectRef, PagesJob, PageTask, WorkflowRef
from contract.keys import TEMPLATE_ASSETS, embedding_key, page_key, photo_key, template_key
from contract.result import JobResult
from handler.graph import load_workflow
from sandbox.stack import ROOT, Stack
from storage.folder import FolderStore
from tests.comfy_nodes.pictures import ASTRONAUT
from tests.tiny_weights import TINY_MODELS, make
from tests.tiny_weights.comfy import link_test_nodes

WORKERS, PAGES, SIZE = 3, 35, 64


@dataclass(frozen=True)
class Book:
    """What one way of rendering the book came to."""

    way: str
    extractions: int
    pages: int
    seconds: float


def main() -> int:
    """Measure, print a table and write JSON; the status says whether the goal was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "benchmarks")
    told = parser.parse_args()
    make()
    with tempfile.TemporaryDirectory(prefix="foxetales-bench-") as folder:
        books = measure(Path(folder))
    report(books, told.out)
    return 0 if books[0].extractions == 1 else 1


def measure(folder: Path) -> list[Book]:
    """Both ways, one after the other, on the same three workers."""
    stack = Stack(
        state_dir=folder / "state",
        environ=os.environ,
        workers=WORKERS,
        models_dir=TINY_MODELS,
        face_min_area_percent=3.0,
        extra={
            "WORKFLOWS_DIR": str(one_step_workflows(folder / "workflows")),
            "FACE_MODEL_PATH": str(ROOT / "build/models/face_detection/centerface.onnx"),
        },
    )
    for name in stack.worker_names():
        link_test_nodes(stack.state / "comfyui" / name)
    write_inputs(FolderStore(stack.state / "store"))
    with stack.up():
        endpoint = Endpoint(stack)
        return [
            book(endpoint, "identity job first", "a", first=True),
            book(endpoint, "pages alone", "b", first=False),
        ]


def book(endpoint: Endpoint, way: str, owner: str, *, first: bool) -> Book:
    """Render the book in one job a worker, after an identity job if ``first``."""
    source = IdentitySource(
        photo=ObjectRef(key=photo_key("photo")),
        embedding_key=embedding_key(owner),
        workflow=WorkflowRef(name="identity", version=1),
    )
    began = time.perf_counter()
    results: list[JobResult] = []
    if first:
        job = IdentityJob(job_id=f"{owner}-identity", identity=source, deadline_s=DEADLINE_S)
        results += endpoint.results([job])
    shards = [list(range(1, PAGES + 1))[shard::WORKERS] for shard in range(WORKERS)]
    jobs = [pages_job(f"{owner}-{n}", owner, numbers, source) for n, numbers in enumerate(shards)]
    results += endpoint.results(jobs)
    extractions = sum(r.identity is not None and r.identity.extracted for r in results)
    pages = sum(len(result.pages) for result in results)
    return Book(way, extractions, pages, time.perf_counter() - began)


def pages_job(job_id: str, owner: str, numbers: list[int], source: IdentitySource) -> PagesJob:
    """One shard of the book."""
    assets: dict[str, ObjectRef] = {
        asset: ObjectRef(key=template_key("bench", 1, asset)) for asset in TEMPLATE_ASSETS
    }
    tasks = [
        PageTask(page_number=n, output_key=page_key(owner, n), seed=n, assets=assets)
        for n in numbers
    ]
    return PagesJob(
        job_id=job_id,
        workflow=WorkflowRef(name="storybook_page", version=1),
        pages=tasks,
        identity=source,
        deadline_s=DEADLINE_S,
    )


def one_step_workflows(folder: Path) -> Path:
    """The released workflows with a sampler of one step: the pages don't count here."""
    for name in ("identity", "storybook_page"):
        shutil.copytree(ROOT / "workflows" / name, folder / name)
    path = folder / "storybook_page" / "v1.json"
    workflow = load_workflow(path)
    workflow.graph[workflow.spec.slots["quality"].node]["inputs"]["steps"] = 1
    path.write_text(json.dumps(workflow.graph))
    slots = path.with_suffix(".slots.json")
    spec = json.loads(slots.read_text())
    spec["slots"]["quality"]["values"] = {"standard": 1, "fast": 1}
    slots.write_text(json.dumps(spec))
    return folder


def write_inputs(store: FolderStore) -> None:
    """A photo and the art of one small page."""
    store.put(photo_key("photo"), ASTRONAUT.read_bytes(), "image/png")
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.circle(mask, (SIZE // 2, SIZE // 2), SIZE // 4, 255, -1)
    colours = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
    art = {"background": colours, "character": colours[::-1].copy(), "person_mask": mask}
    for asset in TEMPLATE_ASSETS:
        encoded = cv2.imencode(".png", art[asset])[1].tobytes()
        store.put(template_key("bench", 1, asset), encoded, "image/png")


def report(books: Sequence[Book], out: Path) -> None:
    """A table on the screen, and the same as JSON."""
    table = Table(title=f"{PAGES} pages on {WORKERS} workers: how often the identity is extracted")
    for heading in ("way", "extractions", "pages", "seconds"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for made in books:
        table.add_row(made.way, str(made.extractions), str(made.pages), f"{made.seconds:.0f}")
    Console().print(table)
    out.mkdir(parents=True, exist_ok=True)
    rows = [vars(made) for made in books]
    (out / "identity_once.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
