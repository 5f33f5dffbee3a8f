"""Settings of the gateway: read once from the environment, checked, then frozen.

Which there are, gateway/setting_fields.py declares.
"""

from collections.abc import Mapping
from typing import Self

from pydantic import SecretStr, ValidationError

from gateway.desk_tokens import derived_secret
from gateway.rate_limits import Rate, Rule
from gateway.setting_fields import SettingFields


class SettingsError(Exception):
    """The environment doesn't make a valid configuration. The message names every variable at
    fault and never repeats a value."""


class Settings(SettingFields):
    """The gateway's configuration."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from a mapping such as ``os.environ``.

        Raises:
            SettingsError: with one line for each variable that is missing or wrong.
        """
        values = {
            name: environ[name.upper()] for name in cls.model_fields if environ.get(name.upper())
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            lines = [
                f"{str(item['loc'][0]).upper()}: {item['msg'].removeprefix('Value error, ')}"
                for item in error.errors(include_input=False, include_url=False)
            ]
            raise SettingsError("\n".join(lines)) from None

    @property
    def rates(self) -> dict[Rule, Rate]:
        """The limit of each rule that has one."""
        limits = {rule: getattr(self, f"rate_{rule.value}") for rule in Rule}
        return {rule: limit for rule, limit in limits.items() if limit is not None}

    @property
    def desk_secrets(self) -> list[str]:
        """What desk tokens are signed by, the current one first: made of the gateway's own secret
        where none is set."""
        if self.desk_secret is not None:
            return self.desk_secret.get_secret_value().split()
        return [derived_secret(secret) for secret in self.app_secrets]

    @property
    def app_secrets(self) -> list[str]:
        """What bearer tokens and links are signed by, the current one first."""
        return self.app_secret.get_secret_value().split()

    @property
    def callback_secrets(self) -> list[str]:
        """The callback secrets, the current one first."""
        return self.callback_secret.get_secret_value().split()

    @property
    def stripe_secrets(self) -> list[str]:
        """What Stripe may sign webhooks by."""
        return _each(self.stripe_webhook_secrets)

    @property
    def shopify_secrets(self) -> list[str]:
        """What Shopify may sign webhooks and requests by."""
        return _each(self.shopify_client_secrets)

    @property
    def lulu_webhook_secrets(self) -> list[str]:
        """What Lulu may sign webhooks by; none where Lulu doesn't print."""
        return _each(self.lulu_webhook_secret or self.lulu_client_secret)


def _each(secrets: SecretStr | None) -> list[str]:
    return secrets.get_secret_value().split() if secrets else []


def database_url(environ: Mapping[str, str]) -> SecretStr:
    """Read DATABASE_URL alone: a command that only needs the database needs no other variable.

    Raises:
        SettingsError: it is missing.
    """
    url = environ.get("DATABASE_URL")
    if not url:
        raise SettingsError("DATABASE_URL: Field required")
    return SecretStr(url)
