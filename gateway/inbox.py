"""What payment providers and printers tell us, recorded before anything is done with it.

A webhook is answered as soon as it is in SQL. What it means is worked out afterwards, by the
handler of its source, again and again until it is done. So nothing is lost if a process dies, and
nothing is done twice if a webhook comes twice: handlers are safe to repeat, and may be called by
several gateways at once.

A message may be about something that isn't there yet, since messages come in any order: it waits
for that, for as long as the senders themselves try. One that can't be dealt with is logged, and
kept for a person: :func:`replay` has it handled once more.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import anyio
import anyio.to_thread
from sqlalchemy import ColumnElement, Engine, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway.due import is_due, is_due_again
from gateway.order_records import InboxItem
from gateway.ports import Clock
from gateway.records import reading, writing

logger = logging.getLogger(__name__)

STRIPE: Final = "stripe"
SHOPIFY: Final = "shopify"
PRINTER: Final = "printer"

CLAIM_LIFE: Final = timedelta(seconds=60)
"""For so long nobody else handles what was claimed. What takes longer is begun by another, too,
which is harmless; what died with its process goes on after it."""

MAX_ATTEMPTS: Final = 10
"""With pauses that grow to six hours, a message that fails is tried for a day."""

PATIENCE: Final = timedelta(days=3)
"""How long a message waits for what it is about. Payment providers repeat theirs for as long."""

_FIRST_PAUSE: Final = timedelta(seconds=5)
_LONGEST_PAUSE: Final = timedelta(hours=6)
_FIRST_WAIT: Final = timedelta(seconds=10)
_LONGEST_WAIT: Final = timedelta(hours=1)
_BATCH: Final = 64

WAITS: Final = "waits: "
GAVE_UP: Final = "gave up: "
FAILED: Final = "failed: "


@dataclass(frozen=True)
class Message:
    """A webhook. ``source`` and ``message_id`` are its name: the same one counts once.

    ``second_id`` is what else it goes by: Shopify's event id; for Stripe the payment that it is
    about. ``body`` is what was sent, unchanged.
    """

    source: str
    message_id: str
    topic: str
    body: str
    second_id: str | None = None
    shop_domain: str = ""


class NotYet(Exception):
    """What a message is about isn't there yet. ``reason`` is a short code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unusable(Exception):
    """A message will never be of use. ``reason`` is a short code, without what was sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Handler = Callable[[Message], str]
"""Does what a message asks for and returns a word on what that was. Safe to repeat.

