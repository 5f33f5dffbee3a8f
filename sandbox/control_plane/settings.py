"""The environment of the control plane. Each name is listed in `VARIABLES`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contract.variables import REQUIRED, Variable
from sandbox.control_plane.queue import Rules

VARIABLES = (
    Variable("SANDBOX_ENDPOINT_ID", "Id of the one endpoint.", default="sandbox"),
    Variable("SANDBOX_API_KEY", "Key of the public API.", shown=REQUIRED),
    Variable("SANDBOX_WORKER_KEY", "Key that workers send.", shown=REQUIRED),
    Variable("SANDBOX_POLL_S", "How long job-take and job-stop are held open.", default="3"),
    Variable(
        "SANDBOX_TICK_S", "How often timeouts and lost workers are looked for.", default="0.25"
    ),
    Variable("SANDBOX_WORKER_LOST_S", "Silence after which a worker counts as dead.", default="20"),
    Variable("SANDBOX_MAX_ATTEMPTS", "Attempts before a job of dead workers fails.", default="3"),
    Variable("SANDBOX_WORKERS_MAX", "Workers that the endpoint may have.", default="3"),
    Variable(
        "SANDBOX_EXECUTION_TIMEOUT_S", "`executionTimeout` of a job that names none.", default="600"
    ),
    Variable("SANDBOX_WEBHOOK_RETRY_S", "Pause before each further webhook try.", default="10"),
    Variable("SANDBOX_FAULTS", "`1` opens the route that switches faults on.", default="0"),
)


class InvalidSettings(ValueError):
    """The environment can't be used; the message names the variable."""


@dataclass(frozen=True)
class Settings:
    """Times in seconds; keys are kept out of `repr`."""

    api_key: str = field(repr=False)
    worker_key: str = field(repr=False)
    endpoint_id: str = "sandbox"
    poll_s: float = 3.0
    tick_s: float = 0.25
    webhook_retry_s: float = 10.0
    faults: bool = False
    rules: Rules = field(default_factory=Rules)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Raises InvalidSettings."""
        return cls(
            api_key=_text(environ, "SANDBOX_API_KEY"),
            worker_key=_text(environ, "SANDBOX_WORKER_KEY"),
            endpoint_id=environ.get("SANDBOX_ENDPOINT_ID") or cls.endpoint_id,
            poll_s=_number(environ, "SANDBOX_POLL_S", cls.poll_s),
            tick_s=_number(environ, "SANDBOX_TICK_S", cls.tick_s),
            webhook_retry_s=_number(environ, "SANDBOX_WEBHOOK_RETRY_S", cls.webhook_retry_s),
            faults=environ.get("SANDBOX_FAULTS", "0") == "1",
            rules=Rules(
                execution_timeout_s=_number(
                    environ, "SANDBOX_EXECUTION_TIMEOUT_S", Rules.execution_timeout_s
                ),
                worker_lost_s=_number(environ, "SANDBOX_WORKER_LOST_S", Rules.worker_lost_s),
                max_attempts=_count(environ, "SANDBOX_MAX_ATTEMPTS", Rules.max_attempts),
                workers_max=_count(environ, "SANDBOX_WORKERS_MAX", Rules.workers_max),
            ),
        )


def _text(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise InvalidSettings(f"{name} is not set")
    return value


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    value = environ.get(name)
    if not value:
        return default
    try:
        number = float(value)
    except ValueError as error:
        raise InvalidSettings(f"{name} is not a number: {value!r}") from error
    if not 0 < number < float("inf"):
        raise InvalidSettings(f"{name} must be positive and finite, not {value}")
    return number


def _count(environ: Mapping[str, str], name: str, default: int) -> int:
    number = _number(environ, name, default)
    if number != int(number):
        raise InvalidSettings(f"{name} must be a whole number, not {number}")
    return int(number)
