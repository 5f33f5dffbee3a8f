"""The real ComfyUI, on the CPU: client, process and engine together."""

import asyncio
import copy
import os
import signal
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from contract.errors import ErrorCode
from contract.result import JobResult
from contract.status import JobStatus
from handler.adapters.clock import SystemClock
from handler.comfy.client import ComfyClient
from handler.comfy.engine import ComfyEngine
from handler.comfy.files import ComfyFiles
from handler.comfy.process import ComfyProcess
from handler.errors import (
    ComfyBootFailed,
    NodeFailed,
    OutputMissing,
    PromptRejected,
    WorkflowInvalid,
)
from handler.graph import FilledGraph, Workflows, load_workflows
from handler.ports import Step
from handler.worker import Worker
from storage.folder import FolderStore
from tests.comfyui_checkout import COMFYUI
from tests.handler.conftest import REPOSITORY, comfy_options
from tests.handler.fakes import FakeClock, RecordingSink, job_input, png
from tests.handler.left_files import left_behind
from tests.handler.tiny import blank_graph, slow_graph, tiny_graph, tiny_slots, write_workflow

pytestmark = [pytest.mark.anyio, pytest.mark.comfyui]


def filled(graph: dict[str, Any], output: str = "save") -> FilledGraph:
    titles = {node: value["class_type"] for node, value in graph.items()}
    return FilledGraph(copy.deepcopy(graph), output, titles)


def fresh_name() -> str:
    return f"job_{uuid.uuid4().hex}"


def ignore(_: Step) -> None:
    """Progress is of no interest."""


def worker_on(
    engine: ComfyEngine, store: FolderStore, workflows: Workflows, sink: RecordingSink
) -> Worker:
    return Worker(
        comfy=engine,
        store=store,
        workflows=workflows,
        open_sink=lambda _: sink,
        clock=SystemClock(),
    )


async def test_a_job_renders_stores_and_leaves_nothing_behind(
    engine: ComfyEngine, comfy_files: ComfyFiles, workflows: Workflows, tmp_path: Path
) -> None:
    store, sink = FolderStore(tmp_path / "store"), RecordingSink()
    store.put("photos/x/original.jpg", png("white", (40, 30)), "image/png")
    worker = worker_on(engine, store, workflows, sink)
    answer = await worker.handle({"id": "r", "input": job_input(pages=2)})
    assert JobResult.model_validate(answer).status is JobStatus.COMPLETED
    for number in (1, 2):
        data = store.get(f"pages/p1/page_{number:02d}.png", 10_000)
        with Image.open(BytesIO(data)) as page:
            assert (page.size, page.getpixel((5, 5))) == ((40, 30), (0, 0, 0))
            assert set(page.info) == {"foxetales"}  # our own note, and no prompt
    assert left_behind(comfy_files.root) == []


async def test_a_job_delivered_twice_completes_twice(
    engine: ComfyEngine, workflows: Workflows, tmp_path: Path
) -> None:
    store, sink = FolderStore(tmp_path / "store"), RecordingSink()
    store.put("photos/x/original.jpg", png(), "image/png")
    worker = worker_on(engine, store, workflows, sink)
    for _ in range(2):
        answer = await worker.handle({"id": "r", "input": job_input()})
        assert "error" not in answer or answer["error"] is None


async def test_an_identical_graph_makes_no_file_and_the_error_says_so(engine: ComfyEngine) -> None:
    graph = filled(blank_graph(color=77))
    graph.prompt["save"]["inputs"]["filename_prefix"] = f"{fresh_name()}/page"
    await engine.render(graph, ignore)
    with pytest.raises(OutputMissing, match="cache"):
        await engine.render(graph, ignore)


async def test_progress_goes_through_the_nodes(engine: ComfyEngine) -> None:
    graph = slow_graph(f"{fresh_name()}/page", nodes=2)
    graph["paint"]["inputs"]["width"] = graph["paint"]["inputs"]["height"] = 64
    steps: list[Step] = []
    await engine.render(filled(graph), steps.append)
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert [s.title for s in steps if s.title == "ImageBlur"]


async def test_a_prompts_id_is_a_uuid_in_full_form(
    engine: ComfyEngine, comfy_client: ComfyClient
) -> None:
    """Newer ComfyUIs refuse every other."""
    ids: set[str] = set()

    def look(_: Step) -> None:
        ids.update(entry[1] for entry in comfy_client._get("/queue")["queue_running"])

    await engine.render(filled(slow_graph(f"{fresh_name()}/page", nodes=3)), look)
    assert [str(uuid.UUID(name)) for name in ids] == list(ids)
    assert len(ids) == 1


