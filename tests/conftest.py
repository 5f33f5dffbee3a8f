"""Fixtures that every folder of tests may use."""

import signal
from collections.abc import Iterator

import pytest
from redis import Redis

from tests.servers import PostgresServer, RedisServer, postgres_server, redis_server


def pytest_configure() -> None:
    # Whoever starts the tests in the background has told them to ignore Ctrl-C, and so every
    # process that they start, and some of these are ended by it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis, started by the first test that asks for it. Who stops it starts it again."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis: RedisServer) -> str:
    """The URL of an empty Redis."""
    with Redis.from_url(redis.url) as client:
        client.flushall()
    return redis.url


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL, started by the first test that asks for it. Who stops it starts it
    again."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of an empty database, as an operator would write it."""
    name = postgres.new_database()
    yield postgres.url(name)
    postgres.drop_database(name)
