"""The object store as one job uses it: patiently."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeVar

from handler.backoff import Backoff
from handler.ports import Clock, ObjectStore
from storage.errors import StoreRefused, StoreUnavailable

_TRIES: Final = 5

T = TypeVar("T")

log = logging.getLogger(__name__)


class PatientStore:
    """An object store for the event loop. Its calls run in threads.

    A call that the store can't carry out now is made again, five times in all, with growing
    pauses. What time doesn't mend is raised at once: there is no such object, no space, or our
    credentials are refused. Whoever has a deadline bounds the call from outside.
    """

    def __init__(self, store: ObjectStore, clock: Clock, job_id: str) -> None:
        self._store = store
        self._clock = clock
        self._tags = {"job_id": job_id}

    async def get(self, key: str, max_bytes: int) -> bytes:
        """Return an object; raises ``storage.errors``."""
        return await self._patiently("read", lambda: self._store.get(key, max_bytes))

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Write an object whole or not at all; raises ``storage.errors``."""
        await self._patiently("stored", lambda: self._store.put(key, data, content_type))

    async def put_new(self, key: str, data: bytes, content_type: str) -> bool:
        """Write an object unless there is one; return whether it was written. False may mean that
        it was, by a try whose answer got lost. Raises ``storage.errors``."""
        return await self._patiently("stored", lambda: self._store.put_new(key, data, content_type))

    async def _patiently(self, done: str, call: Callable[[], T]) -> T:
        backoff, tries = Backoff(), 0
        while True:
            await self._clock.sleep(backoff.next())
            try:
                return await asyncio.to_thread(call)
            except StoreUnavailable as error:
                tries += 1
                if tries == _TRIES or isinstance(error, StoreRefused):
                    raise
                log.warning("object not %s, trying again: %s", done, error, extra=self._tags)
