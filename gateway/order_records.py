"""What the gateway must not forget of paid orders, in SQL: see ``gateway.records``."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, validates

from gateway.orders import OrderStatus
from gateway.records import Record, enum_column, id_column


class Source(StrEnum):
    """Where an order was paid."""

    STRIPE = "stripe"
    SHOPIFY = "shopify"


class PaymentState(StrEnum):
    """What became of the money, as the payment provider says."""

    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


class Checkout(Record):
    """A Stripe Checkout Session that we made: what is bought, for how much.

    ``amount`` is in the currency's minor unit. An order is made of it when it is paid.
    ``dedication`` is emptied by erasure.
    """

    __tablename__ = "checkouts"
    __table_args__ = (UniqueConstraint("preview_id", "idempotency_key"),)

    session_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    preview_id: Mapped[str] = mapped_column(ForeignKey("previews.preview_id"), index=True)
    quantity: Mapped[int]
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    url: Mapped[str] = mapped_column(Text)
    dedication: Mapped[str | None] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime]


class Order(Record):
    """A paid book.

    ``(source, shop_domain, source_id)`` is the business key: a Stripe session id, or a Shopify
    order id and line item id; ``source_name`` is by what a shop's people know an order of theirs.
    ``email_key`` is ``email`` in lower case, to find it by: it follows by itself. ``preview_id`` is
    None if what was paid names no preview of ours.
    ``address`` is a :class:`gateway.ports.Address` as JSON; like ``email`` and ``dedication`` it is
    emptied by erasure. ``run`` counts fulfilment runs; ``run_due_at`` is set while one is to be
    started. ``parked_stage`` and ``parked_reason`` say why it needs attention. ``holds`` are the
    reasons for which it isn't to be printed. ``files`` keeps what was assembled: keys, digests,
    pages. ``edition`` counts what was given to the printer.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("source", "shop_domain", "source_id"),
        Index("orders_by_status", "status", "updated_at"),
        Index("orders_to_run", "run_due_at"),
        Index("orders_newest", "paid_at", "order_id"),
    )

    order_id: Mapped[str] = mapped_column(id_column(), primary_key=True)
    shop_id: Mapped[str] = mapped_column(id_column(), index=True)
    source: Mapped[Source] = mapped_column(enum_column(Source))
    shop_domain: Mapped[str] = mapped_column(String(255), default="")
    source_id: Mapped[str] = mapped_column(String(255), index=True)
    source_order: Mapped[str] = mapped_column(String(255), index=True)
    source_name: Mapped[str | None] = mapped_column(String(64), index=True)
    payment_id: Mapped[str | None] = mapped_column(String(255), index=True)
    preview_id: Mapped[str | None] = mapped_column(ForeignKey("previews.preview_id"), index=True)
    quantity: Mapped[int]
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    test: Mapped[bool] = mapped_column(default=False)
    payment: Mapped[PaymentState] = mapped_column(
        enum_column(PaymentState), default=PaymentState.PAID
    )
    customer_id: Mapped[str | None] = mapped_column(String(255), index=True)
    email: Mapped[str | None] = mapped_column(String(320))
    email_key: Mapped[str | None] = mapped_column(String(320), index=True)
    address: Mapped[dict[str, Any] | None]
    dedication: Mapped[str | None] = mapped_column(Text)
    status: Mapped[OrderStatus] = mapped_column(enum_column(OrderStatus))
    holds: Mapped[list[str]] = mapped_column(JSON, default=list)
    parked_stage: Mapped[str | None] = mapped_column(String(16))
    parked_reason: Mapped[str | None] = mapped_column(Text)
    run: Mapped[int] = mapped_column(default=1)
    run_due_at: Mapped[datetime | None]
    approved_at: Mapped[datetime | None]
    rendering: Mapped[dict[str, Any] | None]
    print_profile: Mapped[str | None] = mapped_column(String(64))
    files: Mapped[dict[str, Any] | None]
    edition: Mapped[int] = mapped_column(default=1)
    paid_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    shipped_at: Mapped[datetime | None]
    download_until: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]

    @validates("email")
    def _fold(self, _: str, email: str | None) -> str | None:
        self.email_key = email.lower() if email else None
        return email

    @property
    def hold_reason(self) -> str | None:
        """Why it isn't to be printed; None if nothing holds it."""
        return ", ".join(self.holds) or None


