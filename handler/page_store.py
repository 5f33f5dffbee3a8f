"""Pages in the object store: whether one is there already, and how a new one gets there."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

from contract.result import StoredImage
from handler.images import png_size
from handler.patient_store import PatientStore
from handler.pixels import encoded, note_of
from storage.errors import ObjectNotFound, ObjectTooLarge

MAX_PAGE_BYTES: Final = 128 * 1024 * 1024
"""More than any page has: 6000 × 6000 pixels that can't be compressed."""

_CONTENT_TYPE: Final = "image/png"


@dataclass(frozen=True)
class Png:
    """A page as a whole PNG. ``digest`` says what it is made from, and is its note if it was
    encoded here."""

    data: bytes
    sha256: str
    width: int
    height: int
    digest: str

    def under(self, key: str) -> StoredImage:
        """The page as it lies under ``key``."""
        return StoredImage(
            key=key,
            sha256=self.sha256,
            size_bytes=len(self.data),
            width=self.width,
            height=self.height,
        )


def as_png(data: bytes, raw: bool, digest: str) -> Png:
    """Return the page that ComfyUI has made, from its pixels if it is ``raw``.

    Raises:
        OutputMissing: it is no whole image.
    """
    if raw:
        data, width, height = encoded(data, note=digest)
    else:
        width, height = png_size(data)
    return Png(data, hashlib.sha256(data).hexdigest(), width, height, digest)


class PageStore:
    """The pages of one job in the object store."""

    def __init__(self, store: PatientStore) -> None:
        self._store = store

    async def find(self, key: str, digest: str) -> Png | None:
        """Return the page under ``key`` if it is whole and made from the same.

        Raises:
            StoreError: the store can't be read.
        """
        try:
            data = await self._store.get(key, MAX_PAGE_BYTES)
        except (ObjectNotFound, ObjectTooLarge):
            return None
        return await asyncio.to_thread(_if_made_from, digest, data)

    async def keep(self, key: str, png: Png) -> tuple[Png, bool]:
        """Store a page; return the one that then lies under ``key``, and whether it was there
        before.

        Another worker may have stored the same page meanwhile: then its page stays.

        Raises:
            StoreError.
        """
        if await self._store.put_new(key, png.data, _CONTENT_TYPE):
            return png, False
        there = await self.find(key, png.digest)
        if there is not None:
            # Our own bytes: an upload arrived whose answer got lost.
            return there, there.sha256 != png.sha256
        await self._store.put(key, png.data, _CONTENT_TYPE)
        return png, False


def _if_made_from(digest: str, data: bytes) -> Png | None:
    """The page in ``data`` if that is its note; raises OutputMissing if it isn't whole."""
    if note_of(data) != digest:
        return None
    width, height = png_size(data)
    return Png(data, hashlib.sha256(data).hexdigest(), width, height, digest)
