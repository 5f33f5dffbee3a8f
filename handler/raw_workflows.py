"""Raw workflows: a ComfyUI graph in, its files out, in the form of RunPod's worker-comfyui.

``{"workflow": graph in API format, "images": [{"name", "image"}]}`` gives
``{"images": [{"filename", "type", "data"}]}``, and ``errors`` where something was lost on the way.
Beyond that form an image may be named by ``url`` or object ``key``; ``files`` holds what is no
image, a video for example; ``key_prefix`` says where the store takes the files; and ``deadline_s``
bounds the job. A job that failed is ``{"error": "code: message"}``, with the error codes of ours.

An image is put under a name made of its content, and what the graph saves into a folder of this
run, by rewriting both in the graph: jobs can't see or overwrite each other's files, and a graph
that was run before saves new ones.
"""

import asyncio
import base64
import binascii
import copy
import hashlib
import json
import logging
import mimetypes
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator

from contract.keys import raw_output_key
from contract.types import ObjectKey, SentMessage
from handler.end_mark import with_end_mark
from handler.errors import DeadlineExceeded, InputCorrupt, InvalidJob, OutputMissing, ResultTooLarge
from handler.failures import to_job_error
from handler.graph import FilledGraph, Graph
from handler.inputs import MAX_INPUT_BYTES
from handler.invalid import problems_of
from handler.pages import RUN_PREFIX
from handler.patient_store import PatientStore
from handler.ports import Clock, Comfy, ObjectStore, Rendered, Step
from handler.recovery import Recovery
from storage.errors import StoreError

MAX_ANSWER_BYTES: Final = 9_500_000
"""RunPod drops an answer over 10 MB without a word; some of that is its own."""

_READABLE: Final = ("raw/", "templates/")
_WRITABLE: Final = ("raw/",)
"""Beginnings of the keys that raw workflows may name: never a photo, an embedding or a page."""

_PREFIX_INPUT: Final = "filename_prefix"
_DEFAULT_PREFIX: Final = "ComfyUI"
_IMAGE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tiff"})
_SUFFIX: Final = re.compile(r"\.[a-z0-9]{1,8}")

log = logging.getLogger(__name__)


def _relative(name: str) -> str:
    """A name that leads nowhere else than down."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not name.isprintable():
        raise ValueError("not a safe relative name")
    return name


def _below(*places: str) -> AfterValidator:
    """Only keys that begin with one of ``places``."""

    def check(key: str) -> str:
        if not key.startswith(places):
            raise ValueError(f"not below {' or '.join(places)}")
        return key

    return AfterValidator(check)


class RawImage(SentMessage):
    """An input: ``image`` as base64 or a data URI, or ``url``, or the ``key`` of an object."""

    name: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_relative)]
    image: str | None = Field(default=None, repr=False)
    url: str | None = Field(default=None, repr=False, max_length=8000)
    key: Annotated[ObjectKey, _below(*_READABLE)] | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if sum(source is not None for source in (self.image, self.url, self.key)) != 1:
            raise ValueError("one of image, url and key is needed")
        return self


class RawJob(SentMessage):
    """A raw workflow. ``comfy_org_api_key`` may be there, as it may in worker-comfyui, and is
    not used: the nodes that would are off."""

    workflow: dict[str, dict[str, Any]] = Field(min_length=1)
    images: list[RawImage] | None = Field(default=None, max_length=100)
    key_prefix: Annotated[ObjectKey, _below(*_WRITABLE)] | None = None
    deadline_s: float = Field(default=600.0, gt=0, le=3600)
    comfy_org_api_key: SecretStr | None = None

    @model_validator(mode="after")
    def _is_a_graph(self) -> Self:
        for node in self.workflow.values():
            if not isinstance(node.get("class_type"), str) or not isinstance(
                node.get("inputs"), dict
            ):
                raise ValueError("workflow is not a graph in API format: use Export (API)")
        names = [image.name for image in self.images or ()]
        if len(set(names)) != len(names):
            raise ValueError("the names of images must be distinct")
        return self


@dataclass(frozen=True)
class Saved:
    """A file that the graph saved, and its name below the run's folder."""

    path: Path
    name: str

    @property
    def is_image(self) -> bool:
        """Whether it is listed among the images."""
        return self.path.suffix.lower() in _IMAGE_SUFFIXES


