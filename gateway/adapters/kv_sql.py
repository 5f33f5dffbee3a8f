"""The key-value mirror as one table in the SQL database: the default."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from gateway.adapters.kv_limits import LONGEST_KEY, check_key, check_value
from gateway.ports import Clock, KeyValueError
from gateway.records import reading

_SWEEP_EVERY = timedelta(minutes=1)

_METADATA = MetaData()
_KV = Table(
    "kv",
    _METADATA,
    Column("key", String(LONGEST_KEY), primary_key=True),
    Column("value", LargeBinary, nullable=False),
    # Milliseconds since the epoch: the same integer, and the same order, in every database.
    Column("expires_at_ms", BigInteger, nullable=False, index=True),
)


class SqlKeyValue:
    """A key-value mirror in SQLite or PostgreSQL.

    Expired rows are never seen; they are removed about once a minute, by whichever write comes
    first. The table isn't among the records: it may be dropped at any time while no gateway runs.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._sweep_lock = Lock()
        self._swept_at = clock.now()
        self._create_table()

    def get(self, key: str) -> bytes | None:
        """Return the value under ``key``, or None if there is none or its life is over."""
        query = select(_KV.c.value).where(
            _KV.c.key == key, _KV.c.expires_at_ms > _milliseconds(self._clock.now())
        )
        with _translated(), reading(self._engine) as session:
            value = session.execute(query).scalar_one_or_none()
        return None if value is None else bytes(value)

    def put(self, key: str, value: bytes, ttl_s: int) -> None:
        """Keep ``value`` under ``key`` for ``ttl_s`` seconds, in one statement.

        Raises:
            ValueError: key, value or life is outside the port's limits.
        """
        check_key(key)
        check_value(value, ttl_s)
        now = self._clock.now()
        row = {"value": value, "expires_at_ms": _milliseconds(now + timedelta(seconds=ttl_s))}
        upsert = (
            self._insert(_KV)
            .values(key=key, **row)
            .on_conflict_do_update(index_elements=[_KV.c.key], set_=row)
        )
        with _translated(), self._engine.begin() as connection:
            connection.execute(upsert)
            if self._sweep_is_due(now):
                connection.execute(delete(_KV).where(_KV.c.expires_at_ms <= _milliseconds(now)))

    def delete(self, key: str) -> None:
        """Forget ``key``; nothing happens if it isn't there."""
        with _translated(), self._engine.begin() as connection:
            connection.execute(delete(_KV).where(_KV.c.key == key))

    def ping(self) -> None:
        """Read from the table."""
        with _translated(), reading(self._engine) as session:
            session.execute(select(_KV.c.key).limit(1)).first()

    def _sweep_is_due(self, now: datetime) -> bool:
        with self._sweep_lock:
            due = now - self._swept_at >= _SWEEP_EVERY
            if due:
                self._swept_at = now
        return due

    def _create_table(self) -> None:
        try:
            self._run_ddl()
        except (IntegrityError, ProgrammingError):
            # PostgreSQL's IF NOT EXISTS isn't safe against a twin that creates it right now;
            # the second attempt finds it there.
            self._run_ddl()

    def _run_ddl(self) -> None:
        with self._engine.begin() as connection:
            connection.execute(CreateTable(_KV, if_not_exists=True))
            for index in _KV.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise KeyValueError(f"SQL: {type(error).__name__}") from error


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