Raises NotYet or Unusable; after anything else it is called again, later.
"""


def undone(engine: Engine) -> list[InboxItem]:
    """Messages that wait, fail, or were given up; the oldest first."""
    with reading(engine) as session:
        return list(
            session.scalars(
                select(InboxItem)
                .where(InboxItem.body.is_not(None), InboxItem.outcome.is_not(None))
                .order_by(InboxItem.received_at)
            )
        )


def replay(engine: Engine, clock: Clock, source: str, message_id: str) -> bool:
    """Have a message handled once more; whether that is possible. One that was dealt with has no
    body any more."""
    with writing(engine) as session:
        item = session.get(InboxItem, (source, message_id), with_for_update=True)
        if item is None or item.body is None:
            return False
        item.due_at = clock.now()
        item.received_at = max(item.received_at, item.due_at - PATIENCE)
        item.attempts = 0
        item.outcome = None
        return True


@dataclass(frozen=True)
class Inbox:
    """Messages in SQL, and what is done with them. Methods block; threads and gateways share it.

    ``handlers`` are by source.
    """

    engine: Engine
    clock: Clock
    handlers: Mapping[str, Handler]

    def record(self, messages: Sequence[Message]) -> list[bool]:
        """Record messages, in one transaction; return which of them are new."""
        insert = postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        # Nothing comes back of one that is there.
        statement = insert(InboxItem).on_conflict_do_nothing().returning(InboxItem.message_id)
        now = self.clock.now()
        new = [False] * len(messages)
        # In one order, so that two gateways that record the same never wait for each other.
        ordered = sorted(range(len(messages)), key=lambda i: messages[i].message_id)
        with writing(self.engine) as session:
            for index in ordered:
                row = _row(messages[index], now)
                new[index] = session.connection().execute(statement, row).first() is not None
        return new

    def work_due(self, limit: int = 50) -> int:
        """Handle what is due; return how much there was."""
        claimed = self._claim(limit)
        done: list[tuple[InboxItem, str]] = []
        for item in claimed:
            outcome = self._handle(item)
            if outcome is not None:
                done.append((item, outcome))
        if done:
            self._done(done)
        return len(claimed)

    def _claim(self, limit: int) -> list[InboxItem]:
        """What is due and nobody else is about, for as long as a lease. Those that were claimed
        before come alone: if one of them ends the process each time, it takes no others along."""
        now = self.clock.now()
        due = (
            select(InboxItem)
            .where(_is_due(now))
            .where(
                or_(
                    InboxItem.claimed_until.is_(None),
                    is_due(InboxItem.claimed_until, now, CLAIM_LIFE),
                )
            )
            .order_by(InboxItem.due_at, InboxItem.received_at)
        )
        with reading(self.engine) as session:
            if session.scalar(due.with_only_columns(InboxItem.message_id).limit(1)) is None:
                return []
        with writing(self.engine) as session:
            held = due.with_for_update(skip_locked=True)
            items = list(session.scalars(held.limit(1)))
            if items and items[0].attempts == 0:
                items = list(session.scalars(held.where(InboxItem.attempts == 0).limit(limit)))
            for item in items:
                if item.attempts >= MAX_ATTEMPTS:  # it ended the process each time
                    _end(item, f"{FAILED}no answer")
                    logger.error("message given up", extra=_facts(item))
                else:
                    item.claimed_until = now + CLAIM_LIFE
                    item.attempts += 1
        return [item for item in items if item.due_at is not None]

    def _handle(self, claimed: InboxItem) -> str | None:
        """What came of a message; None if it isn't done with."""
        try:
            return self.handlers[claimed.source](_message(claimed))
        except NotYet as error:
            self._wait(claimed, error.reason)
        except Unusable as error:
            self._failed(claimed, error.reason, never=True)
        except Exception as error:
            # Whatever it is, the other messages must go on; this one is tried again.
            logger.exception("message not handled", extra=_facts(claimed))
            self._failed(claimed, type(error).__name__, never=False)
        return None

    def _done(self, handled: Sequence[tuple[InboxItem, str]]) -> None:
        # In one order, so that gateways that handled the same never wait for each other.
        with writing(self.engine) as session:
            for claimed, outcome in sorted(handled, key=lambda each: each[0].message_id):
                session.execute(
                    update(InboxItem)
                    .where(InboxItem.source == claimed.source)
                    .where(InboxItem.message_id == claimed.message_id)
                    .values(due_at=None, claimed_until=None, outcome=outcome[:255], body=None)
                )

    def _wait(self, claimed: InboxItem, reason: str) -> None:
        now = self.clock.now()
        with writing(self.engine) as session:
            item = _again(session, claimed)
            age = now - item.received_at
            if age >= PATIENCE:
                _end(item, f"{GAVE_UP}{reason}")
                logger.warning("message waited in vain", extra=_facts(item))
                return
            item.claimed_until = None
            item.attempts = 0
            item.outcome = f"{WAITS}{reason}"[:255]
            # Another moment than the one it was claimed at: it was woken meanwhile.
            if item.due_at == claimed.due_at:
                item.due_at = now + min(max(age / 2, _FIRST_WAIT), _LONGEST_WAIT)

    def _failed(self, claimed: InboxItem, reason: str, *, never: bool) -> None:
        with writing(self.engine) as session:
            item = _again(session, claimed)
            if never or item.attempts >= MAX_ATTEMPTS:
                _end(item, f"{FAILED}{reason}")
                logger.error("message given up", extra=_facts(item))
                return
            item.claimed_until = None
            item.due_at = self.clock.now() + _pause(item.attempts)


