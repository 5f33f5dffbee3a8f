"""Stand-ins for the gateway's own ports, and a clock that tests move."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from contract.job import PagesJob
from gateway.ports import (
    EndpointJob,
    EndpointState,
    Face,
    Mail,
    PrintJob,
    PrintOrder,
    PrintStatus,
)


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


@dataclass
class FakeCourier:
    """A courier that keeps what it was given: (url, message id, body). ``fail_with`` is raised by
    every delivery while set."""

    delivered: list[tuple[str, str, bytes]] = field(default_factory=list)
    fail_with: Exception | None = None

    def deliver(self, url: str, secret: str, message_id: str, body: bytes) -> None:
        if self.fail_with is not None:
            raise self.fail_with
        self.delivered.append((url, message_id, body))


@dataclass
class FakeMailer:
    """A mailer that keeps what it was given. ``fail_with`` is raised by every call while set."""

    sent: list[Mail] = field(default_factory=list)
    fail_with: Exception | None = None

    def send(self, mail: Mail) -> None:
        self.ping()
        self.sent.append(mail)

    def ping(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with


@dataclass
class FakePrinter:
    """A printer that accepts everything. A test sets ``jobs`` to what it is to tell of a job.

    ``fail_with`` is raised by every call while set; ``fail_after_accepting`` by each submission,
    when the job has been taken. Ours are the ids: ``vendor-{external_id}``.
    """

    submitted: list[PrintOrder] = field(default_factory=list)
    jobs: dict[str, PrintJob] = field(default_factory=dict)
    fail_with: Exception | None = None
    fail_after_accepting: Exception | None = None

    def cover_size_in(self, product: str, pages: int) -> None:
        self._maybe_fail()

    def find(self, external_id: str) -> PrintJob | None:
        return self.state(f"vendor-{external_id}")

    def submit(self, order: PrintOrder) -> PrintJob:
        found = self.find(order.external_id)
        if found is not None:
            return found
        self.submitted.append(order)
        vendor_id = f"vendor-{order.external_id}"
        self.jobs[vendor_id] = PrintJob(vendor_id, order.external_id, PrintStatus.ACCEPTED)
        if self.fail_after_accepting is not None:
            raise self.fail_after_accepting
        return self.jobs[vendor_id]

    def state(self, vendor_id: str) -> PrintJob | None:
        self._maybe_fail()
        return self.jobs.get(vendor_id)

    def cancel(self, vendor_id: str) -> bool:
        job = self.state(vendor_id)
        if job is None or job.status is not PrintStatus.ACCEPTED:
            return False
        self.jobs[vendor_id] = PrintJob(vendor_id, job.external_id, PrintStatus.CANCELLED)
        return True

    def _maybe_fail(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with
