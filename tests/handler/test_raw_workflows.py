"""Raw workflows on fakes: worker-comfyui's form in, worker-comfyui's form out."""

import asyncio
import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from contract.errors import ErrorCode
from contract.result import JobResult
from handler.adapters.clock import SystemClock
from handler.comfy.engine import ComfyEngine
from handler.comfy.files import ComfyFiles
from handler.errors import ComfyDied, GpuOutOfMemory, InputRefused, WorkerError
from handler.graph import FilledGraph, Workflows
from handler.ports import Rendered, Step
from handler.raw_workflows import MAX_ANSWER_BYTES, RawWorkflows, raw_input, rewritten
from handler.worker import Worker
from storage.errors import StoreUnavailable
from tests.handler.fakes import FakeClock, FakeComfy, MemoryStore, RecordingSink, png
from tests.handler.tiny import tiny_graph

pytestmark = pytest.mark.anyio

PHOTO = base64.b64encode(png()).decode()
JOB_ID = "sync-1-e1"


class SavingComfy(FakeComfy):
    """A ComfyUI that saves ``saves``, name → bytes, where the graph's output node says; a try
    that fails has saved them, too."""

    def __init__(self, outputs: Path, *failures: WorkerError | None, hangs: bool = False) -> None:
        super().__init__(*failures, hangs=hangs)
        self.outputs = outputs
        self.saves = {"ComfyUI_00001_.png": png("red")}

    async def render(self, graph: FilledGraph, on_step: Callable[[Step], None]) -> Rendered:
        prefix = graph.prompt["save"]["inputs"]["filename_prefix"]
        for name, data in self.saves.items():
            path = self.outputs / prefix.rpartition("/")[0] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return await super().render(graph, on_step)


class Raw:
    """A worker that takes raw workflows, and what can be looked at afterwards."""

    def __init__(
        self,
        folder: Path,
        workflows: Workflows,
        comfy: SavingComfy | None = None,
        *,
        to_store: bool = False,
    ) -> None:
        self.comfy = comfy or SavingComfy(folder)
        self.store = MemoryStore({"templates/b/a.png": png("blue")})
        self.urls: list[str] = []
        raw = RawWorkflows(
            comfy=self.comfy,
            store=self.store,
            clock=FakeClock(),
            outputs=folder,
            read_url=self._read_url,
            link=(lambda key: f"https://store/{key}?signed") if to_store else None,
        )
        self.worker = Worker(
            comfy=self.comfy,
            store=self.store,
            workflows=workflows,
            open_sink=lambda _: RecordingSink(),
            clock=FakeClock(),
            raw=raw,
        )

    async def run(self, **changes: Any) -> dict[str, Any]:
        return await self.worker.handle({"id": JOB_ID, "input": raw_job(**changes)})

    def _read_url(self, url: str) -> bytes:
        self.urls.append(url)
        if "private" in url:
            raise InputRefused("the host of an input's URL is not in INPUT_URL_HOSTS")
        return png("green")


def raw_job(**changes: Any) -> dict[str, Any]:
    return {
        "workflow": tiny_graph(),
        "images": [{"name": "example.png", "image": PHOTO}],
        **changes,
    }


@pytest.fixture
def raw(tmp_path: Path, workflows: Workflows) -> Raw:
    return Raw(tmp_path / "output", workflows)


async def test_a_graph_gives_its_images_as_base64(raw: Raw) -> None:
    answer = await raw.run()
    data = base64.b64encode(png("red")).decode()
    assert answer == {
        "images": [{"filename": "ComfyUI_00001_.png", "type": "base64", "data": data}]
    }


async def test_an_input_may_be_the_json_of_one(raw: Raw) -> None:
    answer = await raw.worker.handle({"id": JOB_ID, "input": json.dumps(raw_job())})
    assert len(answer["images"]) == 1


async def test_base64_may_be_broken_into_lines(raw: Raw) -> None:
    lines = base64.encodebytes(png()).decode()
    assert "error" not in await raw.run(images=[{"name": "example.png", "image": lines}])


async def test_an_image_is_staged_by_its_content_and_the_graph_names_it(raw: Raw) -> None:
    await raw.run(images=[{"name": "example.png", "image": f"data:image/png;base64,{PHOTO}"}])
    [graph] = raw.comfy.graphs
    run, _, file = graph.prompt["load"]["inputs"]["image"].partition("/")
    assert run.startswith("job_")
    assert file.endswith(".png")
    assert "example" not in file
    assert graph.prompt["save"]["inputs"]["filename_prefix"] == f"{run}/1/page"
    assert raw.comfy.files == {}
    assert raw.comfy.discarded == [run]


async def test_an_image_may_come_from_the_store_or_from_a_url(raw: Raw) -> None:
    images = [
        {"name": "a.png", "key": "templates/b/a.png"},
        {"name": "b.png", "url": "https://cdn.example.com/b.png?token=1"},
    ]
    assert "error" not in await raw.run(images=images)
    assert raw.store.reads == ["templates/b/a.png"]
    assert raw.urls == ["https://cdn.example.com/b.png?token=1"]