class RawWorkflows:
    """Carries raw workflows out. ``outputs`` is ComfyUI's output folder; ``read_url`` reads an
    https URL; ``link`` makes a URL of an object's key: without it files are answered as base64."""

    def __init__(
        self,
        *,
        comfy: Comfy,
        store: ObjectStore,
        clock: Clock,
        outputs: Path,
        read_url: Callable[[str], bytes],
        link: Callable[[str], str] | None = None,
    ) -> None:
        self._comfy = comfy
        self._store = store
        self._clock = clock
        self._outputs = outputs
        self._read_url = read_url
        self._link = link

    async def answer(self, raw: Any, job_id: str) -> dict[str, Any]:
        """Carry out a job; return what RunPod is to publish.

        Raises:
            asyncio.CancelledError: the only exception.
        """
        run, tags = f"{RUN_PREFIX}{secrets.token_hex(8)}", {"job_id": job_id}
        tries, store = _Tries(self._comfy, run), PatientStore(self._store, self._clock, job_id)
        recovery = Recovery(tries, self._clock, job_id)
        log.info("raw workflow begins", extra=tags)
        try:
            job = parse_raw(raw)
            async with asyncio.timeout(job.deadline_s) as limit:
                staged = await self._stage(job, run, store)
                graph = tries.prepare(job.workflow, staged)
                await recovery.render(graph, _ignore)
                answer = await self._result(job, tries.folder, job_id, store)
        except TimeoutError as late:
            answer = _failed(
                DeadlineExceeded("not done in time") if limit.expired() else late, tags
            )
        except Exception as error:
            answer = _failed(error, tags)
        finally:
            await asyncio.shield(self._comfy.discard(run))
        outcome = "failed" if "error" in answer else "completed"
        log.info("raw workflow ends", extra={**tags, "status": outcome})
        return {**answer, "refresh_worker": True} if recovery.doubtful else answer

    async def _stage(self, job: RawJob, run: str, store: PatientStore) -> dict[str, str]:
        """Make the job's images input files; return name → file."""
        staged = {}
        for number, image in enumerate(job.images or ()):
            data = await self._bytes_of(image, f"images.{number}", store)
            name = hashlib.sha256(data).hexdigest() + _suffix(image.name)
            staged[image.name] = await self._comfy.stage(run, name, data)
        return staged

    async def _bytes_of(self, image: RawImage, place: str, store: PatientStore) -> bytes:
        if image.key is not None:
            return await store.get(image.key, MAX_INPUT_BYTES)
        if image.url is not None:
            return await asyncio.to_thread(self._read_url, image.url)
        return await asyncio.to_thread(_from_base64, image.image or "", place)

    async def _result(
        self, job: RawJob, folder: str, job_id: str, store: PatientStore
    ) -> dict[str, Any]:
        files = await asyncio.to_thread(saved_files, self._outputs / folder)
        if not files:
            return {"status": "success_no_images", "images": []}
        if self._link is None:
            return await asyncio.to_thread(_encoded, files)
        prefix = job.key_prefix or f"raw/{job_id}"
        return await _stored(files, prefix, store, self._link)


class _Tries:
    """A Comfy whose every try at one graph saves into another folder, ``folder`` at last: what a
    try left behind that failed is no part of the result."""

    def __init__(self, comfy: Comfy, run: str) -> None:
        self._comfy = comfy
        self._run = run
        self._graph: Graph = {}
        self._staged: Mapping[str, str] = {}
        self._count = 0

    @property
    def folder(self) -> str:
        """Where the last try saved its files, in the output folder."""
        return f"{self._run}/{self._count}"

    def prepare(self, graph: Graph, staged: Mapping[str, str]) -> FilledGraph:
        """Take the graph that is to be tried.

        Raises:
            InvalidJob: see :func:`rewritten`.
        """
        self._graph, self._staged = graph, staged
        return rewritten(graph, staged, self.folder)

    async def render(self, _: FilledGraph, on_step: Callable[[Step], None]) -> Rendered:
        self._count += 1
        return await self._comfy.render(rewritten(self._graph, self._staged, self.folder), on_step)

    async def ensure_running(self) -> None:
        await self._comfy.ensure_running()

    async def stage(self, run: str, name: str, data: bytes) -> str:
        return await self._comfy.stage(run, name, data)

    async def free(self) -> None:
        await self._comfy.free()

    async def settle(self) -> None:
        await self._comfy.settle()

    async def discard(self, run: str) -> None:
        await self._comfy.discard(run)


