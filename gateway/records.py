"""What the gateway must not forget: photos, previews, render jobs and their pages, in SQL.

SQLite is the default; PostgreSQL serves several gateways. Every moment is timezone-aware UTC.
Functions block: call them in a thread, never on the event loop.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Engine,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from contract.status import JobStatus, PageStatus

_READING = "foxetales_reading"
_SNAPSHOT: dict[str, dict[str, Any]] = {
    "sqlite": {_READING: True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
_BUSY_TIMEOUT_MS = 10_000
_POSTGRES_DRIVER = "postgresql+psycopg"
_CONNECT_TIMEOUT_S = 5

_id = String(64)
_key = String(512)


def id_column() -> String:
    """The type of a column that holds an id of ours."""
    return _id


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. SQLite keeps no timezone, so it is converted to UTC going in and named UTC
    coming out; a moment without a timezone is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a timezone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002  # SQLAlchemy calls it so
    ) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def enum_column(kind: type[StrEnum]) -> Enum:
    """The type of a column that holds a member of ``kind``, by its value."""
    return Enum(
        kind, native_enum=False, length=32, values_callable=lambda e: [item.value for item in e]
    )


class Record(DeclarativeBase):
    """The base of all tables."""

    type_annotation_map = {datetime: UtcDateTime(), dict[str, Any]: JSON(none_as_null=True)}  # noqa: RUF012  # SQLAlchemy's form


class Photo(Record):
    """A parent's photo, as it lies in the object store. Sizes in pixels and bytes.

    ``consent`` is the version of the text that the parent agreed to when it was uploaded. Since
    ``removed_at`` the object is gone, and the record is a tombstone.
    """

    __tablename__ = "photos"

    photo_id: Mapped[str] = mapped_column(_id, primary_key=True)
    key: Mapped[str] = mapped_column(_key)
    sha256: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    size_bytes: Mapped[int]
    face_confidence: Mapped[float]
    face_area_percent: Mapped[float]
    consent: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    removed_at: Mapped[datetime | None]


class Preview(Record):
    """What a parent asked for. One Idempotency-Key of a photo makes one preview.

    ``paid_at`` is set by the first order of it: from then on its pages are shown unlocked.
    ``erased_at`` makes it a tombstone: nothing of the child is in it any more.
    """

    __tablename__ = "previews"
    __table_args__ = (UniqueConstraint("photo_id", "idempotency_key"),)

    preview_id: Mapped[str] = mapped_column(_id, primary_key=True)
    photo_id: Mapped[str] = mapped_column(ForeignKey("photos.photo_id"), index=True)
    shop_id: Mapped[str] = mapped_column(_id, default="default")
    book_id: Mapped[str] = mapped_column(_id)
    child_name: Mapped[str] = mapped_column(String(80))
    child_age: Mapped[int | None]
    child_gender: Mapped[str | None] = mapped_column(String(16))
    appearance: Mapped[str | None] = mapped_column(_id)
    style: Mapped[str] = mapped_column(_id)
    session_id: Mapped[str | None] = mapped_column(_id, index=True)
    customer_id: Mapped[str | None] = mapped_column(String(255), index=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    paid_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]


class Job(Record):
    """A render job; ``gateway.jobs`` says what its columns mean together.

    ``dispatch`` counts submissions to the endpoint, ``attempts`` those of the current budget,
    ``refusals`` the endpoint's refusals in a row. ``run`` and ``seq`` are the newest message of
    this dispatch. ``next_dispatch_at`` is set while the job waits to be submitted; a gateway that
    submits it holds it until ``claimed_until``. ``ask_at`` is when the endpoint is asked about a
    job it has; ``revision`` counts visible changes. ``rendering`` is a
    :class:`gateway.looks.Rendering`: it never changes. ``order_id`` is the order that it works
    for, if it isn't the preview's own.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("preview_id", "idempotency_key"),
        Index("jobs_to_dispatch", "status", "next_dispatch_at"),
        Index("jobs_to_ask", "status", "ask_at"),
    )

    job_id: Mapped[str] = mapped_column(_id, primary_key=True)
    preview_id: Mapped[str] = mapped_column(ForeignKey("previews.preview_id"), index=True)
    order_id: Mapped[str | None] = mapped_column(_id, index=True)
    kind: Mapped[str] = mapped_column(String(16))
    rendering: Mapped[dict[str, Any]]
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[JobStatus] = mapped_column(enum_column(JobStatus))
    progress: Mapped[float] = mapped_column(default=0.0)
    current_step: Mapped[str] = mapped_column(String(200), default="")
    revision: Mapped[int] = mapped_column(default=1)
    dispatch: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    refusals: Mapped[int] = mapped_column(default=0)
    pages_sent: Mapped[int] = mapped_column(default=0)
    runpod_id: Mapped[str | None] = mapped_column(String(128))
    run: Mapped[int] = mapped_column(BigInteger, default=0)
    seq: Mapped[int] = mapped_column(default=0)
    next_dispatch_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]
    ask_at: Mapped[datetime | None]
    heard_at: Mapped[datetime | None]
    error: Mapped[dict[str, Any] | None]
    queued_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]


