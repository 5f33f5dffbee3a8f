import asyncio
import hashlib
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from contract.job import ObjectRef
from handler.errors import InputCorrupt, OutputMissing
from handler.images import input_suffix, png_size
from handler.input_cache import InputCache
from handler.inputs import MAX_INPUT_BYTES, JobInputs
from storage.errors import ObjectNotFound, ObjectTooLarge
from tests.handler.fakes import FakeComfy, MemoryStore, patient, pixels, png

pytestmark = pytest.mark.anyio
KEY = "photos/x/original.jpg"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


ALL = frozenset({"photo", "one", "two"})
"""Every slot of these tests takes pixels."""


async def test_an_object_is_fetched_once_however_many_pages_use_it() -> None:
    store, comfy = MemoryStore({KEY: png()}), FakeComfy()
    inputs = JobInputs(patient(store), comfy, "job_1")
    for _ in range(3):
        names = await inputs.names({"photo": ObjectRef(key=KEY)}, ALL)
    assert names == {"photo": f"job_1/{sha256(png())}.npy"}
    assert store.reads == [KEY]


async def test_a_slot_gets_pixels_or_the_file_itself() -> None:
    comfy = FakeComfy()
    inputs = JobInputs(patient(MemoryStore({KEY: png()})), comfy, "job_1")
    refs = {"one": ObjectRef(key=KEY), "two": ObjectRef(key=KEY)}
    names = await inputs.names(refs, frozenset({"two"}))
    assert names == {
        "one": f"job_1/{sha256(png())}.png",
        "two": f"job_1/{sha256(png())}.npy",
    }
    assert sorted(comfy.files["job_1"].values()) == sorted([png(), pixels()])


async def test_files_with_one_basename_do_not_take_each_others_place() -> None:
    store = MemoryStore({"a/original.png": png("red"), "b/original.png": png("blue")})
    comfy = FakeComfy()
    inputs = JobInputs(patient(store), comfy, "job_1")
    refs = {"one": ObjectRef(key="a/original.png"), "two": ObjectRef(key="b/original.png")}
    names = await inputs.names(refs, ALL)
    files = comfy.files["job_1"]
    assert files[names["one"].removeprefix("job_1/")] == pixels("red")
    assert files[names["two"].removeprefix("job_1/")] == pixels("blue")


async def test_one_content_under_two_keys_is_written_once() -> None:
    """ComfyUI may be reading the file by then."""

    class Counting(FakeComfy):
        writes = 0

        async def stage(self, run: str, name: str, data: bytes) -> str:
            self.writes += 1
            await asyncio.sleep(0)
            return await super().stage(run, name, data)

    comfy = Counting()
    inputs = JobInputs(patient(MemoryStore({"a/x.png": png(), "b/y.png": png()})), comfy, "job_1")
    refs = {"one": ObjectRef(key="a/x.png"), "two": ObjectRef(key="b/y.png")}
    names = await inputs.names(refs, ALL)
    assert names["one"] == names["two"]
    assert comfy.writes == 1


@pytest.mark.parametrize("raw", [ALL, frozenset[str]()], ids=["pixels", "file"])
async def test_other_bytes_than_announced_are_refused(raw: frozenset[str]) -> None:
    inputs = JobInputs(patient(MemoryStore({KEY: png("red")})), FakeComfy(), "job_1")
    assert await inputs.names({"photo": ObjectRef(key=KEY, sha256=sha256(png("red")))}, raw)
    with pytest.raises(InputCorrupt, match="SHA-256"):
        await inputs.names({"photo": ObjectRef(key=KEY, sha256=sha256(png("blue")))}, raw)


@pytest.mark.parametrize("raw", [ALL, frozenset[str]()], ids=["pixels", "file"])
async def test_what_is_no_image_is_refused(raw: frozenset[str]) -> None:
    inputs = JobInputs(patient(MemoryStore({KEY: b"GIF89a"})), FakeComfy(), "job_1")
    with pytest.raises(InputCorrupt, match=KEY):
        await inputs.names({"photo": ObjectRef(key=KEY)}, raw)