class OrderPage(Record):
    """Which take of a page is in an order's book. The take itself is a
    :class:`gateway.records.Page` of the preview; an older take stays where it was."""

    __tablename__ = "order_pages"
    __table_args__ = (ForeignKeyConstraint(["order_id"], ["orders.order_id"]),)

    order_id: Mapped[str] = mapped_column(id_column(), primary_key=True)
    page_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    take: Mapped[int]


class OrderEvent(Record):
    """What happened to an order, in order; nothing is ever changed here.

    ``actor`` is ``system``, a payment provider, the printer, or a desk user. ``detail`` has no
    personal data.
    """

    __tablename__ = "order_events"

    event_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.order_id"), index=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(64))
    before: Mapped[str | None] = mapped_column(String(32))
    after: Mapped[str | None] = mapped_column(String(32))
    detail: Mapped[dict[str, Any] | None]


class PrintJobRecord(Record):
    """One edition of an order at the printer. It exists before the printer hears of it.

    ``claimed_until`` is set while a run talks to the printer (see ``gateway.processes``), and
    ``asked_at`` is when one last began to. ``vendor_id`` is None until the printer's answer is
    known: then it may have the job, and is searched before it is asked again.
    """

    __tablename__ = "print_jobs"

    external_id: Mapped[str] = mapped_column(String(96), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.order_id"), index=True)
    edition: Mapped[int]
    vendor: Mapped[str] = mapped_column(String(32))
    vendor_id: Mapped[str | None] = mapped_column(String(128), index=True)
    status: Mapped[str | None] = mapped_column(String(32))
    files: Mapped[dict[str, Any]]
    tracking: Mapped[dict[str, Any] | None]
    claimed_until: Mapped[datetime | None]
    claimed_by: Mapped[str | None] = mapped_column(String(64))
    asked_at: Mapped[datetime | None]
    ask_at: Mapped[datetime | None] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class InboxItem(Record):
    """A payment provider's or printer's webhook, recorded before anything is done with it.

    ``body`` is emptied when it is done with. ``due_at`` is None once it is.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        Index("inbox_due", "due_at"),
        Index("inbox_by_second_id", "source", "second_id"),
        Index("inbox_by_shop", "source", "shop_domain"),
    )

    source: Mapped[str] = mapped_column(String(16), primary_key=True)
    message_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    second_id: Mapped[str | None] = mapped_column(String(255))
    topic: Mapped[str] = mapped_column(String(128))
    shop_domain: Mapped[str] = mapped_column(String(255), default="")
    body: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    outcome: Mapped[str | None] = mapped_column(String(255))


class OutboxItem(Record):
    """A letter or a webhook that is to leave, once. ``message_id`` names it for ever.

    ``kind`` is ``mail`` or ``webhook``; ``event`` what it tells. What is said is made when it
    leaves, from the order as it is then, except for ``payload``. Nothing else is due once
    ``due_at`` is None: ``sent_at`` tells whether it left, ``error`` why not.
    """

    __tablename__ = "outbox"
    __table_args__ = (Index("outbox_due", "due_at"),)

    message_id: Mapped[str] = mapped_column(String(160), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.order_id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    event: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]
    claimed_by: Mapped[str | None] = mapped_column(String(64))
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(255))


class DeskUser(Record):
    """A person at the order desk. ``password`` is an Argon2 hash."""

    __tablename__ = "desk_users"

    username: Mapped[str] = mapped_column(String(64), primary_key=True)
    password: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    disabled: Mapped[bool] = mapped_column(default=False)
    token_epoch: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]


class AuditEntry(Record):
    """What somebody at the desk did or looked at. No personal data of customers."""

    __tablename__ = "audit_log"

    entry_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    username: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    order_id: Mapped[str | None] = mapped_column(id_column(), index=True)
    detail: Mapped[dict[str, Any] | None]


class Removal(Record):
    """That something was removed, when and why: a record without what it was about.

    ``subject`` is a photo, preview, order or an erased customer's hashed address.
    """

    __tablename__ = "removals"

    removal_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(String(16), index=True)
    subject: Mapped[str] = mapped_column(String(128), index=True)
    reason: Mapped[str] = mapped_column(String(32))
    objects: Mapped[int] = mapped_column(default=0)
    detail: Mapped[dict[str, Any] | None]


class GatewayProcess(Record):
    """A gateway that is alive: others take over the runs of one whose ``seen_at`` is old."""

    __tablename__ = "gateway_processes"

    executor_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
