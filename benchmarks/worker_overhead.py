"""How much of a book's time the GPU works, and what the worker costs.

``python -m benchmarks.worker_overhead`` renders 35 pages on a real ComfyUI whose GPU nodes are
exchanged for nodes that take a fixed time and no processor: two seconds a page. Beside the worker
a plain loop does the same in the same run: submit, wait, view, base64, upload, one page after the
other. Both are measured with load → work → save, and with the storybook page's whole graph. Then
come what the GPU waits for, node by node; 35 pages on 1, 2 and 4 workers; the memory of a worker
over 200 pages; what importing the worker costs, and its start.
"""

import argparse
import asyncio
import base64
import json
import logging
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import requests
import websocket
from rich.console import Console
from rich.table import Table

from benchmarks.overhead.boot import Boot
from benchmarks.overhead.endpoint import Endpoint
from benchmarks.overhead.graphs import ROOT, SHORT, WHOLE, write_workflows
from benchmarks.overhead.waits import waits_by_node
from contract.job import IdentitySource, ObjectRef, PagesJob, PageTask, WorkflowRef
from contract.keys import TEMPLATE_ASSETS, embedding_key, page_key, photo_key, template_key
from contract.result import JobResult
from contract.signing import new_secret
from handler.build import Services, build
from handler.settings import read_settings
from sandbox.stack import Stack
from sandbox.supervisor import Process, Supervisor
from storage.folder import FolderStore
from tests.comfy_nodes.pictures import ASTRONAUT
from tests.tiny_weights import TINY_MODELS, make
from tests.tiny_weights.comfy import link_test_nodes

PAGES, PAGE_S, SIZE = 35, 2.0, 1024
WARM_PAGES = range(900, 908)
MEMORY_PAGES, MEMORY_PAGE_S = 200, 0.25
BOOK = "bench"
FIXED_TIME = Path(__file__).with_name("overhead") / "nodes" / "fixed_time"
NODE_TIMES = FIXED_TIME.with_name("node_times")
NODES_PAGES, BOOTS = 12, 3
PARTS = ["busy", "nodes", "scale", "memory", "start", "boot"]


@dataclass(frozen=True)
class Run:
    """One book: share of the time from the first page's work to the last one's that the GPU
    worked, and milliseconds a page that it didn't."""

    way: str
    graph: str
    pages: int
    busy: float
    overhead_ms: float
    seconds: float


