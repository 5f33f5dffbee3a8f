import asyncio
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract.errors import ErrorCode
from contract.status import JobStatus, PageStatus
from handler.errors import ComfyBootFailed, ComfyDied, ComfyStalled, NodeFailed, WorkerError
from handler.graph import FilledGraph, Workflows
from handler.pixels import decoded
from handler.ports import Rendered, Step
from handler.rendering import PAGES_IN_FLIGHT
from handler.worker import Worker
from storage.errors import StoreFull, StoreUnavailable
from storage.folder import FolderStore
from tests.handler.bench import PHOTO, Bench, codes
from tests.handler.fakes import FakeClock, FakeComfy, RecordingSink, job_input, png

pytestmark = pytest.mark.anyio


def pixels_of(data: bytes) -> bytes:
    return decoded(data, "a picture")


async def test_every_page_is_stored_under_its_key(workflows: Workflows) -> None:
    bench = Bench(workflows)
    result = await bench.run(job_input(pages=3))
    assert result.status is JobStatus.COMPLETED
    assert [page.seed for page in result.pages] == [41, 42, 43]
    for page in result.pages:
        assert page.image is not None
        assert (page.image.width, page.image.height) == (16, 12)
        assert pixels_of(bench.store.objects[page.image.key]) == pixels_of(png())
    assert result.worker_id == "worker-1"


async def test_the_photo_is_read_once_and_gone_at_the_end(workflows: Workflows) -> None:
    bench = Bench(workflows)
    await bench.run(job_input(pages=3))
    assert bench.store.inputs_read == ["photos/x/original.jpg"]
    assert bench.comfy.files == {}
    assert len(bench.comfy.discarded) == 1


async def test_two_runs_of_one_job_never_share_a_file_name(workflows: Workflows) -> None:
    bench = Bench(workflows)
    for take in (1, 2):
        raw = job_input()
        raw["pages"][0]["output_key"] += f".take_{take}"
        await bench.worker.handle({"id": "r", "input": raw})
    prefixes = {graph.prompt["save"]["inputs"]["filename_prefix"] for graph in bench.comfy.graphs}
    assert len(prefixes) == 2


async def test_progress_comes_before_the_result_and_is_numbered(workflows: Workflows) -> None:
    bench = Bench(workflows)
    result = await bench.run(job_input(pages=2))
    numbers = [message.seq for message in bench.sink.progress]
    assert numbers == list(range(1, len(numbers) + 1))
    assert result.seq == len(numbers) + 1
    assert {message.run for message in bench.sink.progress} == {result.run}


async def test_one_bad_page_does_not_stop_the_others(workflows: Workflows) -> None:
    failure = NodeFailed("node 6 raised", node="6", exception_message="no_face: nobody")
    bench = Bench(workflows, FakeComfy(None, failure, None))
    result = await bench.run(job_input(pages=3))
    assert result.status is JobStatus.FAILED
    assert codes(result) == [None, ErrorCode.NO_FACE, None]
    assert result.error is not None
    assert (result.error.code, result.error.page_number) == (ErrorCode.NO_FACE, 2)
    assert "pages/p1/page_03.png" in bench.store.objects


async def test_a_page_with_a_wrong_slot_is_not_even_fetched(workflows: Workflows) -> None:
    bench = Bench(workflows)
    raw = job_input(pages=1)
    raw["pages"][0]["slots"] = {"hat": "red"}
    assert codes(await bench.run(raw)) == [ErrorCode.INVALID_SLOT]
    assert bench.store.reads == []


async def test_a_missing_photo_is_named(workflows: Workflows) -> None:
    bench = Bench(workflows)
    bench.store.objects.clear()
    result = await bench.run(job_input())
    assert codes(result) == [ErrorCode.INPUT_NOT_FOUND]
    assert "photos/x/original.jpg" in (result.error.message if result.error else "")


async def test_a_page_on_which_comfyui_dies_is_rendered_again(workflows: Workflows) -> None:
    bench = Bench(workflows, FakeComfy(ComfyDied("killed"), None))
    result = await bench.run(job_input())
    assert result.status is JobStatus.COMPLETED
    assert bench.comfy.boots == 1


class Deadly(FakeComfy):
    """Dies of every graph of page 1."""

    async def _execute(self, graph: FilledGraph, on_step: Callable[[Step], None]) -> Rendered:
        if graph.prompt["save"]["inputs"]["filename_prefix"].endswith("page_001"):
            raise ComfyDied("killed")
        return await super()._execute(graph, on_step)


async def test_a_page_that_kills_comfyui_twice_is_given_up(workflows: Workflows) -> None:
    result = await Bench(workflows, Deadly()).run(job_input(pages=2))
    assert codes(result) == [ErrorCode.POISONED_PAGE, None]


async def test_a_comfyui_that_does_not_come_back_ends_the_job(workflows: Workflows) -> None:
    comfy = FakeComfy(*[ComfyDied("killed", blamed=False) for _ in range(3)])
    comfy.boot_failure = ComfyBootFailed("no")
    result = await Bench(workflows, comfy).run(job_input(pages=9))
    assert codes(result) == [ErrorCode.COMFY_BOOT_FAILED] * 9
    numbers = [page.error.page_number for page in result.pages if page.error]
    assert numbers == list(range(1, 10))
    assert comfy.executed <= PAGES_IN_FLIGHT


async def test_a_full_store_ends_the_job_and_leaves_no_object(workflows: Workflows) -> None:
    bench = Bench(workflows)
    bench.store.failure = StoreFull("no space left")
    result = await bench.run(job_input(pages=9))
    assert codes(result) == [ErrorCode.STORE_FULL] * 9
    assert bench.store.objects == PHOTO
    assert len(bench.comfy.graphs) <= PAGES_IN_FLIGHT


