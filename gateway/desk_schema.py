"""What the order desk sends and gets, as JSON. Requests are strict: unknown fields are errors."""

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from contract.keys import BookPart
from contract.status import PageStatus
from contract.types import Identifier
from gateway.desk_users import PASSWORD_MAX, Role
from gateway.mail_letters import Letter
from gateway.order_records import PaymentState, Source
from gateway.orders import OrderStatus
from gateway.schema import Dedication, Seed

PAGE_OF_ORDERS = 50
"""How many orders a list tells at a time, if nothing else is asked for."""


def _printable(text: str) -> str:
    if any(unicodedata.category(character).startswith("C") for character in text):
        raise ValueError("may have no control characters")
    return text


Line = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=100), AfterValidator(_printable)
]
FullLine = Annotated[Line, Field(min_length=1)]
Reason = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Login(_Request):
    """A name and a password."""

    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=PASSWORD_MAX)


class OrderQuery(BaseModel):
    """Which orders are listed. ``q`` is an order id, the shop's name or number of an order, the id
    of a payment or its session, a printer's id of a job, or a whole e-mail address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: OrderStatus | None = None
    q: Annotated[str, AfterValidator(_printable)] | None = Field(
        default=None, min_length=1, max_length=320
    )
    cursor: str | None = Field(default=None, max_length=200)
    limit: int = Field(default=PAGE_OF_ORDERS, ge=1, le=100)


class AuditQuery(BaseModel):
    """Which entries of the audit log are listed: from ``since`` on, before ``until``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order_id: Identifier | None = None
    username: Annotated[str, AfterValidator(_printable)] | None = Field(
        default=None, min_length=1, max_length=64
    )
    action: Reason | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    cursor: str | None = Field(default=None, max_length=200)
    limit: int = Field(default=PAGE_OF_ORDERS, ge=1, le=100)


class Nothing(_Request):
    """An action that needs no words: ``{}``."""


class Why(_Request):
    """Why something is done: a short code such as ``wrong_child``, never a name."""

    reason: Reason = "desk"


class Resend(_Request):
    """Which letter is sent again."""

    letter: Letter = Field(strict=False)


class RefundNote(_Request):
    """That money was given back elsewhere, in the currency's minor unit. ``note`` is for the desk
    and has nothing of the customer in it."""

    amount: int | None = Field(default=None, ge=1)
    note: Annotated[str, AfterValidator(_printable)] = Field(min_length=1, max_length=500)


class AddressCorrection(_Request):
    """Where the book goes. ``country`` is ISO 3166-1 alpha-2; what a country lacks is empty."""

    name: FullLine
    line1: FullLine
    line2: Line = ""
    city: FullLine
    state: Line = ""
    postcode: Line = ""
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    phone: Line = ""


class DedicationChange(_Request):
    """What is printed beneath the book's title; None or an empty text takes it away."""

    dedication: Dedication | None


class Regenerate(_Request):
    """Ask for another take of a page; without ``seed`` one is chosen."""

    seed: Seed | None = None


class Choose(_Request):
    """Which take of a page is in the book."""

    take: int = Field(ge=1)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class DeskSession(_Answer):
    """A token for the order desk."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # the kind of the token
    expires_at: datetime
    username: str
    role: Role


class OrderRow(_Answer):
    """An order in a list: nothing personal. ``amount`` is in the currency's minor unit;
    ``source_name`` is by what a shop's people know the order, such as ``#1001``."""

    order_id: str
    shop_id: str
    source: Source
    source_order: str
    source_name: str | None
    status: OrderStatus
    payment: PaymentState
    test: bool
    quantity: int
    amount: int
    currency: str
    parked_stage: str | None
    parked_reason: str | None
    hold_reason: str | None
    paid_at: datetime
    updated_at: datetime
    shipped_at: datetime | None
    erased_at: datetime | None


class OrderList(_Answer):
    """Orders, the newest first. ``next_cursor`` is None at the end."""

    orders: list[OrderRow]
    next_cursor: str | None


class AuditRow(_Answer):
    """What somebody at the desk did or looked at; nothing personal of customers."""

    at: datetime
    username: str
    action: str
    order_id: str | None
    detail: dict[str, Any] | None


class AuditList(_Answer):
    """Entries of the audit log, the newest first. ``next_cursor`` is None at the end."""

    entries: list[AuditRow]
    next_cursor: str | None


class Child(_Answer):
    """Who the book is about."""

    name: str
    age: int | None
    gender: str | None
    appearance: str | None


class Take(_Answer):
    """One rendering of a page; ``image_url`` is an expiring link to the picture without a mark."""

    take: int
    chosen: bool
    status: PageStatus
    seed: int
    image_url: str
    error_code: str | None


class DeskPage(_Answer):
    """A page and its takes, the oldest first."""

    page_number: int
    takes: list[Take]


class HistoryEntry(_Answer):
    """What happened, when, and by whom."""

    at: datetime
    actor: str
    kind: str
    before: str | None
    after: str | None
    detail: dict[str, Any] | None


class PrintJobEntry(_Answer):
    """An edition at the printer."""

    external_id: str
    edition: int
    vendor: str
    vendor_id: str | None
    status: str | None
    tracking: dict[str, Any] | None
    attempts: int
    updated_at: datetime


class OutboxEntry(_Answer):
    """A letter to the parent or a webhook to the shop."""

    message_id: str
    kind: str
    event: str
    created_at: datetime
    due_at: datetime | None
    attempts: int
    sent_at: datetime | None
    error: str | None


class CostEntry(_Answer):
    """What pages cost: GPU seconds, and US dollars in decimal digits."""

    pages: int
    gpu_seconds: float
    usd: str


class OrderDetail(OrderRow):
    """All of an order. ``cost`` is of what was rendered for it alone, ``preview_cost`` of what its
    preview had rendered before and beside it. ``files`` are the parts of the book that are
    there."""

    email: str | None
    address: dict[str, str] | None
    dedication: str | None
    customer_id: str | None
    preview_id: str | None
    book_id: str | None
    title: str | None
    child: Child | None
    approved_at: datetime | None
    download_until: datetime | None
    run: int
    edition: int
    print_profile: str | None
    pages: list[DeskPage]
    files: list[BookPart]
    history: list[HistoryEntry]
    print_jobs: list[PrintJobEntry]
    outbox: list[OutboxEntry]
    cost: CostEntry
    preview_cost: CostEntry


class FileLink(_Answer):
    """An expiring link to a file."""

    url: str