def main() -> int:
    """Measure what is asked for, print tables and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "benchmarks")
    parser.add_argument("--pages", type=int, default=PAGES)
    parser.add_argument("--only", choices=PARTS, action="append")
    told = parser.parse_args()
    logging.disable(logging.INFO)
    parts = told.only or PARTS
    make()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="foxetales-bench-") as folder:
        if "busy" in parts:
            found["busy"] = [asdict(run) for run in _busy(Path(folder) / "busy", told.pages)]
        if "nodes" in parts:
            found["nodes"] = _nodes(Path(folder) / "nodes")
        if "scale" in parts:
            found["scale"] = [asdict(made) for made in _scale(Path(folder), told.pages)]
        if "memory" in parts:
            found["memory"] = _memory(Path(folder) / "memory")
        if "start" in parts:
            found["start"] = _start()
        if "boot" in parts:
            found["boot"] = [asdict(boot) for boot in _boots(Path(folder))]
    told.out.mkdir(parents=True, exist_ok=True)
    (told.out / "worker_overhead.json").write_text(json.dumps(found, indent=2) + "\n")
    return 0


class Bench:
    """A worker in this process with a real ComfyUI, and a log of when its GPU worked."""

    def __init__(self, folder: Path, stack: ExitStack, page_s: float, pages: int) -> None:
        folder.mkdir(parents=True)
        self._log = folder / "fixed_time.log"
        self.node_times = folder / "node_times.log"
        base = folder / "comfyui"
        link_test_nodes(base)
        link_nodes(base, FIXED_TIME, NODE_TIMES)
        environ = {
            "PATH": os.environ["PATH"],
            "OBJECT_STORE_URL": (folder / "store").as_uri(),
            "COMFYUI_BASE_DIR": str(base),
            "COMFYUI_MODELS_DIR": str(TINY_MODELS),
            "COMFYUI_DEVICE": "cpu",
            "WORKFLOWS_DIR": str(write_workflows(folder / "workflows", page_s)),
            "FIXED_TIME_LOG": str(self._log),
            "NODE_TIMES_LOG": str(self.node_times),
            "CALLBACK_URL": stack.enter_context(receiver()),
            "CALLBACK_SECRET": new_secret(),
        }
        self.base = base
        self._loop = stack.enter_context(asyncio.Runner())  # one loop, as the SDK has
        self.store = FolderStore(folder / "store")
        write_art(self.store, pages)
        self.services: Services = build(read_settings(environ), stack)
        self.services.process.ensure_running()

    def worked(self) -> list[tuple[float, float]]:
        """Begin and end of each piece of work since the last time this was asked."""
        worked = _worked(self._log)
        self._log.unlink(missing_ok=True)
        return worked

    def render(self, name: str, pages: Sequence[int], owner: str) -> JobResult:
        """Have the worker render pages."""
        job = pages_job(self.store, name, pages, owner)
        raw = {"id": owner, "input": job.model_dump(mode="json")}
        answer = self._loop.run(self.services.worker.handle(raw))
        if answer.get("status") != "completed":
            raise RuntimeError(str(answer["error"])[:2000])
        return JobResult.model_validate(answer)

    def warm_up(self, name: str) -> None:
        """Load models and fill caches, and let ComfyUI settle, as a worker does at its start."""
        self.render(name, WARM_PAGES[:3], f"warm-{name}")
        self._loop.run(self.services.fitness.warm_up())

    def plain_loop(self, name: str, pages: Sequence[int], owner: str) -> None:
        """The same pages as most handlers do it."""
        workflow = self.services.workflows.get(name, 1)
        client = self.services.process.ensure_running()
        arguments = client.command_line()
        loop = PlainLoop(f"127.0.0.1:{arguments[arguments.index('--port') + 1]}", self.store)
        folder = self.base / "input"
        if workflow.identity_slot:
            embedding = self.store.get(embedding_key("child"), 1 << 20)
            (folder / "identity.safetensors").write_bytes(embedding)
        for number in pages:
            files = {}
            for slot, ref in assets_of(self.store, name, number).items():
                files[slot] = loop.upload(
                    ref.key.replace("/", "_"), self.store.get(ref.key, 1 << 25)
                )
            if workflow.identity_slot:
                files[workflow.identity_slot] = "identity.safetensors"
            filled = workflow.fill({}, files, filename_prefix=f"{owner}/{number}", seed=number)
            loop.page(filled.prompt, filled.output_node, page_key(owner, number))


class _Receiver(BaseHTTPRequestHandler):
    """Takes status callbacks, as the gateway does."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def receiver() -> Iterator[str]:
    """The address of a server for status callbacks."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/status"
        server.shutdown()


class PlainLoop:
    """Submit, wait, view, base64, upload."""

    def __init__(self, address: str, store: FolderStore) -> None:
        self._address = address
        self._store = store

    def upload(self, name: str, data: bytes) -> str:
        """Give ComfyUI an input file."""
        answer = requests.post(
            f"http://{self._address}/upload/image",
            files={"image": (name, data, "image/png")},
            data={"overwrite": "true"},
            timeout=30,
        )
        return str(answer.json()["name"])

    def page(self, graph: dict[str, Any], output: str, key: str) -> None:
        """Render one page to its end."""
        client, address = uuid.uuid4().hex, self._address
        socket = websocket.create_connection(f"ws://{address}/ws?clientId={client}", timeout=60)
        answer = requests.post(
            f"http://{address}/prompt", json={"prompt": graph, "client_id": client}, timeout=60
        )
        prompt = answer.json()["prompt_id"]
        while True:
            message = socket.recv()
            event = json.loads(message) if isinstance(message, str) else {}
            data = event.get("data", {})
            if event.get("type") == "execution_error":
                raise RuntimeError(str(data.get("exception_message")))
            if event.get("type") == "executing" and data.get("node") is None:
                break
        socket.close()
        history = requests.get(f"http://{address}/history/{prompt}", timeout=60).json()[prompt]
        image = history["outputs"][output]["images"][0]
        png = requests.get(f"http://{address}/view", params=image, timeout=60).content
        self._store.put(key, base64.b64decode(base64.b64encode(png)), "image/png")


def write_art(store: FolderStore, pages: int) -> None:
    """A photo, and art for every page: what ComfyUI has seen before, it doesn't do again."""
    store.put(photo_key("child"), ASTRONAUT.read_bytes(), "image/png")
    random = np.random.default_rng(0)
    coarse = random.integers(0, 255, (24, 24, 3), dtype=np.uint8)
    grain = random.normal(0, 4, (SIZE, SIZE, 3))
    paper = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) + grain
    for number in (*range(pages), *WARM_PAGES):
        for turn, asset in enumerate(TEMPLATE_ASSETS):
            moved = np.roll(paper, (7 * number, 300 * turn), axis=(0, 1))
            art = np.clip(moved, 0, 255).astype(np.uint8)
            if asset == "person_mask":
                art = np.zeros((SIZE, SIZE), np.uint8)
                cv2.ellipse(art, (412 + number % 200, 560), (180, 320), 0, 0, 360, 255, -1)
            encoded = cv2.imencode(".png", art)[1].tobytes()
            store.put(template_key(BOOK, number, asset), encoded, "image/png")


