"""The environment of Stripe's stand-in. Each name is listed in `VARIABLES`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contract.variables import REQUIRED, Variable

VARIABLES = (
    Variable("SANDBOX_STRIPE_KEY", "Secret key of the API: `sk_test_…`.", shown=REQUIRED),
    Variable("SANDBOX_STRIPE_WEBHOOK_SECRET", "What events are signed by.", shown=REQUIRED),
    Variable("SANDBOX_STRIPE_WEBHOOK_URL", "Where events are posted to.", shown=REQUIRED),
)


class InvalidSettings(ValueError):
    """The environment can't be used; the message names the variable."""


@dataclass(frozen=True)
class Settings:
    """Secrets are kept out of `repr`."""

    webhook_url: str
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Raises InvalidSettings."""
        return cls(
            webhook_url=_text(environ, "SANDBOX_STRIPE_WEBHOOK_URL"),
            api_key=_text(environ, "SANDBOX_STRIPE_KEY"),
            webhook_secret=_text(environ, "SANDBOX_STRIPE_WEBHOOK_SECRET"),
        )


def _text(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise InvalidSettings(f"{name} is not set")
    return value