def wake(
    session: Session,
    now: datetime,
    *,
    source: str,
    second_id: str = "",
    shop_domain: str = "",
) -> None:
    """Let messages that wait be handled now, also those that waited in vain: what they are about
    may be there after this transaction. They are named by ``second_id`` or ``shop_domain``."""
    named = InboxItem.second_id == second_id if second_id else InboxItem.shop_domain == shop_domain
    session.execute(
        update(InboxItem)
        .where(InboxItem.source == source, named, InboxItem.body.is_not(None))
        .where(or_(InboxItem.due_at.is_not(None), InboxItem.outcome.startswith(GAVE_UP)))
        .values(due_at=now)
    )


class Recorder:
    """Records messages for requests of one event loop. Those that come while a transaction is on
    its way share the next one: a disk writes one of sixty messages as fast as one of a single one.

    ``woken`` is called when there is something new.
    """

    def __init__(self, inbox: Inbox, woken: Callable[[], None] = lambda: None) -> None:
        self._inbox = inbox
        self._woken = woken
        self._lock = anyio.Lock()
        self._waiting: list[_Entry] = []

    async def record(self, message: Message) -> bool:
        """Return, once the message is safe, whether it was new.

        Raises what SQL raises: then it isn't safe.
        """
        entry = _Entry(message)
        self._waiting.append(entry)
        async with self._lock:
            # Whoever asked may be gone: the others' messages are written all the same.
            with anyio.CancelScope(shield=True):
                while entry.new is None and entry.error is None:
                    await self._write()
        if entry.error is not None:
            raise entry.error
        return bool(entry.new)

    async def _write(self) -> None:
        batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        try:
            new = await anyio.to_thread.run_sync(
                self._inbox.record, [entry.message for entry in batch]
            )
        except Exception as error:
            for entry in batch:
                entry.error = error
            return
        for entry, is_new in zip(batch, new, strict=True):
            entry.new = is_new
        if any(new):
            self._woken()


@dataclass
class _Entry:
    message: Message
    new: bool | None = None
    error: Exception | None = None


def _pause(attempts: int) -> timedelta:
    """The pause after so many failures; before the first one, the longest wait for a subject."""
    if not attempts:
        return _LONGEST_WAIT
    growth: int = 4 ** (attempts - 1)
    return min(_FIRST_PAUSE * growth, _LONGEST_PAUSE)


_PAUSES: Final = [_pause(attempts) for attempts in range(MAX_ATTEMPTS)]


def _is_due(now: datetime) -> ColumnElement[bool]:
    """What was never handled is due at once, whatever the clock was when it came."""
    fresh = and_(
        InboxItem.due_at.is_not(None), InboxItem.attempts == 0, InboxItem.outcome.is_(None)
    )
    return or_(fresh, is_due_again(InboxItem.due_at, InboxItem.attempts, now, _PAUSES))


def _row(message: Message, now: datetime) -> dict[str, object]:
    return {
        "source": message.source,
        "message_id": message.message_id,
        "second_id": message.second_id,
        "topic": message.topic,
        "shop_domain": message.shop_domain,
        "body": message.body,
        "received_at": now,
        "due_at": now,
        "attempts": 0,
    }


def _message(item: InboxItem) -> Message:
    return Message(
        source=item.source,
        message_id=item.message_id,
        topic=item.topic,
        body=item.body or "",
        second_id=item.second_id,
        shop_domain=item.shop_domain,
    )


def _again(session: Session, claimed: InboxItem) -> InboxItem:
    return session.get_one(InboxItem, (claimed.source, claimed.message_id), with_for_update=True)


def _end(item: InboxItem, outcome: str) -> None:
    item.due_at = item.claimed_until = None
    item.outcome = outcome[:255]


def _facts(item: InboxItem) -> dict[str, object]:
    return {
        "source": item.source,
        "message_id": item.message_id,
        "topic": item.topic,
        "outcome": item.outcome,
    }