def assets_of(store: FolderStore, name: str, number: int) -> dict[str, ObjectRef]:
    """The art of a page: every page has another than the one before."""
    refs = {}
    for asset in TEMPLATE_ASSETS if name == WHOLE else TEMPLATE_ASSETS[:1]:
        key = template_key(BOOK, number, asset)
        refs[str(asset)] = ObjectRef(key=key, sha256=sha256(store.get(key, 1 << 25)).hexdigest())
    return refs


def pages_job(store: FolderStore, name: str, pages: Sequence[int], owner: str) -> PagesJob:
    """The message of a job."""
    identity = IdentitySource(
        photo=ObjectRef(key=photo_key("child")),
        embedding_key=embedding_key("child"),
        workflow=WorkflowRef(name="identity", version=1),
    )
    tasks = [
        PageTask(
            page_number=n, output_key=page_key(owner, n), seed=n, assets=assets_of(store, name, n)
        )
        for n in pages
    ]
    return PagesJob(
        job_id=owner,
        workflow=WorkflowRef(name=name, version=1),
        pages=tasks,
        identity=identity if name == WHOLE else None,
        deadline_s=3600,
    )


def _busy(folder: Path, pages: int) -> list[Run]:
    runs = []
    with ExitStack() as stack:
        bench = Bench(folder, stack, PAGE_S, pages)
        for name in (SHORT, WHOLE):
            bench.warm_up(name)
            for way in ("worker", "plain loop"):
                bench.worked()
                began = time.monotonic()
                render = bench.render if way == "worker" else bench.plain_loop
                render(name, range(pages), f"{way.replace(' ', '-')}-{name}")
                runs.append(_run(way, name, pages, bench.worked(), time.monotonic() - began))
    _print_busy(runs)
    return runs


def _run(
    way: str, name: str, pages: int, worked: Sequence[tuple[float, float]], seconds: float
) -> Run:
    wall = worked[-1][1] - worked[0][0]
    busy = sum(end - begin for begin, end in worked)
    return Run(way, name, pages, busy / wall, (wall - busy) * 1000 / (pages - 1), seconds)


