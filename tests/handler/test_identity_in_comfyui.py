"""The released identity workflow on a real ComfyUI with tiny weights, as a worker runs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.errors import ErrorCode
from contract.status import JobStatus
from handler.adapters.clock import SystemClock
from handler.comfy.engine import ComfyEngine
from handler.comfy.files import ComfyFiles
from handler.comfy.process import ComfyProcess
from handler.embedding_file import MAX_EMBEDDING_BYTES, read_record
from handler.graph import load_workflows
from handler.worker import Worker
from storage.folder import FolderStore
from tests.comfy_nodes.pictures import ASTRONAUT
from tests.handler.conftest import REPOSITORY, comfy_options
from tests.handler.fakes import RecordingSink, identity_input, identity_source, png
from tests.handler.left_files import left_behind
from tests.tiny_weights.folder import TINY_MODELS, make

pytestmark = [pytest.mark.anyio, pytest.mark.comfyui]

JOB = identity_input(identity=identity_source(workflow={"name": "identity", "version": 1}))
KEY = JOB["identity"]["embedding_key"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base directory of a ComfyUI."""
    return tmp_path_factory.mktemp("comfyui")


@pytest.fixture(scope="module")
def tiny_engine(base: Path) -> Iterator[ComfyEngine]:
    """The Comfy port on a ComfyUI that has the weights of the identity workflow."""
    make()
    files = ComfyFiles(base, REPOSITORY / "comfy_nodes", TINY_MODELS)
    process = ComfyProcess(comfy_options(), files, SystemClock())
    yield ComfyEngine(process, files, SystemClock(), quiet_timeout_s=60)
    process.stop()


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def worker(tiny_engine: ComfyEngine, store: FolderStore, sink: RecordingSink) -> Worker:
    return Worker(
        comfy=tiny_engine,
        store=store,
        workflows=load_workflows(REPOSITORY / "workflows"),
        open_sink=lambda _: sink,
        clock=SystemClock(),
    )


async def test_a_photo_becomes_an_identity_that_a_second_delivery_uses(
    worker: Worker, store: FolderStore, sink: RecordingSink, base: Path
) -> None:
    store.put(JOB["identity"]["photo"]["key"], ASTRONAUT.read_bytes(), "image/png")
    for _ in range(2):
        await worker.handle({"id": "r", "input": JOB})
    first, second = (result.identity for result in sink.results)
    assert first is not None
    assert second == first.model_copy(update={"extracted": False, "extract_ms": 0.0})
    assert first.extracted
    assert first.extracted_at == read_record(store.get(KEY, MAX_EMBEDDING_BYTES)).extracted_at
    assert {"extracting identity"} <= {message.current_step for message in sink.progress}
    assert left_behind(base) == []


async def test_a_photo_without_a_face_makes_no_identity(
    worker: Worker, store: FolderStore, sink: RecordingSink, base: Path
) -> None:
    store.put(JOB["identity"]["photo"]["key"], png("gray", (256, 256)), "image/png")
    await worker.handle({"id": "r", "input": JOB})
    [result] = sink.results
    assert result.status is JobStatus.FAILED
    assert result.error is not None
    assert (result.error.code, result.error.retryable) == (ErrorCode.NO_FACE, False)
    assert not store.exists(KEY)
    assert left_behind(base) == []
