"""Time and a webhook receiver that tests own."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass
class FakeClock:
    """Stands still until it is told to go on."""

    time: float = 1000.0

    def now(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Receiver:
    """Answers webhooks with `statuses` in turn, then with 200, and keeps what it got."""

    statuses: list[int] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/hook", self._receive, methods=["POST"])])

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(5), self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= count)

    async def _receive(self, request: Request) -> Response:
        async with self._arrived:
            self.received.append(await request.json())
            self.headers.append(dict(request.headers))
            self._arrived.notify_all()
        return Response(status_code=self.statuses.pop(0) if self.statuses else 200)