def _print_busy(runs: Sequence[Run]) -> None:
    table = Table(title=f"pages of {PAGE_S:g} s: how much of the time the GPU works")
    for heading in ("graph", "way", "pages", "busy", "idle ms a page", "seconds"):
        table.add_column(heading, justify="left" if heading in ("graph", "way") else "right")
    for run in runs:
        table.add_row(
            run.graph, run.way, str(run.pages), f"{run.busy:.1%}", f"{run.overhead_ms:.0f}",
            f"{run.seconds:.0f}",
        )  # fmt: skip
    Console().print(table)


def _nodes(folder: Path) -> dict[str, float]:
    """Milliseconds a page that each node keeps the GPU waiting, in the whole graph."""
    with ExitStack() as stack:
        bench = Bench(folder, stack, PAGE_S, NODES_PAGES)
        bench.warm_up(WHOLE)
        bench.node_times.write_text("")
        bench.render(WHOLE, range(NODES_PAGES), "nodes")
        times = bench.node_times.read_text()
    waits = waits_by_node(times)
    table = Table(title=f"the GPU waits for: milliseconds a page, median of {NODES_PAGES} pages")
    table.add_column("node")
    table.add_column("ms", justify="right")
    for name, ms in waits.items():
        table.add_row(name, f"{ms:.1f}")
    Console().print(table)
    return waits


@dataclass(frozen=True)
class Scale:
    """A book on several workers: seconds from the first page's work to the last one's end."""

    workers: int
    pages: int
    seconds: float
    ideal: float


def _scale(folder: Path, pages: int) -> list[Scale]:
    made = [_on_workers(folder / f"scale_{workers}", workers, pages) for workers in (1, 2, 4)]
    table = Table(title=f"{pages} pages of {PAGE_S:g} s on several workers")
    for heading in ("workers", "seconds", "ideal", "ratio"):
        table.add_column(heading, justify="right")
    for each in made:
        ratio = each.seconds / each.ideal
        table.add_row(str(each.workers), f"{each.seconds:.1f}", f"{each.ideal:.1f}", f"{ratio:.3f}")
    Console().print(table)
    return made


def _on_workers(folder: Path, workers: int, pages: int) -> Scale:
    """The unmodified SDK's worker processes, each with a ComfyUI, on RunPod's stand-in."""
    with ExitStack() as running:
        stack, log = _stack(folder, workers, CALLBACK_URL=running.enter_context(receiver()))
        store = FolderStore(stack.state / "store")
        write_art(store, pages)
        shards = [range(shard, pages, workers) for shard in range(workers)]
        running.enter_context(Supervisor(_without_gateway(stack)))
        endpoint = Endpoint(stack)
        warm = [
            pages_job(store, SHORT, WARM_PAGES[2 * n : 2 * n + 2], f"warm-{n}")
            for n in range(workers)
        ]
        endpoint.results(warm)
        log.unlink()
        endpoint.results([pages_job(store, SHORT, s, f"book-{n}") for n, s in enumerate(shards)])
    worked = _worked(log)
    seconds = max(end for _, end in worked) - min(begin for begin, _ in worked)
    return Scale(workers, pages, seconds, math.ceil(pages / workers) * PAGE_S)


def _stack(folder: Path, workers: int, **extra: str) -> tuple[Stack, Path]:
    """A stack whose GPU nodes take a fixed time, and the log of when they worked."""
    folder.mkdir(parents=True)
    log = folder / "fixed_time.log"
    stack = Stack(
        state_dir=folder / "state",
        environ=os.environ,
        workers=workers,
        models_dir=TINY_MODELS,
        extra={
            "WORKFLOWS_DIR": str(write_workflows(folder / "workflows", PAGE_S)),
            "FIXED_TIME_LOG": str(log),
            "INPUT_CACHE_DIR": str(folder / "cache"),
            **extra,
        },
    )
    for name in stack.worker_names():
        link_nodes(stack.state / "comfyui" / name, FIXED_TIME)
    return stack, log


