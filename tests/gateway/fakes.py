"""Stand-ins for the gateway's own ports, and a clock that tests move."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from contract.job import PagesJob
from gateway.ports import EndpointJob, EndpointState, Face


class MovableClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, moment: datetime = datetime(2030, 1, 1, 12, tzinfo=UTC)) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def move(self, **by: float) -> None:
        """Move on by what ``timedelta`` takes: ``seconds=…``, ``days=…``."""
        self.moment += timedelta(**by)


@dataclass
class FakeEndpoint:
    """A render endpoint that remembers what it was given and answers what a test told it to.

    ``fail_with`` is raised by every call while it is set.
    """

    submitted: list[PagesJob] = field(default_factory=list)
    webhook_urls: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    jobs: dict[str, EndpointJob] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fail_with: Exception | None = None

    async def submit(self, job: PagesJob, *, webhook_url: str) -> str:
        self._maybe_fail()
        runpod_id = f"rp-{len(self.submitted) + 1}"
        self.submitted.append(job)
        self.webhook_urls.append(webhook_url)
        self.jobs[runpod_id] = EndpointJob(runpod_id, EndpointState.IN_QUEUE)
        return runpod_id

    async def status(self, runpod_id: str) -> EndpointJob | None:
        self._maybe_fail()
        self.asked.append(runpod_id)
        return self.jobs.get(runpod_id)

    async def cancel(self, runpod_id: str) -> None:
        self._maybe_fail()
        self.cancelled.append(runpod_id)

    async def health(self) -> dict[str, Any]:
        self._maybe_fail()
        return {"workers": {"idle": 1}}

    def _maybe_fail(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with


class FakeFaces:
    """A detector that finds what a test says: by default one large face in the middle."""

    def __init__(self, shares: Sequence[float] = (0.5,)) -> None:
        """``shares`` are the edges of square faces, as parts of the photo's edges."""
        self.shares = shares

    def detect(self, rgb: Any) -> list[Face]:
        height, width = rgb.shape[:2]
        return [Face((0.0, 0.0, width * share, height * share), 0.9) for share in self.shares]
