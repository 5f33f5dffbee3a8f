"""The records: moments keep their timezone, writers wait for each other."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError, StatementError

from gateway.records import Job, Photo, create_schema, open_engine, reading, writing

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
            row = session.get_one(Photo, "p1")
            row.size_bytes = row.size_bytes + 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(40)))
    with reading(engine) as session:
        assert session.get_one(Photo, "p1").size_bytes == 41


def test_several_gateways_may_create_the_tables_at_once(tmp_path: Path) -> None:
    engines = [open_engine(f"sqlite:///{tmp_path}/new.db") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(create_schema, engines))
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="file"):
        open_engine(url)