def raw_input(raw: Any) -> Mapping[str, Any] | None:
    """The raw workflow in an input, which may be its JSON as text; None if it is a job of ours,
    or something else."""
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            return None
    if not isinstance(raw, Mapping) or {"kind", "pages"} & set(raw):
        return None
    graph = raw.get("workflow")
    is_graph = isinstance(graph, Mapping) and not {"name", "version"} & set(graph)
    return raw if is_graph else None


def parse_raw(raw: Any) -> RawJob:
    """Return the raw workflow in a RunPod input.

    Raises:
        InvalidJob: it has another form. Names the places and echoes no value.
    """
    try:
        return RawJob.model_validate(raw)
    except ValidationError as error:
        raise InvalidJob(problems_of(error)) from None


def rewritten(graph: Graph, staged: Mapping[str, str], folder: str) -> FilledGraph:
    """Return ``graph`` with the names of its images replaced by those in ``staged``, and with
    every file name's prefix below ``folder``, beside which an end mark goes.

    Raises:
        InvalidJob: a prefix leads out of the output folder.
    """
    names = {**staged, **{f"{name} [input]": file for name, file in staged.items()}}
    prompt = copy.deepcopy(graph)
    for node_id, node in prompt.items():
        inputs = node["inputs"]
        for key, value in inputs.items():
            if isinstance(value, str) and value in names:
                inputs[key] = names[value]
        if _PREFIX_INPUT in inputs:
            inputs[_PREFIX_INPUT] = f"{folder}/{_prefix(node_id, inputs[_PREFIX_INPUT])}"
    return with_end_mark(prompt, f"{folder}_end/mark")


def saved_files(folder: Path) -> list[Saved]:
    """The files below ``folder``, in the order in which they were written."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    paths.sort(key=lambda path: (path.stat().st_mtime_ns, path))
    return [Saved(path, path.relative_to(folder).as_posix()) for path in paths]


def _prefix(node_id: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        return _DEFAULT_PREFIX  # another node makes the name, and may make it lead anywhere
    try:
        return _relative(value)
    except ValueError as error:
        place = node_id if re.fullmatch(r"[A-Za-z0-9:_-]{1,40}", node_id) else "?"
        raise InvalidJob(f"workflow.{place}.inputs.{_PREFIX_INPUT}: {error}") from None


def _from_base64(image: str, place: str) -> bytes:
    text = image.rpartition(",")[2]  # after the head of a data URI
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise InputCorrupt(f"{place}.image is not base64") from None
    if not data or len(data) > MAX_INPUT_BYTES:
        raise InputCorrupt(f"{place}.image is empty, or has over {MAX_INPUT_BYTES} bytes")
    return data


async def _stored(
    files: list[Saved], prefix: str, store: PatientStore, link: Callable[[str], str]
) -> dict[str, Any]:
    entries, errors = [], []
    for file in files:
        content_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        try:
            key = raw_output_key(prefix, file.name)
            await store.put(key, await asyncio.to_thread(file.path.read_bytes), content_type)
        except (StoreError, ValueError) as error:
            errors.append(f"a file was not stored: {error}")
        else:
            entries.append((file, {"type": "s3_url", "data": link(key)}))
    if not entries:
        raise OutputMissing("; ".join(errors))
    return _listed(entries) | ({"errors": errors} if errors else {})


def _encoded(files: list[Saved]) -> dict[str, Any]:
    too_large = ResultTooLarge(
        f"{len(files)} files don't fit into RunPod's answer of 10 MB: have the worker set up with "
        "RAW_OUTPUT=store, or save fewer or smaller files"
    )
    if sum(file.path.stat().st_size for file in files) * 4 > MAX_ANSWER_BYTES * 3:
        raise too_large
    answer = _listed(
        [
            (file, {"type": "base64", "data": base64.b64encode(file.path.read_bytes()).decode()})
            for file in files
        ]
    )
    if len(json.dumps(answer)) > MAX_ANSWER_BYTES:
        raise too_large
    return answer


def _listed(entries: list[tuple[Saved, dict[str, str]]]) -> dict[str, Any]:
    listed = [(file, {"filename": file.path.name, **data}) for file, data in entries]
    images = [entry for file, entry in listed if file.is_image]
    others = [entry for file, entry in listed if not file.is_image]
    return {"images": images, "files": others} if others else {"images": images}


def _failed(error: Exception, tags: Mapping[str, str]) -> dict[str, Any]:
    failure = to_job_error(error)
    log.warning("raw workflow failed: %s: %s", failure.code, failure.message, extra=tags)
    return {"error": f"{failure.code}: {failure.message}"}


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else ""


def _ignore(_: Step) -> None:
    """Nobody is told how far a raw workflow is."""
