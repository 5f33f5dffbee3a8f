"""What the gateway needs of the world, as it needs it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from contract.job import PagesJob


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The current time, timezone-aware, UTC."""
        ...


class ObjectStore(Protocol):
    """Objects under keys. Methods block; errors are ``storage.errors.StoreError``."""

    def put(self, key: str, data: bytes, content_type: str) -> None: ...
    def put_file(self, key: str, path: Path, content_type: str) -> None: ...
    def get(self, key: str, max_bytes: int) -> bytes: ...
    def get_file(self, key: str, path: Path, max_bytes: int) -> None: ...
    def exists(self, key: str) -> bool: ...
    def delete(self, key: str) -> None: ...
    def ping(self) -> None: ...


class KeyValueError(Exception):
    """The mirror can't be reached, or didn't answer in time. Nothing is lost by it."""


class KeyValue(Protocol):
    """A mirror of small values with a life. Never the truth: any value may be missing.

    Methods block. Keys are up to 512 characters; values are up to 1 MiB. All may raise
    KeyValueError.
    """

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, value: bytes, ttl_s: int) -> None: ...
    def delete(self, key: str) -> None: ...
    def ping(self) -> None: ...


class EndpointState(StrEnum):
    """RunPod's job states (``RUNNING`` is read as ``IN_PROGRESS``)."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True)
class EndpointJob:
    """A job as the endpoint tells it. ``output`` and ``error`` are unchecked JSON."""

    runpod_id: str
    state: EndpointState
    output: Any = None
    error: Any = None


class EndpointError(Exception):
    """The endpoint can't be reached or refused; trying later may help.

    ``retry_after_s`` is what it asked for, if it did.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EndpointRejected(EndpointError):
    """The endpoint will never take this request (400, 401, 413): trying again is useless."""


class RenderEndpoint(Protocol):
    """The RunPod endpoint that renders pages. All may raise EndpointError."""

    async def submit(self, job: PagesJob, *, webhook_url: str) -> str:
        """Queue the job and return RunPod's id of it."""
        ...

    async def status(self, runpod_id: str) -> EndpointJob | None:
        """The job's state, or None if the endpoint no longer (or never) knew it."""
        ...

    async def cancel(self, runpod_id: str) -> None:
        """Cancel the job; nothing happens if it has ended."""
        ...

    async def health(self) -> dict[str, Any]:
        """The endpoint's own health document: counts of jobs and workers."""
        ...


@dataclass(frozen=True)
class Face:
    """A face in a photo. ``box`` is left, top, right, bottom in pixels; confidence is 0–1."""

    box: tuple[float, float, float, float]
    confidence: float


class FaceDetector(Protocol):
    """Finds faces."""

    def detect(self, rgb: Any) -> list[Face]:
        """Faces in an RGB uint8 array [H,W,3], the most confident first. Blocks."""
        ...


@dataclass(frozen=True)
class Mail:
    """A letter to one reader, in text and in HTML.

    ``message_id`` names the letter, not the attempt at it: a second attempt has the same, by which
    a mail service or a reader's program knows it. 1–128 characters, safe as a file's name.
    """

    to: str
    subject: str
    text: str
    html: str
    message_id: str