class CrampedStore(FolderStore):
    """A folder on a disk with room for sixteen bytes."""

    def put_new(self, key: str, data: bytes, content_type: str) -> bool:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
        try:
            return super().put_new(key, data, content_type)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_under_the_store_leaves_no_half_page(
    workflows: Workflows, tmp_path: Path
) -> None:
    FolderStore(tmp_path / "store").put("photos/x/original.jpg", png(), "image/png")
    sink = RecordingSink()
    worker = Worker(
        comfy=FakeComfy(),
        store=CrampedStore(tmp_path / "store"),
        workflows=workflows,
        open_sink=lambda _: sink,
        clock=FakeClock(),
    )
    await worker.handle({"id": "r", "input": job_input()})
    assert codes(sink.results[0]) == [ErrorCode.STORE_FULL]
    files = [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert files == ["original.jpg"]


async def test_a_store_that_is_away_can_be_tried_again(workflows: Workflows) -> None:
    bench = Bench(workflows)
    bench.store.failure = StoreUnavailable("away")
    result = await bench.run(job_input())
    assert result.error is not None
    assert result.error.retryable


async def test_comfyui_is_to_settle_as_each_job_ends_and_not_between_pages(
    workflows: Workflows,
) -> None:
    bench = Bench(workflows)
    await bench.run(job_input(pages=3))
    await bench.run(job_input(pages=4))
    assert bench.comfy.settled_after == [3, 4]


async def test_a_comfyui_that_does_not_settle_costs_no_page(workflows: Workflows) -> None:
    bench = Bench(workflows)
    bench.comfy.settle_failure = ComfyStalled("no progress")
    assert (await bench.run(job_input())).status is JobStatus.COMPLETED


async def test_a_machine_that_is_given_up_need_not_settle(workflows: Workflows) -> None:
    comfy = FakeComfy(*[ComfyDied("killed", blamed=False) for _ in range(3)])
    comfy.boot_failure = ComfyBootFailed("no")
    bench = Bench(workflows, comfy)
    await bench.run(job_input())
    assert bench.refreshes
    assert comfy.settled_after == []


async def test_an_unforeseen_error_does_not_escape(workflows: Workflows) -> None:
    class Buggy(FakeComfy):
        async def discard(self, run: str) -> None:
            raise RuntimeError("a bug")

    result = await Bench(workflows, Buggy()).run(job_input())
    assert result.error is not None
    assert result.error.code is ErrorCode.INTERNAL
    assert "bug" not in result.error.message


async def test_an_unknown_workflow_fails_the_job(workflows: Workflows) -> None:
    raw = job_input(workflow={"name": "tiny", "version": 9})
    result = await Bench(workflows).run(raw)
    assert result.error is not None
    assert result.error.code is ErrorCode.UNKNOWN_WORKFLOW


async def test_a_deadline_interrupts_the_page_and_fails_the_rest(workflows: Workflows) -> None:
    bench = Bench(workflows, FakeComfy(hangs=True))
    result = await bench.run(job_input(pages=2, deadline_s=0.05))
    assert codes(result) == [ErrorCode.DEADLINE_EXCEEDED] * 2
    assert bench.comfy.interrupted == 1
    assert bench.comfy.files == {}


async def test_a_cancelled_job_interrupts_tidies_up_and_says_so(workflows: Workflows) -> None:
    bench = Bench(workflows, FakeComfy(hangs=True))
    task = asyncio.create_task(bench.worker.handle({"id": "r", "input": job_input(pages=2)}))
    await bench.comfy.rendering.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.comfy.interrupted == 1
    assert bench.comfy.files == {}
    [result] = bench.sink.results
    assert result.status is JobStatus.CANCELLED
    assert result.error is not None
    assert result.error.code is ErrorCode.CANCELLED


async def test_a_broken_input_names_places_and_echoes_nothing(workflows: Workflows) -> None:
    raw = job_input()
    raw["pages"][0]["output_key"] = "../Mathilda"
    raw["pages"][0]["slots"] = {"Mathilda": {"deep": "Mathilda"}}
    raw["Mathilda"] = "Mathilda"
    result = await Bench(workflows).run(raw)
    assert result.error is not None
    assert result.error.code is ErrorCode.INVALID_INPUT
    assert "pages.0.output_key" in result.error.message
    assert "Mathilda" not in result.model_dump_json()
    assert (result.job_id, result.pages) == ("job-1", [])


@pytest.mark.parametrize("raw", [None, 3, [], {}, {"job_id": "../x"}, {"dispatch": True}])
async def test_an_input_that_is_no_job_is_answered_under_runpods_id(
    workflows: Workflows, raw: Any
) -> None:
    result = await Bench(workflows).run(raw)
    assert (result.job_id, result.dispatch) == ("runpod-1", 1)


async def test_a_failed_answer_is_a_string_that_runpod_takes_for_an_error(
    workflows: Workflows,
) -> None:
    answer = await Bench(workflows).worker.handle({"id": "r", "input": None})
    assert list(answer) == ["error"]
    assert json.loads(answer["error"])["status"] == "failed"


async def test_a_failed_page_has_no_image_and_a_good_one_no_error(workflows: Workflows) -> None:
    comfy = FakeComfy(WorkerError("no"), None)
    for page in (await Bench(workflows, comfy).run(job_input(pages=2))).pages:
        assert (page.image is None) == (page.status is PageStatus.FAILED)
        assert (page.error is None) == (page.status is PageStatus.COMPLETED)
