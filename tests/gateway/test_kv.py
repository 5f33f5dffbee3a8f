"""Every key-value adapter keeps the port's promises, on real servers."""

import json
from collections.abc import Iterator

import anyio
import pytest
from redis import Redis
from sqlalchemy import Engine, text

from gateway.adapters.kv_redis import RedisKeyValue, open_redis
from gateway.adapters.kv_sql import SqlKeyValue
from gateway.adapters.memory import MemoryKeyValue
from gateway.ports import KeyValue, KeyValueError
from gateway.rate_limits import Rate, Rule
from gateway.services import Services, build
from gateway.settings import Settings, SettingsError
from gateway.status_board import StatusBoard
from tests.gateway.fakes import MovableClock
from tests.gateway.rendering import Stage
from tests.servers import RedisServer, free_port

ADAPTERS = ("memory", "sqlite", "postgresql", "redis")


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[Redis]:
    client = open_redis(redis_url)
    yield client
    client.close()


@pytest.fixture(params=ADAPTERS)
def kv(request: pytest.FixtureRequest, clock: MovableClock) -> KeyValue:
    match request.param:
        case "memory":
            return MemoryKeyValue(clock)
        case "redis":
            return RedisKeyValue(request.getfixturevalue("redis_client"), clock)
        case _:
            return SqlKeyValue(request.getfixturevalue("engine"), clock)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """The kind of database that the adapter in the test is made for."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    return "postgresql" if parameters.get("kv") == "postgresql" else "sqlite"


def test_a_value_is_read_as_it_was_put(kv: KeyValue) -> None:
    kv.put("job_status/1", b"\x00\xff{}", ttl_s=60)
    assert kv.get("job_status/1") == b"\x00\xff{}"


def test_an_unknown_key_has_no_value(kv: KeyValue) -> None:
    assert kv.get("nobody") is None


def test_a_second_put_replaces_value_and_life(kv: KeyValue, clock: MovableClock) -> None:
    kv.put("key", b"old", ttl_s=10)
    clock.move(seconds=9)
    kv.put("key", b"new", ttl_s=10)
    clock.move(seconds=9)
    assert kv.get("key") == b"new"


def test_a_value_is_gone_when_its_life_is_over(kv: KeyValue, clock: MovableClock) -> None:
    kv.put("key", b"value", ttl_s=10)
    clock.move(seconds=9.9)
    assert kv.get("key") == b"value"
    clock.move(seconds=0.1)
    assert kv.get("key") is None


def test_deleting_forgets_and_may_be_repeated(kv: KeyValue) -> None:
    kv.put("key", b"value", ttl_s=10)
    kv.delete("key")
    kv.delete("key")
    assert kv.get("key") is None


def test_an_empty_value_is_not_a_missing_one(kv: KeyValue) -> None:
    kv.put("key", b"", ttl_s=10)
    assert kv.get("key") == b""


def test_keys_may_have_512_characters_and_values_a_mebibyte(kv: KeyValue) -> None:
    kv.put("k" * 512, b"v" * 1024 * 1024, ttl_s=10)
    value = kv.get("k" * 512)
    assert value is not None
    assert len(value) == 1024 * 1024


@pytest.mark.parametrize(
    ("key", "value", "ttl_s"),
    [("", b"", 1), ("k" * 513, b"", 1), ("k", b"v" * (1024 * 1024 + 1), 1), ("k", b"", 0)],
)
def test_what_is_outside_the_limits_is_refused(
    kv: KeyValue, key: str, value: bytes, ttl_s: int
) -> None:
    with pytest.raises(ValueError, match=r"key|value"):
        kv.put(key, value, ttl_s)


def test_a_working_mirror_answers_a_ping(kv: KeyValue) -> None:
    kv.ping()


def test_expired_values_are_swept_after_a_minute(engine: Engine, clock: MovableClock) -> None:
    kv = SqlKeyValue(engine, clock)
    for number in range(5):
        kv.put(f"short/{number}", b"", ttl_s=1)
    clock.move(seconds=61)
    kv.put("fresh", b"", ttl_s=60)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT key FROM kv")).scalars().all() == ["fresh"]


def test_memory_is_swept_when_it_fills(clock: MovableClock) -> None:
    kv = MemoryKeyValue(clock)
    for number in range(1024):
        kv.put(f"short/{number}", b"", ttl_s=1)
    clock.move(seconds=2)
    kv.put("fresh", b"value", ttl_s=60)
    assert kv.get("short/0") is None
    assert kv.get("fresh") == b"value"


def test_two_gateways_share_one_table(engine: Engine, clock: MovableClock) -> None:
    one, other = SqlKeyValue(engine, clock), SqlKeyValue(engine, clock)
    one.put("key", b"value", ttl_s=10)
    assert other.get("key") == b"value"


def test_a_lost_database_is_told(engine: Engine, clock: MovableClock) -> None:
    kv = SqlKeyValue(engine, clock)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE kv"))
    with pytest.raises(KeyValueError):
        kv.ping()
    with pytest.raises(KeyValueError):
        kv.get("key")
    with pytest.raises(KeyValueError):
        kv.put("key", b"", ttl_s=1)


def test_a_redis_has_nothing_but_what_carries_our_prefix_and_an_end(
    redis_client: Redis, clock: MovableClock
) -> None:
    RedisKeyValue(redis_client, clock).put("key", b"value", ttl_s=10)
    assert redis_client.keys() == [b"foxetales:key"]
    assert 0 < redis_client.ttl("foxetales:key") <= 10


def test_two_gateways_share_one_redis(redis_client: Redis, clock: MovableClock) -> None:
    one, other = RedisKeyValue(redis_client, clock), RedisKeyValue(redis_client, clock)
    one.put("key", b"value", ttl_s=10)
    assert other.get("key") == b"value"


def test_what_somebody_else_wrote_is_no_value(redis_client: Redis, clock: MovableClock) -> None:
    redis_client.set("foxetales:key", b"short")
    assert RedisKeyValue(redis_client, clock).get("key") is None


def test_a_wrong_password_is_told_without_repeating_it(
    redis: RedisServer, clock: MovableClock
) -> None:
    client = open_redis(f"redis://:hunter2@127.0.0.1:{redis.port}/0")
    with client, pytest.raises(KeyValueError) as caught:
        RedisKeyValue(client, clock).ping()
    assert "hunter2" not in str(caught.value)


def test_a_redis_that_restarts_is_found_again(redis: RedisServer, clock: MovableClock) -> None:
    with open_redis(redis.url) as client:
        kv = RedisKeyValue(client, clock)
        kv.put("key", b"value", ttl_s=10)
        redis.stop()
        redis.start()
        assert kv.get("key") is None
        kv.put("key", b"again", ttl_s=10)
        assert kv.get("key") == b"again"


def test_a_redis_that_is_away_is_left_alone_for_five_seconds(
    redis: RedisServer, clock: MovableClock
) -> None:
    now = [0.0]
    with open_redis(redis.url) as client:
        kv = RedisKeyValue(client, clock, time=lambda: now[0])
        redis.stop()
        with pytest.raises(KeyValueError, match="ConnectionError"):
            kv.get("key")
        redis.start()
        now[0] = 4.9
        with pytest.raises(KeyValueError, match="a moment ago"):
            kv.get("key")
        now[0] = 5.0
        assert kv.get("key") is None


def test_a_good_ping_ends_the_pause(redis: RedisServer, clock: MovableClock) -> None:
    with open_redis(redis.url) as client:
        kv = RedisKeyValue(client, clock, time=lambda: 0.0)
        redis.stop()
        with pytest.raises(KeyValueError):
            kv.put("key", b"value", ttl_s=10)
        redis.start()
        kv.ping()
        kv.put("key", b"value", ttl_s=10)
        assert kv.get("key") == b"value"


def test_without_the_mirror_a_job_is_followed_from_sql(
    services: Services, clock: MovableClock, stage: Stage
) -> None:
    job = stage.order()
    stage.dispatch()
    with open_redis(f"redis://127.0.0.1:{free_port()}/0") as client:
        lost = RedisKeyValue(client, clock)
        board = StatusBoard(services.engine, lost)
        snapshot = anyio.run(board.get, job.job_id)
    assert snapshot is not None
    assert json.loads(snapshot.body)["status"] == "queued"


@pytest.mark.anyio
async def test_a_gateway_takes_redis_where_the_settings_name_one(
    environ: dict[str, str], redis_url: str
) -> None:
    environ = environ | {"KV_URL": redis_url}
    services = build(Settings.from_environ(environ), environ)
    services.kv.put("key", b"value", ttl_s=10)
    await services.limiter.hit(Rule.UPLOADS, Rate(1, 60), "somebody")
    for close in services.closers:
        await close()
    services.engine.dispose()
    with open_redis(redis_url) as client:
        kinds = {key.split(b":")[1] for key in client.scan_iter()}
    assert kinds == {b"key", b"rate"}


@pytest.mark.parametrize("url", ["memcached://host", "host:6379", "redis://host:port/0"])
def test_a_wrong_url_is_told_without_repeating_it(environ: dict[str, str], url: str) -> None:
    environ = environ | {"KV_URL": url}
    with pytest.raises(SettingsError, match=r"^KV_URL: ") as caught:
        build(Settings.from_environ(environ), environ)
    assert url not in str(caught.value)
