"""Kinds of settings: how a text becomes a value, and when it is refused.

A check that raises ``ValueError`` never repeats the value.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, HttpUrl, SecretStr, ValidationInfo

from contract.signing import check_secret
from gateway.looks import Look
from gateway.mail_message import sender as mail_sender
from gateway.rate_limits import Rate

LULU = HttpUrl("https://api.lulu.com")
NOBODY = "Foxetales <books@foxetales.invalid>"
WEB = r"^https?://\S+$"


@dataclass(frozen=True)
class Shown:
    """What the reference says of a default whose value alone doesn't tell: an annotation."""

    text: str


def callback_secrets(value: SecretStr) -> SecretStr:
    """Each of the secrets, by spaces, is one that callbacks can be signed by."""
    for secret in value.get_secret_value().split():
        check_secret(secret)
    return value


def _strong(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 32:
        raise ValueError("must have at least 32 characters")
    return value


def strong_ones(value: SecretStr | None) -> SecretStr | None:
    """Each of the secrets, by spaces, is a strong one."""
    if value is not None:
        for secret in value.get_secret_value().split() or [""]:
            _strong(SecretStr(secret))
    return value


def redis_url(value: SecretStr | None) -> SecretStr | None:
    """A Redis URL, with TLS or without."""
    if value and not value.get_secret_value().startswith(("redis://", "rediss://")):
        raise ValueError("must begin with redis:// or rediss://")
    return value


def networks(value: object) -> object:
    """Networks such as ``10.0.0.0/8``, by commas."""
    if not isinstance(value, str):
        return value
    try:
        return tuple(ip_network(part) for part in value.replace(",", " ").split())
    except ValueError:
        raise ValueError("must be networks such as 10.0.0.0/8, by commas") from None


def _rate(value: object) -> object:
    if not isinstance(value, str):
        return value
    return None if value == "off" else Rate.parse(value)


Limit = Annotated[Rate | None, BeforeValidator(_rate)]
StrongSecret = Annotated[SecretStr, AfterValidator(_strong)]


def needed_with(choice: str, value: str) -> AfterValidator:
    """A field that must be set where an earlier field, ``choice``, has ``value``."""

    def check(given: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if given is None and info.data.get(choice) == value:
            raise ValueError(f"is required with {choice.upper()}={value}")
        return given

    return AfterValidator(check)


def mail_from_someone(value: str, info: ValidationInfo) -> str:
    """A sender, who is a real one where letters leave."""
    mail_sender(value)
    if value == NOBODY and info.data.get("mail", "outbox") != "outbox":
        raise ValueError(f"is required with MAIL={info.data['mail']}")
    return value


def with_stripe_key(value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
    """Who sells by Stripe must hear of payments."""
    if value is None and info.data.get("stripe_api_key") is not None:
        raise ValueError("is required with STRIPE_API_KEY")
    return value


def countries(value: object) -> object:
    """Country codes such as ``US``, by commas."""
    if not isinstance(value, str):
        return value
    codes = tuple(value.replace(",", " ").split())
    if not codes or not all(re.fullmatch("[A-Z]{2}", code) for code in codes):
        raise ValueError("must be country codes such as US, by commas")
    return codes


def no_drafts(url: HttpUrl, info: ValidationInfo) -> HttpUrl:
    """Drafts don't go to a printer who takes money."""
    drafts = info.data.get("page_look") is Look.DRAFT
    if drafts and info.data.get("print_vendor") == "lulu" and url.host == LULU.host:
        raise ValueError("drafts aren't printed for money: PAGE_LOOK=final, or Lulu's sandbox")
    return url
