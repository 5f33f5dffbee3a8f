"""The clock that gateways on one PostgreSQL share."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from gateway.adapters.database_clock import DatabaseClock
from gateway.records import open_engine
from tests.servers import PostgresServer

AN_HOUR = timedelta(hours=1)
AT_ONCE = timedelta(seconds=30)  # however busy the machine is


class Stopwatch:
    """Seconds that pass when the test says so: ``step`` after each look at it."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.step = 0.0

    def __call__(self) -> float:
        seconds = self.seconds
        self.seconds += self.step
        return seconds


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    made = open_engine(postgres_url)
    yield made
    made.dispose()


def told_by(engine: Engine) -> datetime:
    """The database's time."""
    with engine.connect() as connection:
        told: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return told


def test_it_shows_the_database_s_time_in_utc(engine: Engine, stopwatch: Stopwatch) -> None:
    before = told_by(engine)
    clock = DatabaseClock(engine, stopwatch)
    assert before <= clock.now() <= told_by(engine)
    assert clock.now().tzinfo is UTC


def test_it_goes_on_by_what_has_passed_and_asks_nobody(
    engine: Engine, stopwatch: Stopwatch
) -> None:
    clock = DatabaseClock(engine, stopwatch)
    begun = clock.now()
    stopwatch.seconds += 90.5
    assert clock.now() - begun == timedelta(seconds=90.5)


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_it_is_set_right_when_the_machine_counted_wrongly(
    engine: Engine, stopwatch: Stopwatch, seconds: float
) -> None:
    clock = DatabaseClock(engine, stopwatch)
    stopwatch.seconds += seconds
    assert abs(clock.now() - told_by(engine)) > AN_HOUR - AT_ONCE
    before = told_by(engine)
    clock.synchronise()
    assert before <= clock.now() <= told_by(engine)


def test_a_slow_answer_moves_no_clock_that_may_be_right(
    engine: Engine, stopwatch: Stopwatch
) -> None:
    clock = DatabaseClock(engine, stopwatch)
    begun = clock.now()
    stopwatch.step = 60
    clock.synchronise()
    stopwatch.seconds, stopwatch.step = 1060.0, 0
    assert clock.now() - begun == timedelta(seconds=60)


def test_it_goes_on_while_the_database_is_away(
    engine: Engine, stopwatch: Stopwatch, postgres: PostgresServer
) -> None:
    clock = DatabaseClock(engine, stopwatch)
    begun = clock.now()
    postgres.stop()
    try:
        stopwatch.seconds += 5
        clock.synchronise()
        assert clock.now() - begun == timedelta(seconds=5)
    finally:
        postgres.start()


def test_it_does_not_begin_without_the_database(engine: Engine, postgres: PostgresServer) -> None:
    postgres.stop()
    try:
        with pytest.raises(OperationalError):
            DatabaseClock(engine)
    finally:
        postgres.start()
