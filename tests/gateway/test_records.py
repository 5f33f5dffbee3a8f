"""The records: moments keep their timezone, writers wait for each other."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError, InternalError, StatementError

from gateway.records import Job, Photo, open_engine, reading, writing

DATABASES = ("sqlite", "postgresql")

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def photo(photo_id: str = "p1", at: datetime = NOON) -> Photo:
    return Photo(
        photo_id=photo_id,
        key="photos/p1/original.jpg",
        sha256="0" * 64,
        width=1,
        height=1,
        size_bytes=1,
        face_confidence=0.5,
        face_area_percent=10.0,
        created_at=at,
        expires_at=at,
    )


def test_a_moment_comes_back_in_utc(engine: Engine) -> None:
    hanoi = timezone(timedelta(hours=7))
    with writing(engine) as session:
        session.add(photo(at=NOON.astimezone(hanoi)))
    with reading(engine) as session:
        created = session.scalars(select(Photo.created_at)).one()
    assert created == NOON
    assert created.tzinfo is UTC


def test_a_moment_without_a_timezone_is_refused(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(photo(at=NOON.replace(tzinfo=None)))
        with pytest.raises(StatementError, match="timezone"):
            session.flush()
        session.rollback()


def add_and_stumble(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(photo())
        session.flush()
        raise RuntimeError


def test_an_exception_leaves_nothing_behind(engine: Engine) -> None:
    with pytest.raises(RuntimeError):
        add_and_stumble(engine)
    with reading(engine) as session:
        assert session.get(Photo, "p1") is None


def test_foreign_keys_are_kept(engine: Engine) -> None:
    with pytest.raises(IntegrityError), writing(engine) as session:
        session.add(
            Job(
                job_id="j1",
                preview_id="nobody",
                kind="preview",
                request_hash="0" * 64,
                status="queued",
                queued_at=NOON,
            )
        )


def test_writers_that_read_first_dont_lose_each_others_work(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(photo())

    def add_one(_: int) -> None:
        with writing(engine) as session:
            row = session.get_one(Photo, "p1", with_for_update=True)
            row.size_bytes = row.size_bytes + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(40)))
    with reading(engine) as session:
        assert session.get_one(Photo, "p1").size_bytes == 41


def test_a_reader_sees_one_moment(engine: Engine) -> None:
    with reading(engine) as session:
        assert session.scalars(select(Photo)).all() == []
        with writing(engine) as other:
            other.add(photo())
        assert session.scalars(select(Photo)).all() == []


def test_what_a_reader_writes_is_not_kept(engine: Engine) -> None:
    with contextlib.suppress(InternalError), reading(engine) as session:  # PostgreSQL refuses
        session.add(photo())
        session.flush()
    with reading(engine) as session:
        assert session.get(Photo, "p1") is None


def test_a_plain_postgresql_url_takes_the_driver_that_is_installed() -> None:
    engine = open_engine("postgresql://user:secret@127.0.0.1:9/books")
    assert engine.dialect.driver == "psycopg"
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://127.0.0.1/books", "oracle://127.0.0.1/books"])
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="SQLite or PostgreSQL"):
        open_engine(url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="file"):
        open_engine(url)