def test_a_rejected_graph_names_node_and_input(comfy_client: ComfyClient) -> None:
    with pytest.raises(PromptRejected, match=r"load .*LoadImage.*'image'") as rejection:
        comfy_client.submit(filled(tiny_graph()), prompt_id=str(uuid.uuid4()), client_id="t")
    assert (rejection.value.node, rejection.value.input) == ("load", "image")
    assert rejection.value.code is ErrorCode.WORKFLOW_REJECTED


@pytest.mark.parametrize(
    ("node", "inputs", "words"),
    [
        ("paint", {"width": -5}, "paint.*'width'.*value_smaller_than_min"),
        ("paint", {"width": "wide"}, "paint.*'width'.*invalid_input_type"),
        ("save", {"images": ["paint", 0]}, "save.*'filename_prefix'.*required_input_missing"),
    ],
)
def test_a_wrong_value_names_its_input(
    comfy_client: ComfyClient, node: str, inputs: dict[str, Any], words: str
) -> None:
    graph = blank_graph()
    kept = graph[node]["inputs"] if node == "paint" else {}
    graph[node]["inputs"] = {**kept, **inputs}
    with pytest.raises(PromptRejected, match=words):
        comfy_client.submit(filled(graph), prompt_id=str(uuid.uuid4()), client_id="t")


def test_half_a_graph_is_not_rendered(comfy_client: ComfyClient, comfy_files: ComfyFiles) -> None:
    prompt_id, graph = str(uuid.uuid4()), slow_graph(f"{fresh_name()}/half")
    graph["other"] = {"class_type": "SaveImage", "inputs": {"images": ["paint", 0]}}
    with pytest.raises(PromptRejected, match=r"other.*'filename_prefix'"):
        comfy_client.submit(filled(graph), prompt_id=prompt_id, client_id="t")
    with comfy_client.events("watch") as events:
        while comfy_client.queued(prompt_id):
            events.next(0.05)
    assert not list(comfy_files.root.rglob("half*"))


def test_an_unknown_node_is_named_by_both_checks(comfy_client: ComfyClient, tmp_path: Path) -> None:
    graph = tiny_graph()
    graph["invert"]["class_type"] = "FromAnotherPack"
    with pytest.raises(PromptRejected, match="FromAnotherPack"):
        comfy_client.submit(filled(graph), prompt_id=str(uuid.uuid4()), client_id="t")
    write_workflow(tmp_path, graph)
    with pytest.raises(WorkflowInvalid, match=r"v1\.json: node invert .*'FromAnotherPack'"):
        load_workflows(tmp_path).check_nodes(comfy_client.node_classes())


def test_the_released_workflows_have_all_their_nodes(comfy_client: ComfyClient) -> None:
    load_workflows(REPOSITORY / "workflows").check_nodes(comfy_client.node_classes())


def test_model_files_are_looked_for_in_our_models_folder(comfy_client: ComfyClient) -> None:
    assert comfy_client.has_model("face_detection", "centerface.onnx")
    assert not comfy_client.has_model("face_detection", "other.onnx")
    assert not comfy_client.has_model("no_such_folder", "centerface.onnx")


async def test_a_photo_without_a_face_has_its_own_code(engine: ComfyEngine, tmp_path: Path) -> None:
    store, sink = FolderStore(tmp_path), RecordingSink()
    for name in ("photo", "background", "character"):
        store.put(f"t/{name}.png", png("gray", (256, 256)), "image/png")
    buffer = BytesIO()
    Image.new("L", (256, 256), 255).save(buffer, "PNG")
    store.put("t/person_mask.png", buffer.getvalue(), "image/png")
    raw = job_input(workflow={"name": "storybook_page_draft", "version": 1})
    raw["pages"][0]["assets"] = {
        slot: {"key": f"t/{slot}.png"}
        for slot in ("photo", "background", "character", "person_mask")
    }
    raw["pages"][0]["slots"] = {
        "face_x": 128, "face_y": 128, "face_width": 60, "face_height": 80, "face_angle": 0
    }  # fmt: skip
    released = load_workflows(REPOSITORY / "workflows")
    await worker_on(engine, store, released, sink).handle({"id": "r", "input": raw})
    error = sink.results[0].error
    assert error is not None
    assert error.code is ErrorCode.NO_FACE


async def test_a_node_that_raises_is_named(engine: ComfyEngine, comfy_files: ComfyFiles) -> None:
    run = fresh_name()
    graph = tiny_graph()
    graph["load"]["inputs"]["image"] = comfy_files.stage(run, "broken.png", b"no image")
    with pytest.raises(NodeFailed, match=r"node load .*Error") as failure:
        await engine.render(filled(graph), ignore)
    assert failure.value.node == "load"
    await engine.discard(run)