async def test_with_a_store_files_come_as_links(tmp_path: Path, workflows: Workflows) -> None:
    raw = Raw(tmp_path / "output", workflows, to_store=True)
    key = f"raw/{JOB_ID}/ComfyUI_00001_.png"
    answer = await raw.run()
    assert answer["images"] == [
        {"filename": "ComfyUI_00001_.png", "type": "s3_url", "data": f"https://store/{key}?signed"}
    ]
    assert raw.store.objects[key] == png("red")
    await raw.run(key_prefix="raw/order-7")
    assert "raw/order-7/ComfyUI_00001_.png" in raw.store.objects


async def test_what_is_no_image_is_listed_beside_them(raw: Raw) -> None:
    raw.comfy.saves = {"clip_00001_.mp4": b"film", "ComfyUI_00001_.png": png("red")}
    answer = await raw.run()
    assert [file["filename"] for file in answer["images"]] == ["ComfyUI_00001_.png"]
    assert [file["filename"] for file in answer["files"]] == ["clip_00001_.mp4"]


async def test_a_graph_that_saves_nothing_says_so(raw: Raw) -> None:
    raw.comfy.saves = {}
    assert await raw.run() == {"status": "success_no_images", "images": []}


async def test_what_one_file_loses_in_the_store_is_an_error_beside_the_others(
    tmp_path: Path, workflows: Workflows
) -> None:
    raw = Raw(tmp_path / "output", workflows, to_store=True)
    raw.comfy.saves = {"a.png": png("red"), "b.png": png("blue")}
    raw.store.refusals[f"raw/{JOB_ID}/a.png"] = StoreUnavailable("the store is away")
    answer = await raw.run()
    assert [file["filename"] for file in answer["images"]] == ["b.png"]
    assert answer["errors"] == ["a file was not stored: the store is away"]
    assert raw.store.writes.count(f"raw/{JOB_ID}/a.png") == 5  # it was waited for
    raw.store.failure = StoreUnavailable("the store is away")
    assert (await raw.run())["error"].startswith("output_missing: a file was not stored")


async def test_comfyui_is_to_settle_after_a_raw_workflow(raw: Raw) -> None:
    await raw.run()
    assert raw.comfy.settled_after == [1]


async def test_files_over_runpods_limit_are_an_error_that_names_the_way_out(raw: Raw) -> None:
    raw.comfy.saves = {"large.png": bytes(MAX_ANSWER_BYTES * 3 // 4 + 3)}
    answer = await raw.run()
    assert answer["error"].startswith("result_too_large: ")
    assert "RAW_OUTPUT=store" in answer["error"]


async def test_files_just_under_the_limit_fit_with_all_that_is_around_them(raw: Raw) -> None:
    raw.comfy.saves = {"large.png": bytes(MAX_ANSWER_BYTES * 3 // 4 - 200)}
    answer = await raw.run()
    assert len(json.dumps(answer)) <= MAX_ANSWER_BYTES
    assert len(answer["images"]) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"workflow": {}}, "invalid_input"),
        ({"workflow": {"nodes": [], "links": []}}, "invalid_input"),
        ({"workflow": {"1": {"class_type": "SaveImage"}}}, "invalid_input"),
        ({"images": [{"name": "../a.png", "image": PHOTO}]}, "invalid_input"),
        ({"images": [{"name": "/a.png", "image": PHOTO}]}, "invalid_input"),
        ({"images": [{"name": "a\\b.png", "image": PHOTO}]}, "invalid_input"),
        ({"images": [{"name": "a.png"}]}, "invalid_input"),
        ({"images": [{"name": "a.png", "image": PHOTO, "key": "a"}]}, "invalid_input"),
        ({"images": [{"name": "a.png", "image": PHOTO}] * 2}, "invalid_input"),
        ({"images": [{"name": "a.png", "key": "../a"}]}, "invalid_input"),
        ({"colour": "red"}, "invalid_input"),
        ({"key_prefix": "../up"}, "invalid_input"),
        ({"key_prefix": "pages/order-7"}, "invalid_input"),
        ({"images": [{"name": "a.png", "key": "photos/c/original.jpg"}]}, "invalid_input"),
        ({"images": [{"name": "a.png", "image": "Mathilda!"}]}, "input_corrupt"),
        ({"images": [{"name": "a.png", "image": ""}]}, "input_corrupt"),
        ({"images": [{"name": "a.png", "key": "raw/no/such"}]}, "input_not_found"),
        ({"images": [{"name": "a.png", "url": "https://private/a.png?s=1"}]}, "input_refused"),
    ],
)
async def test_a_wrong_input_is_refused_before_anything_is_rendered(
    raw: Raw, changes: dict[str, Any], code: str
) -> None:
    answer = await raw.run(**changes)
    assert answer["error"].startswith(f"{code}: ")
    assert raw.comfy.graphs == []
    assert "Mathilda" not in answer["error"]


