"""RunPod's job webhook: the status document, unsigned, with two more tries."""

import asyncio
import logging
from typing import Any

import httpx

from sandbox.control_plane.errors import InjectedFault
from sandbox.control_plane.faults import Faults

logger = logging.getLogger(__name__)

TRIES = 3
TIMEOUT_S = 30.0


class Webhooks:
    """Posts documents in the background; only a 200 counts as received."""

    def __init__(self, client: httpx.AsyncClient, retry_s: float, faults: Faults) -> None:
        self._client = client
        self._retry_s = retry_s
        self._faults = faults
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, url: str, document: dict[str, Any]) -> None:
        """Start posting `document` to `url`; failures are logged, never raised."""
        task = asyncio.create_task(self._deliver(url, document))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what has not been delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, url: str, document: dict[str, Any]) -> None:
        for attempt in range(1, TRIES + 1):
            if attempt > 1:
                await asyncio.sleep(self._retry_s)
            if await self._post(url, document):
                return
            # The URL stays out of the log: the token in its path is its only protection.
            logger.warning("webhook of %s: try %d of %d failed", document["id"], attempt, TRIES)

    async def _post(self, url: str, document: dict[str, Any]) -> bool:
        try:
            if self._faults.strike("webhook"):
                return True
            answer = await self._client.post(url, json=document, timeout=TIMEOUT_S)
        except (InjectedFault, httpx.HTTPError, httpx.InvalidURL):
            return False
        return answer.status_code == 200