async def test_a_page_survives_the_death_of_comfyui(
    comfy_process: ComfyProcess, comfy_files: ComfyFiles, tmp_path: Path
) -> None:
    graph = slow_graph("page", nodes=8)
    graph["load"] = tiny_graph()["load"]
    graph["paint"] = {"class_type": "ImageInvert", "inputs": {"image": ["load", 0]}}
    write_workflow(tmp_path / "workflows", graph, tiny_slots())
    store, sink = FolderStore(tmp_path / "store"), RecordingSink()
    store.put("photos/x/original.jpg", png(size=(64, 64)), "image/png")
    comfy_process.ensure_running()
    victim = comfy_process.pid
    killed: list[int] = []

    class Killer(ComfyEngine):
        """Kills the first ComfyUI as soon as it is busy."""

        async def render(self, graph: FilledGraph, on_step: Any) -> Any:
            def on_first_step(step: Step) -> None:
                if not killed and victim is not None:
                    killed.append(victim)
                    os.kill(victim, signal.SIGKILL)
                on_step(step)

            return await super().render(graph, on_first_step)

    killer = Killer(comfy_process, comfy_files, SystemClock(), 60)
    worker = worker_on(killer, store, load_workflows(tmp_path / "workflows"), sink)
    await worker.handle({"id": "r", "input": job_input()})
    assert killed
    assert comfy_process.pid not in (None, victim)
    assert sink.results[0].status is JobStatus.COMPLETED


def test_a_boot_that_ends_says_why(tmp_path: Path) -> None:
    files = ComfyFiles(tmp_path)
    process = ComfyProcess(comfy_options(REPOSITORY / "docs"), files, SystemClock())
    with pytest.raises(ComfyBootFailed, match=r"main\.py") as failure:
        process.ensure_running()
    assert "main.py" in failure.value.log_tail
    assert not process.alive


class PatientClock(SystemClock):
    """Takes note of how long it was asked to sleep, and doesn't."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)


async def test_boots_that_fail_are_farther_and_farther_apart(tmp_path: Path) -> None:
    files, clock = ComfyFiles(tmp_path), PatientClock()
    process = ComfyProcess(comfy_options(REPOSITORY / "docs"), files, clock)
    engine = ComfyEngine(process, files, clock, quiet_timeout_s=60)
    for _ in range(4):
        with pytest.raises(ComfyBootFailed):
            await engine.ensure_running()
    assert clock.sleeps[0] == 0
    assert clock.sleeps == sorted(clock.sleeps)
    assert len(set(clock.sleeps)) == 4


async def test_callers_at_the_same_time_share_a_boot_and_its_failure(tmp_path: Path) -> None:
    files, clock = ComfyFiles(tmp_path), PatientClock()
    process = ComfyProcess(comfy_options(REPOSITORY / "docs"), files, clock)
    engine = ComfyEngine(process, files, clock, quiet_timeout_s=60)
    calls = [engine.ensure_running() for _ in range(3)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, ComfyBootFailed) for outcome in outcomes)
    assert len(clock.sleeps) == 1


def test_a_wrong_argument_is_in_the_logs_tail(tmp_path: Path) -> None:
    process = ComfyProcess(comfy_options(COMFYUI, "--nonsense"), ComfyFiles(tmp_path), FakeClock())
    with pytest.raises(ComfyBootFailed, match="--nonsense") as failure:
        process.ensure_running()
    assert "usage:" in failure.value.log_tail


def test_a_boot_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    process = ComfyProcess(comfy_options(timeout_s=0.2), ComfyFiles(tmp_path), SystemClock())
    with pytest.raises(ComfyBootFailed, match=r"not ready after 0\.2 s"):
        process.ensure_running()
    assert not process.alive


def test_a_boot_can_be_stopped_from_another_thread(tmp_path: Path) -> None:
    (tmp_path / "comfyui").mkdir()
    (tmp_path / "comfyui/main.py").write_text("import threading; threading.Event().wait()")
    options = comfy_options(tmp_path / "comfyui")
    process = ComfyProcess(options, ComfyFiles(tmp_path / "base"), SystemClock())
    with ThreadPoolExecutor() as pool:
        boot = pool.submit(process.ensure_running)
        while process.pid is None:
            threading.Event().wait(0.01)
        process.stop()
        with pytest.raises(ComfyBootFailed):
            boot.result(timeout=10)


def test_a_base_directory_that_cannot_be_made_is_a_failed_boot(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    process = ComfyProcess(comfy_options(), ComfyFiles(tmp_path / "file"), SystemClock())
    with pytest.raises(ComfyBootFailed):
        process.ensure_running()