@pytest.mark.parametrize("prefix", ["../up", "/root/page", "a/../../b"])
def test_a_prefix_that_leads_out_is_refused(prefix: str) -> None:
    graph = tiny_graph()
    graph["save"]["inputs"]["filename_prefix"] = prefix
    with pytest.raises(WorkerError, match=r"workflow\.save\.inputs\.filename_prefix"):
        rewritten(graph, {}, "job_1")


def test_a_prefix_that_another_node_makes_is_replaced() -> None:
    graph = tiny_graph()
    graph["save"]["inputs"]["filename_prefix"] = ["load", 0]
    filled = rewritten(graph, {"example.png": "job_1/abc.png"}, "job_1")
    assert filled.prompt["save"]["inputs"]["filename_prefix"] == "job_1/ComfyUI"
    assert filled.prompt["load"]["inputs"]["image"] == "job_1/abc.png"
    assert graph["load"]["inputs"]["image"] == "example.png"


async def test_a_try_that_failed_leaves_nothing_in_the_result(
    tmp_path: Path, workflows: Workflows
) -> None:
    comfy = SavingComfy(tmp_path / "output", ComfyDied("killed"))
    answer = await Raw(tmp_path / "output", workflows, comfy).run()
    assert len(comfy.graphs) == 2
    assert len(answer["images"]) == 1


async def test_a_machine_in_doubt_is_given_back(tmp_path: Path, workflows: Workflows) -> None:
    full = [GpuOutOfMemory("full"), GpuOutOfMemory("full")]
    comfy = SavingComfy(tmp_path / "output", *full)
    answer = await Raw(tmp_path / "output", workflows, comfy).run()
    assert answer["error"].startswith("gpu_out_of_memory: ")
    assert answer["refresh_worker"] is True


async def test_a_deadline_interrupts(tmp_path: Path, workflows: Workflows) -> None:
    comfy = SavingComfy(tmp_path / "output", hangs=True)
    answer = await Raw(tmp_path / "output", workflows, comfy).run(deadline_s=0.05)
    assert answer["error"].startswith("deadline_exceeded: ")
    assert (comfy.interrupted, len(comfy.discarded)) == (1, 1)


async def test_a_cancelled_job_is_interrupted_and_leaves_nothing(
    tmp_path: Path, workflows: Workflows
) -> None:
    comfy = SavingComfy(tmp_path / "output", hangs=True)
    task = asyncio.create_task(Raw(tmp_path / "output", workflows, comfy).run())
    await comfy.rendering.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (comfy.interrupted, len(comfy.discarded)) == (1, 1)


async def test_where_raw_workflows_are_off_they_are_no_input(workflows: Workflows) -> None:
    comfy = FakeComfy()
    worker = Worker(
        comfy=comfy,
        store=MemoryStore(),
        workflows=workflows,
        open_sink=lambda _: RecordingSink(),
        clock=FakeClock(),
    )
    answer = await worker.handle({"id": JOB_ID, "input": raw_job()})
    error = JobResult.model_validate_json(answer["error"]).error
    assert error is not None
    assert (error.code, "RAW_WORKFLOWS" in error.message) == (ErrorCode.INVALID_INPUT, True)
    assert comfy.graphs == []


@pytest.mark.parametrize(
    "given",
    [
        None,
        3,
        "[",
        {},
        {"kind": "pages", "workflow": {}},
        {"workflow": {"name": "tiny", "version": 1}},
        {"workflow": "tiny", "pages": []},
    ],
)
def test_a_job_of_ours_is_no_raw_workflow(given: Any) -> None:
    assert raw_input(given) is None


@pytest.mark.comfyui
async def test_a_real_comfyui_saves_every_output_of_every_run(
    engine: ComfyEngine, comfy_files: ComfyFiles
) -> None:
    raw = RawWorkflows(
        comfy=engine,
        store=MemoryStore(),
        clock=SystemClock(),
        outputs=comfy_files.root / "output",
        read_url=lambda _: b"",
    )
    graph = tiny_graph()
    graph["again"] = {
        "class_type": "SaveImage",
        "inputs": {"images": ["load", 0], "filename_prefix": "second/page"},
    }
    graph["look"] = {"class_type": "PreviewImage", "inputs": {"images": ["load", 0]}}
    for _ in range(2):  # the second time ComfyUI has every result in its cache
        answer = await raw.answer(raw_job(workflow=graph), JOB_ID)
        names = sorted(image["filename"] for image in answer["images"])
        assert names == ["page_00001_.png", "page_00001_.png"]
        colours = set()
        for image in answer["images"]:
            with Image.open(io.BytesIO(base64.b64decode(image["data"]))) as picture:
                colours.add(picture.getpixel((0, 0)))
        assert colours == {(0, 0, 0), (255, 255, 255)}
    assert [path for path in (comfy_files.root / "output").rglob("*") if path.is_file()] == []
