"""The control plane's parts in one place, and the waiting that long polls share."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import httpx
from starlette.requests import Request

from sandbox.control_plane.clock import Clock, MonotonicClock
from sandbox.control_plane.errors import NotFound, Unauthorized
from sandbox.control_plane.faults import Faults
from sandbox.control_plane.limits import RateLimiter
from sandbox.control_plane.queue import Queue
from sandbox.control_plane.settings import Settings
from sandbox.control_plane.webhooks import Webhooks

T = TypeVar("T")


class Plane:
    """Queue, limits, faults and webhooks of one endpoint."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or MonotonicClock()
        self.queue = Queue(self.clock, settings.rules)
        self.limiter = RateLimiter(self.clock)
        self.faults = Faults()
        # The proxies of the developer's environment must not see what stays on this machine.
        self._client = client or httpx.AsyncClient(trust_env=False)
        self._webhooks = Webhooks(self._client, settings.webhook_retry_s, self.faults)
        self._changed = asyncio.Event()
        self._closing = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let time act on the queue for as long as the block runs."""
        ticker = asyncio.create_task(self._tick_forever())
        try:
            yield
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker
            await self._webhooks.close()
            await self._client.aclose()

    def stop_waiting(self) -> None:
        """Answer every long poll now, and any later one at once."""
        self._closing = True
        self._wake()

    def settle(self) -> None:
        """After any change to the queue: send webhooks and wake who waits."""
        for job in self.queue.take_ended():
            if job.request.webhook is not None:
                self._webhooks.send(job.request.webhook, job.document(self.clock.now()))
        self._wake()

    def check_caller(self, request: Request, key: str) -> None:
        """Raises Unauthorized for a wrong key, NotFound for another endpoint.

        RunPod takes the key with and without `Bearer`.
        """
        offered = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(offered.encode(), key.encode()):
            raise Unauthorized("the API key is missing or wrong")
        if request.path_params["endpoint_id"] != self.settings.endpoint_id:
            raise NotFound("endpoint not found")

    async def hold(
        self, request: Request, answer: Callable[[], T | None], for_s: float
    ) -> T | None:
        """The first answer that isn't None; None after `for_s` seconds.

        A client that hangs up gets none, so that nothing is handed to a dead connection.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + for_s
        gone = asyncio.ensure_future(_hung_up(request))
        # One turn of the loop shows a client that has left already.
        await asyncio.sleep(0)
        try:
            while not gone.done():
                if (found := answer()) is not None:
                    return found
                remaining = deadline - loop.time()
                if remaining <= 0 or self._closing:
                    return None
                changed = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait(
                    {changed, gone}, timeout=remaining, return_when=asyncio.FIRST_COMPLETED
                )
                changed.cancel()
            return None
        finally:
            gone.cancel()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.tick_s)
            self.queue.tick()
            self.settle()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