AS_PAINTED: Final = "page"
"""The variant of a page that is the picture itself."""


def print_variant(width: int, height: int) -> str:
    """The variant of a page that is enlarged for the printer, to so many pixels."""
    return f"print-{width}x{height}"


class Page(Record):
    """One rendering of one page. ``key`` is where the PNG is expected from the start; ``run`` is
    the worker's run that stored it; ``preview_key`` is the watermarked copy, once it is made, and
    ``clean_key`` the copy without a mark that is made of a paid book's page.
    A print variant of a take is made of that take."""

    __tablename__ = "pages"
    __table_args__ = (ForeignKeyConstraint(["preview_id"], ["previews.preview_id"]),)

    preview_id: Mapped[str] = mapped_column(_id, primary_key=True)
    page_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    take: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    variant: Mapped[str] = mapped_column(String(32), primary_key=True, default=AS_PAINTED)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.job_id"), index=True)
    status: Mapped[PageStatus] = mapped_column(enum_column(PageStatus))
    seed: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str] = mapped_column(_key)
    run: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str | None] = mapped_column(String(64))
    size_bytes: Mapped[int | None]
    preview_key: Mapped[str | None] = mapped_column(_key)
    clean_key: Mapped[str | None] = mapped_column(_key)
    error: Mapped[dict[str, Any] | None]
    timings: Mapped[dict[str, Any] | None]


def open_engine(url: str) -> Engine:
    """Return an engine for a SQLAlchemy URL (``sqlite:////path`` or ``postgresql://…``).

    Raises:
        ValueError: the URL has no database file, or is of another kind of database.
    """
    parsed = make_url(url)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername=_POSTGRES_DRIVER)
    if parsed.get_backend_name() not in _SNAPSHOT:
        raise ValueError("the database is SQLite or PostgreSQL")
    if parsed.get_backend_name() == "postgresql":
        return create_engine(
            parsed, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_TIMEOUT_S}
        )
    if parsed.database in (None, "", ":memory:"):
        raise ValueError("SQLite needs a file: threads don't share a database in memory")
    engine = create_engine(parsed)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite alone
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # an erased name is gone from the file, too
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Where several open a new database at once, SQLite refuses all but one of them at once,
    without minding busy_timeout: they find it switched a moment later."""
    until = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get(_READING, False)
    # A transaction that reads first and writes later can't be upgraded under WAL when another
    # writer came between; taking the write lock at once makes writers wait instead of fail.
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session over one consistent snapshot; nothing in it is saved."""
    with Session(engine.execution_options(**_SNAPSHOT[engine.dialect.name])) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session in one transaction, committed at the end and rolled back by an exception.
    Records stay readable after it. On SQLite there is one at a time."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


def lock(session: Session, job_id: str) -> Job | None:
    """The job, held against other writers until the transaction ends."""
    return session.get(Job, job_id, with_for_update=True)
