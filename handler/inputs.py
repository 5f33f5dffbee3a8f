"""The input images of one job: fetched once each, checked, put where ComfyUI finds them."""

import asyncio
import hashlib
from collections.abc import Mapping

from contract.job import ObjectRef
from handler.errors import InputCorrupt
from handler.images import input_suffix
from handler.ports import Comfy, ObjectStore

MAX_INPUT_BYTES = 32 * 1024 * 1024


class JobInputs:
    """Fetches the objects of a job's pages. Pages that share an object share its file."""

    def __init__(self, store: ObjectStore, comfy: Comfy, run: str) -> None:
        self._store = store
        self._comfy = comfy
        self._run = run
        self._fetches: dict[ObjectRef, asyncio.Task[str]] = {}

    def prefetch(self, assets: Mapping[str, ObjectRef]) -> None:
        """Begin to fetch in the background; an error shows when the page itself asks."""
        for ref in assets.values():
            self._fetch(ref)

    async def names(self, assets: Mapping[str, ObjectRef]) -> dict[str, str]:
        """Return slot → input file name, once every object of ``assets`` is there.

        Raises:
            StoreError: the store failed, or there is no such object.
            InputCorrupt: an object is too large, has another hash, or is no whole image.
        """
        self.prefetch(assets)
        return {slot: await self._fetched(ref) for slot, ref in assets.items()}

    async def close(self) -> None:
        """Give up what is still being fetched."""
        tasks = list(self._fetches.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._fetches.clear()

    async def _fetched(self, ref: ObjectRef) -> str:
        try:
            return await self._fetch(ref)
        except Exception:
            self._fetches.pop(ref, None)  # another page may have more luck
            raise

    def _fetch(self, ref: ObjectRef) -> "asyncio.Task[str]":
        if ref not in self._fetches:
            self._fetches[ref] = asyncio.create_task(self._stage(ref))
        return self._fetches[ref]

    async def _stage(self, ref: ObjectRef) -> str:
        data = await asyncio.to_thread(self._store.get, ref.key, MAX_INPUT_BYTES)
        name = await asyncio.to_thread(_content_name, data, ref)
        return await self._comfy.stage(self._run, name, data)


def _content_name(data: bytes, ref: ObjectRef) -> str:
    """Name a file by what is in it: two keys that end alike can't take each other's place."""
    digest = hashlib.sha256(data).hexdigest()
    label = f"the object under {ref.key!r}"
    if ref.sha256 not in (None, digest):
        raise InputCorrupt(f"{label} does not have the expected SHA-256")
    return digest + input_suffix(data, label)