class MailError(Exception):
    """The mail wasn't taken, or it isn't known whether it was; trying later may help.

    Messages never name the reader. ``retry_after_s`` is what the service asked for, if it did.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class MailRefused(MailError):
    """The mail will never be taken, for example for its address: trying again is useless."""


class Mailer(Protocol):
    """Sends letters. Methods block and may raise MailError."""

    def send(self, mail: Mail) -> None:
        """Hand the letter over. Doing so again with the same ``message_id`` is harmless."""
        ...

    def ping(self) -> None:
        """Check that letters would be taken; none is sent."""
        ...


@dataclass(frozen=True)
class Address:
    """Where a book goes. ``country`` is ISO 3166-1 alpha-2; what a country lacks is empty."""

    name: str
    line1: str
    line2: str
    city: str
    state: str
    postcode: str
    country: str
    phone: str


@dataclass(frozen=True)
class PrintFile:
    """A PDF to print: its object's key, a signed link to it that lives for at least a day, the
    hexadecimal MD5 and SHA-256 of its bytes, and their number."""

    key: str
    url: str
    md5: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class PrintOrder:
    """A book to print.

    ``external_id`` is our name of this order to a printer: the same for every attempt at it.
    ``profile_id`` is the print profile that the files were made by, ``product`` the vendor's name
    of what to make, ``pages`` the number of pages in the interior. ``contact_email`` is the shop's,
    never the customer's.
    """

    external_id: str
    title: str
    quantity: int
    profile_id: str
    product: str
    pages: int
    interior: PrintFile
    cover: PrintFile
    ship_to: Address
    shipping_level: str
    contact_email: str


class PrintStatus(StrEnum):
    """Where a book is with the printer."""

    ACCEPTED = "accepted"
    IN_PRODUCTION = "in_production"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether the printer will tell nothing more."""
        return self in (PrintStatus.DELIVERED, PrintStatus.REJECTED, PrintStatus.CANCELLED)


@dataclass(frozen=True)
class PrintJob:
    """A print order as the printer tells it. ``tracking_urls`` are web links; ``message`` is the
    printer's own words for the desk, in one line without links."""

    vendor_id: str
    external_id: str
    status: PrintStatus
    tracking_urls: tuple[str, ...] = ()
    carrier: str = ""
    message: str = ""


class PrintError(Exception):
    """The printer can't be reached, or failed, or it isn't known what it did; trying later may
    help. ``retry_after_s`` is what it asked for, if it did."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PrintRejected(PrintError):
    """The printer will never take this order. ``faults`` says why, by field. Neither repeats a
    name, an address, or a link."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in faults.items()))
        self.faults = dict(faults)


class PrintVendor(Protocol):
    """A printer. Methods block and may raise PrintError."""

    def cover_size_in(self, product: str, pages: int) -> tuple[float, float] | None:
        """Width and height in inches of the whole cover spread, bleed and spine included, for an
        interior of so many pages; None if the printer leaves that to the print profile."""
        ...

    def find(self, external_id: str) -> PrintJob | None:
        """The job that an earlier attempt submitted, or None."""
        ...

    def submit(self, order: PrintOrder) -> PrintJob:
        """Order the book, unless :meth:`find` finds it ordered.

        Blocks for up to ten minutes: a printer may want to see the files first. No two attempts at
        one order may overlap.

        Raises PrintRejected if it will never be taken. After any other PrintError the order may
        have been taken nevertheless.
        """
        ...

    def state(self, vendor_id: str) -> PrintJob | None:
        """The job as it is now, or None if the printer doesn't know it."""
        ...

    def cancel(self, vendor_id: str) -> bool:
        """Call the job back; return whether it won't be printed."""
        ...


@dataclass(frozen=True)
class Sale:
    """What a parent is about to pay for. ``unit_amount`` is in the currency's minor unit; nothing
    here names the child.

    ``closes_at`` is when it can no longer be paid, if before the provider's own limit. A sale of
    the same ``idempotency_key`` makes one session, however often it is asked for.
    """

    preview_id: str
    title: str
    quantity: int
    unit_amount: int
    currency: str
    email: str | None
    closes_at: datetime | None
    idempotency_key: str


class PaymentsError(Exception):
    """The payment provider can't be reached, or refused. The message repeats nothing that was
    sent."""


class Payments(Protocol):
    """Stripe's Checkout. Methods block and may raise PaymentsError."""

    def create_session(self, sale: Sale) -> tuple[str, str]:
        """Open a page where the sale is paid; return the session's id and the page's URL."""
        ...

    def session(self, session_id: str) -> dict[str, Any] | None:
        """The session as Stripe's events tell it, or None if there is none."""
        ...

    def missed_events(self, since: datetime) -> Iterator[dict[str, Any]]:
        """The events since then that didn't reach everybody who is to be told."""
        ...
