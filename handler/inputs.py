"""The input files of one job: fetched once each, checked, put where ComfyUI finds them."""

import asyncio
import hashlib
from collections.abc import Mapping

from contract.job import ObjectRef
from handler.errors import InputCorrupt
from handler.images import input_suffix
from handler.input_cache import InputCache
from handler.patient_store import PatientStore
from handler.pixels import decoded
from handler.ports import Comfy

MAX_INPUT_BYTES = 32 * 1024 * 1024
PIXELS_SUFFIX = ".npy"


class JobInputs:
    """Fetches the objects of a job's pages. Pages that share an object share its file.

    Slots are filled with a file's pixels, decoded here and not by ComfyUI while it could render,
    if they are among ``raw``, and with the file itself otherwise.
    """

    def __init__(
        self, store: PatientStore, comfy: Comfy, run: str, cache: InputCache | None = None
    ) -> None:
        self._store = store
        self._comfy = comfy
        self._run = run
        self._cache = cache
        self._fetches: dict[tuple[ObjectRef, bool], asyncio.Task[str]] = {}
        self._writes: dict[str, asyncio.Task[str]] = {}

    def prefetch(self, assets: Mapping[str, ObjectRef], raw: frozenset[str]) -> None:
        """Begin to fetch in the background; an error shows when the page itself asks."""
        for slot, ref in assets.items():
            self._fetch(ref, slot in raw)

    async def names(self, assets: Mapping[str, ObjectRef], raw: frozenset[str]) -> dict[str, str]:
        """Return slot → input file name, once every object of ``assets`` is there.

        Raises:
            StoreError: the store failed, or there is no such object.
            InputCorrupt: an object is too large, has another hash, or is no whole image.
        """
        self.prefetch(assets, raw)
        return {slot: await self._fetched(ref, slot in raw) for slot, ref in assets.items()}

    async def stage(self, name: str, data: bytes) -> str:
        """Make ``data`` an input file; return the name that nodes take. ``name`` says what is in
        it, so a file of that name is written once: ComfyUI may be reading it."""
        write = self._writes.get(name)
        if write is None:
            write = asyncio.create_task(self._comfy.stage(self._run, name, data))
            self._writes[name] = write
        try:
            return await asyncio.shield(write)
        except Exception:
            if self._writes.get(name) is write:
                del self._writes[name]
            raise

    async def close(self) -> None:
        """Give up what is still being fetched, and wait for files that are being written: whoever
        removes the run's files then finds them all."""
        fetches = list(self._fetches.values())
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        await asyncio.gather(*self._writes.values(), return_exceptions=True)
        self._fetches.clear()
        self._writes.clear()

    async def _fetched(self, ref: ObjectRef, raw: bool) -> str:
        fetch = self._fetch(ref, raw)
        try:
            return await asyncio.shield(fetch)  # a page that is given up mustn't end it for others
        except Exception:
            if self._fetches.get((ref, raw)) is fetch:
                del self._fetches[ref, raw]  # another page may have more luck
            raise

    def _fetch(self, ref: ObjectRef, raw: bool) -> "asyncio.Task[str]":
        if (ref, raw) not in self._fetches:
            stage = self._stage_pixels(ref) if raw else self._stage_file(ref)
            self._fetches[ref, raw] = asyncio.create_task(stage)
        return self._fetches[ref, raw]

    async def _stage_file(self, ref: ObjectRef) -> str:
        data = await self._store.get(ref.key, MAX_INPUT_BYTES)
        return await self.stage(await asyncio.to_thread(_file_name, ref, data), data)

    async def _stage_pixels(self, ref: ObjectRef) -> str:
        kept = None if self._cache is None else await asyncio.to_thread(self._cache.get, ref)
        if kept is not None:
            return await self.stage(f"{ref.sha256}{PIXELS_SUFFIX}", kept)
        data = await self._store.get(ref.key, MAX_INPUT_BYTES)
        return await self.stage(*await asyncio.to_thread(self._pixels, ref, data))

    def _pixels(self, ref: ObjectRef, data: bytes) -> tuple[str, bytes]:
        """The name and the pixels of an image."""
        name = _digest(ref, data) + PIXELS_SUFFIX
        pixels = decoded(data, _label(ref))
        if self._cache is not None:
            self._cache.put(ref, pixels)
        return name, pixels


def _file_name(ref: ObjectRef, data: bytes) -> str:
    return _digest(ref, data) + input_suffix(data, _label(ref))


def _digest(ref: ObjectRef, data: bytes) -> str:
    """The SHA-256 of an object's bytes, if they are the expected ones.

    A file is named by what is in it: two keys that end alike can't take each other's place.
    """
    digest = hashlib.sha256(data).hexdigest()
    if ref.sha256 not in (None, digest):
        raise InputCorrupt(f"{_label(ref)} does not have the expected SHA-256")
    return digest


def _label(ref: ObjectRef) -> str:
    return f"the object under {ref.key!r}"
