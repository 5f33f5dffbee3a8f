"""Sends the letters and webhooks that orders brought about.

What is to leave is written in the transaction that causes it (``gateway.order_book.send``), so that
none is lost and none is made up. It is sent at least once: a process that dies between sending and
writing that down sends it again, under the same id. The folder and Resend know an id that they had;
an SMTP server gets the same Message-ID, and shops the same ``webhook-id``.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import ColumnElement, Engine, or_, select, update

from gateway.due import is_due, is_due_again
from gateway.order_records import Order, OutboxItem
from gateway.ports import Clock, Mail, Mailer, MailError, MailRefused
from gateway.processes import ThisProcess
from gateway.records import reading, writing
from gateway.shops import Shop

logger = logging.getLogger(__name__)

MAIL: Final = "mail"
WEBHOOK: Final = "webhook"

CLAIM_LIFE: Final = timedelta(minutes=5)
"""How long sending one thing may take; longer than all time-outs of what sends it."""

MAX_ATTEMPTS: Final = 24
"""With pauses that grow to six hours, it is tried for five days."""

_LONGEST_PAUSE_S: Final = 6 * 3600.0


class DeliveryFailed(Exception):
    """A shop didn't take a webhook. With ``never`` it won't: its address is gone (410)."""

    def __init__(self, reason: str, *, never: bool = False) -> None:
        super().__init__(reason)
        self.never = never


class Courier(Protocol):
    """Brings a shop its webhook. Blocks."""

    def deliver(self, url: str, secret: str, message_id: str, body: bytes) -> None:
        """Post ``body``, signed by Standard Webhooks.

        Raises:
            DeliveryFailed: it wasn't answered by 2xx.
        """
        ...


def unsent(engine: Engine) -> list[OutboxItem]:
    """What should have left and didn't: still tried, or given up. The oldest first."""
    with reading(engine) as session:
        return list(
            session.scalars(
                select(OutboxItem)
                .where(OutboxItem.sent_at.is_(None), OutboxItem.error.is_not(None))
                .order_by(OutboxItem.created_at)
            )
        )


def replay(engine: Engine, clock: Clock, message_id: str) -> bool:
    """Have something sent once more, under its id; whether there is such a thing."""
    with writing(engine) as session:
        item = session.get(OutboxItem, message_id, with_for_update=True)
        if item is None:
            return False
        item.due_at = clock.now()
        item.attempts = 0
        item.error = None
        return True


@dataclass(frozen=True)
class Outbox:
    """Sends what is due. Methods block; any number of gateways may send at once, each of them in
    one thread.

    ``letter`` writes the letter of an order: (order id, event, sending) → Mail, or None if there is
    nobody to write to any more.
    """

    engine: Engine
    clock: Clock
    mailer: Mailer
    courier: Courier
    letter: Callable[[str, str, int], Mail | None]
    jitter: Callable[[], float]
    process: ThisProcess

    def send_due(self, limit: int = 20) -> int:
        """Send what is due; return how much there was."""
        due = self._due(limit)
        for message_id in due:
            if self._claim(message_id):
                self._send(message_id)
        return len(due)

    def _due(self, limit: int) -> Sequence[str]:
        now = self.clock.now()
        with reading(self.engine) as session:
            return session.scalars(
                select(OutboxItem.message_id)
                .where(*self._may_leave(now))
                .order_by(OutboxItem.due_at)
                .limit(limit)
            ).all()

    def _may_leave(self, now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        free = self.process.may_claim(OutboxItem, now)
        # A process sends one thing after another: where it looks for the next one, an earlier claim
        # of its own is one that it couldn't settle, since the database was away.
        own = OutboxItem.claimed_by == self.process.executor_id
        return (
            is_due_again(OutboxItem.due_at, OutboxItem.attempts, now, _PAUSES),
            or_(free, own, is_due(OutboxItem.claimed_until, now, CLAIM_LIFE)),
        )

    def _claim(self, message_id: str) -> bool:
        now = self.clock.now()
        with writing(self.engine) as session:
            taken = session.scalars(
                update(OutboxItem)
                .where(OutboxItem.message_id == message_id, *self._may_leave(now))
                .values(
                    claimed_until=now + CLAIM_LIFE,
                    claimed_by=self.process.executor_id,
                    attempts=OutboxItem.attempts + 1,
                )
                .returning(OutboxItem.message_id)
            ).all()
            return bool(taken)

    def _send(self, message_id: str) -> None:
        with reading(self.engine) as session:
            item = session.get_one(OutboxItem, message_id)
            order = session.get_one(Order, item.order_id)
            shop = session.get(Shop, order.shop_id)
        try:
            if item.kind == MAIL:
                self._mail(item)
            else:
                self._webhook(item, order, shop)
        except (MailRefused, DeliveryFailed, MailError) as error:
            never = isinstance(error, MailRefused) or getattr(error, "never", False)
            self._failed(item, str(error), never=never)
        except Exception as error:
            # Whatever it is, the others must leave; this one is tried again.
            logger.exception("couldn't be sent", extra={"message_id": message_id})
            self._failed(item, type(error).__name__, never=False)
        else:
            self._done(message_id)

    def _mail(self, item: OutboxItem) -> None:
        mail = self.letter(item.order_id, item.event, int((item.payload or {}).get("sending", 1)))
        if mail is not None:
            self.mailer.send(mail)

    def _webhook(self, item: OutboxItem, order: Order, shop: Shop | None) -> None:
        if shop is None or not shop.webhook_url or not shop.webhook_secret:
            return
        body = {
            "type": item.event,
            "timestamp": item.created_at.isoformat(),
            "data": {
                "order_id": order.order_id,
                "preview_id": order.preview_id,
                "source": order.source,
                "source_order": order.source_order,
                **(item.payload or {}),
            },
        }
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        self.courier.deliver(shop.webhook_url, shop.webhook_secret, item.message_id, text)

    def _done(self, message_id: str) -> None:
        now = self.clock.now()
        with writing(self.engine) as session:
            item = session.get_one(OutboxItem, message_id, with_for_update=True)
            item.sent_at = now
            item.due_at = item.claimed_until = item.error = None

    def _failed(self, sent: OutboxItem, reason: str, *, never: bool) -> None:
        facts = {"message_id": sent.message_id, "attempt": sent.attempts}
        logger.warning("not delivered", extra=facts)
        with writing(self.engine) as session:
            item = session.get_one(OutboxItem, sent.message_id, with_for_update=True)
            item.claimed_until = None
            item.error = reason[:255]
            if never or item.attempts >= MAX_ATTEMPTS:
                item.due_at = None
            else:
                item.due_at = self.clock.now() + timedelta(seconds=self._pause_s(item.attempts))

    def _pause_s(self, attempts: int) -> float:
        return _full_pause_s(attempts) * (1 - self.jitter() / 2)


def _full_pause_s(attempts: int) -> float:
    """The longest pause after so many attempts; nothing waits that was never tried."""
    return min(_LONGEST_PAUSE_S, 5.0 * 2.0 ** (attempts - 1)) if attempts else 0.0


_PAUSES: Final = [timedelta(seconds=_full_pause_s(attempts)) for attempts in range(MAX_ATTEMPTS)]
