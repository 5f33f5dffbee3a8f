"""Every key-value adapter keeps the port's promises."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from gateway.adapters.kv_sql import SqlKeyValue
from gateway.adapters.memory import MemoryKeyValue
from gateway.ports import KeyValue
from tests.gateway.fakes import MovableClock


@pytest.fixture(params=["memory", "sql"])
def kv(request: pytest.FixtureRequest, engine: Engine, clock: MovableClock) -> KeyValue:
    return MemoryKeyValue(clock) if request.param == "memory" else SqlKeyValue(engine, clock)


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
    with pytest.raises(OperationalError):
        kv.ping()