async def test_a_missing_object_is_asked_for_again_by_the_next_page() -> None:
    store = MemoryStore()
    inputs = JobInputs(patient(store), FakeComfy(), "job_1")
    with pytest.raises(ObjectNotFound):
        await inputs.names({"photo": ObjectRef(key=KEY)}, ALL)
    store.objects[KEY] = png()
    assert await inputs.names({"photo": ObjectRef(key=KEY)}, ALL)


async def test_an_object_over_the_limit_is_refused() -> None:
    store = MemoryStore({KEY: b"\0" * (MAX_INPUT_BYTES + 1)})
    with pytest.raises(ObjectTooLarge):
        await JobInputs(patient(store), FakeComfy(), "job_1").names(
            {"photo": ObjectRef(key=KEY)}, ALL
        )


async def test_closing_gives_up_what_nobody_waits_for() -> None:
    inputs = JobInputs(patient(MemoryStore()), FakeComfy(), "job_1")
    inputs.prefetch({"photo": ObjectRef(key=KEY)}, ALL)
    await inputs.close()


async def test_closing_waits_for_a_file_that_is_being_written() -> None:
    """Else it would be left behind by whoever removes the run's files."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(FakeComfy):
        async def stage(self, run: str, name: str, data: bytes) -> str:
            begun.set()
            await go_on.wait()
            return await super().stage(run, name, data)

    comfy = Slow()
    inputs = JobInputs(patient(MemoryStore({KEY: png()})), comfy, "job_1")
    inputs.prefetch({"photo": ObjectRef(key=KEY)}, ALL)
    await begun.wait()
    closing = asyncio.create_task(inputs.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    assert list(comfy.files["job_1"].values()) == [pixels()]


async def test_template_art_is_fetched_and_decoded_once_for_many_jobs(tmp_path: Path) -> None:
    key = "templates/lion/page_01/background.png"
    store, cache = MemoryStore({key: png(), KEY: png("red")}), InputCache(tmp_path, 1_000_000)
    refs = {
        "one": ObjectRef(key=key, sha256=sha256(png())),
        "two": ObjectRef(key=KEY, sha256=sha256(png("red"))),
    }
    for run in ("job_1", "job_2"):
        comfy = FakeComfy()
        names = await JobInputs(patient(store), comfy, run, cache).names(refs, ALL)
        assert names["one"] == f"{run}/{sha256(png())}.npy"
        assert comfy.files[run][f"{sha256(png())}.npy"] == pixels()
    assert sorted(store.reads) == [KEY, KEY, key]  # the child's photo each time


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp")])
def test_the_file_ending_fits_the_bytes(kind: str, suffix: str) -> None:
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind)
    assert input_suffix(buffer.getvalue(), "it") == suffix


def huge_png_header() -> bytes:
    """A valid PNG header that announces 30,000 × 30,000 pixels."""
    small = bytearray(png())
    small[16:24] = (30_000).to_bytes(4, "big") * 2
    small[29:33] = zlib.crc32(bytes(small[12:29])).to_bytes(4, "big")
    return bytes(small)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"%PDF-1.7",
        png()[:-20],
        png(size=(400, 400))[:200],
        huge_png_header(),
    ],
    ids=["empty", "gif", "pdf", "no end", "truncated", "huge"],
)
def test_what_is_not_a_whole_image_is_refused(data: bytes) -> None:
    with pytest.raises(InputCorrupt):
        input_suffix(data, "it")


def test_an_output_is_measured_and_checked() -> None:
    assert png_size(png(size=(16, 12))) == (16, 12)
    for broken in (b"", png()[:-8], png()[:50], b"\xff\xd8\xff"):
        with pytest.raises(OutputMissing):
            png_size(broken)
