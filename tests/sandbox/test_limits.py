"""Request rates and the settings of the control plane."""

from contextlib import ExitStack

import pytest

from sandbox.control_plane.errors import TooManyRequests
from sandbox.control_plane.limits import RATES, RateLimiter
from sandbox.control_plane.settings import VARIABLES, InvalidSettings, Settings
from tests.sandbox.fakes import FakeClock

KEYS = {"SANDBOX_API_KEY": "a", "SANDBOX_WORKER_KEY": "b"}


@pytest.mark.parametrize("operation", sorted(RATES))
def test_each_operation_has_its_requests_in_ten_seconds(operation: str) -> None:
    clock = FakeClock()
    limiter = RateLimiter(clock)
    for _ in range(RATES[operation].requests):
        with limiter.admit(operation):
            clock.advance(0.001)
    with pytest.raises(TooManyRequests), limiter.admit(operation):
        pass
    clock.advance(10)
    with limiter.admit(operation):
        pass


@pytest.mark.parametrize("operation", ["run", "status", "cancel"])
def test_each_operation_has_its_requests_at_once(operation: str) -> None:
    limiter = RateLimiter(FakeClock())
    with ExitStack() as stack:
        for _ in range(RATES[operation].concurrent or 0):
            stack.enter_context(limiter.admit(operation))
        with pytest.raises(TooManyRequests), limiter.admit(operation):
            pass
    with limiter.admit(operation):
        pass


def test_what_has_no_documented_rate_is_not_limited() -> None:
    limiter = RateLimiter(FakeClock())
    for _ in range(5000):
        with limiter.admit("health"):
            pass


def test_settings_come_from_the_environment() -> None:
    settings = Settings.from_environment(
        {**KEYS, "SANDBOX_WORKER_LOST_S": "2.5", "SANDBOX_MAX_ATTEMPTS": "5"}
    )
    assert settings.rules.worker_lost_s == 2.5
    assert settings.rules.max_attempts == 5
    assert not settings.faults


def test_keys_are_masked() -> None:
    settings = Settings.from_environment({**KEYS, "SANDBOX_API_KEY": "very-secret"})
    assert "very-secret" not in repr(settings)


@pytest.mark.parametrize("name", sorted(KEYS))
def test_a_missing_key_is_named(name: str) -> None:
    with pytest.raises(InvalidSettings, match=name):
        Settings.from_environment({key: value for key, value in KEYS.items() if key != name})


@pytest.mark.parametrize("value", ["x", "0", "-1", "inf", "nan", "1.5"])
def test_a_senseless_number_is_named(value: str) -> None:
    with pytest.raises(InvalidSettings, match="SANDBOX_MAX_ATTEMPTS"):
        Settings.from_environment({**KEYS, "SANDBOX_MAX_ATTEMPTS": value})


def test_every_variable_is_documented() -> None:
    asked: set[str] = set()

    class Recorder(dict[str, str]):
        def get(self, key: str, default: object = None) -> str:
            asked.add(key)
            return KEYS.get(key, "")

    Settings.from_environment(Recorder())
    assert asked == {each.name for each in VARIABLES}