def _without_gateway(stack: Stack) -> list[Process]:
    """The processes of a stack that render: jobs come from here, and status callbacks go here."""
    for name in ("home", "logs"):
        (stack.state / name).mkdir()
    return [process for process in stack.processes() if process.name != "gateway"]


def link_nodes(base: Path, *packs: Path) -> None:
    """Put node packs into a base directory."""
    folder = base / "custom_nodes"
    folder.mkdir(parents=True, exist_ok=True)
    for pack in packs:
        (folder / pack.name).symlink_to(pack, target_is_directory=True)


def _worked(log: Path) -> list[tuple[float, float]]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [(float(begin), float(end)) for begin, end in map(str.split, lines)]


def _memory(folder: Path) -> dict[str, float]:
    """Resident bytes of the worker's process, beside the first 50 pages and beside the last."""
    process, samples = psutil.Process(), []
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(0.1):
            samples.append((time.monotonic(), process.memory_info().rss))

    with ExitStack() as stack:
        bench = Bench(folder, stack, MEMORY_PAGE_S, MEMORY_PAGES)
        bench.warm_up(SHORT)
        watcher = threading.Thread(target=sample)
        watcher.start()
        began = time.monotonic()
        bench.render(SHORT, range(MEMORY_PAGES), "memory")
        quarter = (time.monotonic() - began) / 4
        stop.set()
        watcher.join()
    first = statistics.median(rss for at, rss in samples if at < began + quarter)
    last = statistics.median(rss for at, rss in samples if at > began + 3 * quarter)
    Console().print(
        f"memory over {MEMORY_PAGES} pages: {first / 1e6:.0f} MB beside the first quarter, "
        f"{last / 1e6:.0f} MB beside the last ({last / first - 1:+.1%})"
    )
    return {"first_bytes": first, "last_bytes": last}


def _start() -> dict[str, float]:
    """Seconds to import the worker, and of that the SDK."""
    seconds = {}
    for module in ("handler.worker", "handler.__main__", "runpod"):
        times = []
        for _ in range(3):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], cwd=ROOT, check=True)
            times.append(time.perf_counter() - began)
        seconds[module] = min(times)
    Console().print(
        "seconds to start Python and import: "
        + ", ".join(f"{name} {value:.2f}" for name, value in seconds.items())
    )
    return seconds


def _boots(folder: Path) -> list[Boot]:
    """A worker's start, several times: the median of each part, and the sum but for ComfyUI."""
    boots = [_boot(folder / f"boot_{number}") for number in range(BOOTS)]
    table = Table(title="seconds from the worker's start to the first job")
    for heading in ("before ComfyUI", "ComfyUI's boot", "until ready", "until the job", "beyond"):
        table.add_column(heading, justify="right")
    for boot in boots:
        parts = (boot.before, boot.comfyui, boot.ready, boot.taken, boot.beyond)
        table.add_row(*(f"{part:.2f}" for part in parts))
    Console().print(table)
    return boots


def _boot(folder: Path) -> Boot:
    """Start one worker process of the unmodified SDK; its job is queued before it starts."""
    with ExitStack() as running:
        stack, _ = _stack(folder, 1, CALLBACK_URL=running.enter_context(receiver()))
        store = FolderStore(stack.state / "store")
        write_art(store, 1)
        control_plane, worker = _without_gateway(stack)
        running.enter_context(Supervisor([control_plane]))
        job = Endpoint(stack).submit(pages_job(store, SHORT, [0], "boot"))
        began = time.time()
        running.enter_context(Supervisor([worker]))
        Endpoint(stack).result(job)
    return Boot.of(worker.log, began)


if __name__ == "__main__":
    sys.exit(main())
