"""Settings of the gateway: read once from the environment, checked, then frozen.

Every field is set by the environment variable of the same name in capitals.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    ValidationInfo,
)

from contract.signing import check_secret
from gateway.desk_tokens import derived_secret
from gateway.looks import Look, Quality
from gateway.mail_message import sender as mail_sender
from gateway.rate_limits import Network, Rate, Rule

_REPOSITORY = Path(__file__).resolve().parent.parent


class SettingsError(Exception):
    """The environment doesn't make a valid configuration. The message names every variable at
    fault and never repeats a value."""


def _callback_secrets(value: SecretStr) -> SecretStr:
    for secret in value.get_secret_value().split():
        check_secret(secret)
    return value


def _strong(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 32:
        raise ValueError("must have at least 32 characters")
    return value


def _redis(value: SecretStr | None) -> SecretStr | None:
    if value and not value.get_secret_value().startswith(("redis://", "rediss://")):
        raise ValueError("must begin with redis:// or rediss://")
    return value


def _networks(value: object) -> object:
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


def _strong_ones(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        for secret in value.get_secret_value().split() or [""]:
            _strong(SecretStr(secret))
    return value


def _needed_with(choice: str, value: str) -> AfterValidator:
    """A field that must be set where an earlier field, ``choice``, has ``value``."""

    def check(given: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if given is None and info.data.get(choice) == value:
            raise ValueError(f"is required with {choice.upper()}={value}")
        return given

    return AfterValidator(check)


def _mail_from(value: str, info: ValidationInfo) -> str:
    mail_sender(value)
    if value == _NOBODY and info.data.get("mail", "outbox") != "outbox":
        raise ValueError(f"is required with MAIL={info.data['mail']}")
    return value


def _with_stripe_key(value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
    if value is None and info.data.get("stripe_api_key") is not None:
        raise ValueError("is required with STRIPE_API_KEY")
    return value


def _countries(value: object) -> object:
    if not isinstance(value, str):
        return value
    codes = tuple(value.replace(",", " ").split())
    if not codes or not all(re.fullmatch("[A-Z]{2}", code) for code in codes):
        raise ValueError("must be country codes such as US, by commas")
    return codes


def _no_drafts(url: HttpUrl, info: ValidationInfo) -> HttpUrl:
    drafts = info.data.get("page_look") is Look.DRAFT
    if drafts and info.data.get("print_vendor") == "lulu" and url.host == _LULU.host:
        raise ValueError("drafts aren't printed for money: PAGE_LOOK=final, or Lulu's sandbox")
    return url


_LULU = HttpUrl("https://api.lulu.com")
_NOBODY = "Foxetales <books@foxetales.invalid>"
_WEB = r"^https?://\S+$"


class Settings(BaseModel):
    """The gateway's configuration."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    public_url: HttpUrl = Field(description="Where callers reach the gateway; links start here.")
    database_url: SecretStr = Field(description="SQLAlchemy URL: sqlite:///… or postgresql://…")
    kv_url: Annotated[SecretStr | None, AfterValidator(_redis)] = Field(
        default=None,
        description="Redis or Valkey for several gateways: redis://… or rediss://… (TLS).",
    )
    object_store_url: str = Field(description="file:///folder or s3://bucket.")
    books_dir: Path = Field(
        default=_REPOSITORY / "build" / "books", description="Books with their art."
    )
    appearances_path: Path = Field(
        default=_REPOSITORY / "books" / "appearances.json",
        description="The appearances that a parent may choose from.",
    )
    page_look: Look = Field(
        default=Look.FINAL,
        description="final, or draft where workers have no model weights.",
    )
    preview_quality: Quality = Field(
        default="standard", description="Quality of previews in the final look: standard or fast."
    )
    app_secret: StrongSecret = Field(description="Signs bearer tokens and file links.")
    callback_secret: Annotated[SecretStr, AfterValidator(_callback_secrets)] = Field(
        description="Standard Webhooks secret of the worker; several, by spaces, during rotation."
    )
    runpod_api_url: HttpUrl = Field(
        default=HttpUrl("https://api.runpod.ai/v2"), description="RunPod's public API."
    )
    runpod_endpoint_id: str = Field(min_length=1, description="The serverless endpoint's id.")
    runpod_api_key: SecretStr = Field(description="RunPod API key.")
    runpod_webhook_token: StrongSecret = Field(
        description="Unguessable part of the path that RunPod's own, unsigned webhook calls."
    )
    face_model_path: Path = Field(
        default=_REPOSITORY / "build" / "models" / "face_detection" / "centerface.onnx",
        description="The face detector's ONNX file.",
    )
    face_min_area_percent: float = Field(
        default=10.0, gt=0, le=100, description="Smallest face, in percent of the photo's area."
    )
    photo_max_bytes: int = Field(default=10_000_000, ge=1, description="Largest upload, in bytes.")
    photo_max_pixels: int = Field(default=50_000_000, ge=1, description="Largest photo, in pixels.")
    preview_life_days: float = Field(
        default=7.0, gt=0, le=7, description="How long an unpaid photo and preview live."
    )
    link_life_s: int = Field(default=900, ge=1, le=86_400, description="Life of a file link.")
    job_quiet_s: float = Field(
        default=15.0, gt=0, le=900, description="Silence after which RunPod is asked about a job."
    )
    job_deadline_s: float = Field(
        default=600.0, gt=0, le=3600, description="Longest time a job may run on a worker."
    )
    job_attempts: int = Field(default=3, ge=1, le=10, description="Automatic attempts at a job.")
    mail: Literal["outbox", "smtp", "resend"] = Field(
        default="outbox", description="How letters go: outbox (files in a folder), smtp or resend."
    )
    mail_from: Annotated[str, AfterValidator(_mail_from)] = Field(
        default=_NOBODY,
        validate_default=True,
        description="Who letters are from, Name <local@domain>; answers go there, too.",
    )
    mail_outbox_dir: Path = Field(
        default=_REPOSITORY / "out" / "mail", description="The outbox: one .eml file a letter."
    )
    smtp_url: Annotated[SecretStr | None, _needed_with("mail", "smtp")] = Field(
        default=None,
        validate_default=True,
        description="smtps://user:password@host:465, or smtp://user:password@host:587 (STARTTLS).",
    )
    resend_api_url: HttpUrl = Field(
        default=HttpUrl("https://api.resend.com"), description="Resend's API."
    )
    resend_api_key: Annotated[SecretStr | None, _needed_with("mail", "resend")] = Field(
        default=None, validate_default=True, description="Resend API key; sending will do."
    )
    print_vendor: Literal["file_drop", "lulu"] = Field(
        default="file_drop", description="Who prints: file_drop (a folder for each job) or lulu."
    )
    print_drop_dir: Path = Field(
        default=_REPOSITORY / "out" / "print_jobs", description="Where print jobs are dropped."
    )
    lulu_api_url: Annotated[HttpUrl, AfterValidator(_no_drafts)] = Field(
        default=_LULU, validate_default=True, description="Lulu's API, or its sandbox."
    )
    lulu_client_key: Annotated[SecretStr | None, _needed_with("print_vendor", "lulu")] = Field(
        default=None, validate_default=True, description="Lulu client key."
    )
    lulu_client_secret: Annotated[SecretStr | None, _needed_with("print_vendor", "lulu")] = Field(
        default=None, validate_default=True, description="Lulu client secret."
    )
    lulu_webhook_secret: SecretStr | None = Field(
        default=None,
        description="What Lulu signs webhooks by, if not the client secret; several, by spaces.",
    )
    order_shard_pages: int = Field(
        default=6, ge=1, le=200, description="Pages of a paid book in one RunPod job."
    )
    order_jobs_at_once: int = Field(
        default=4, ge=1, le=100, description="RunPod jobs of one order at a time."
    )
    orders_at_once: int = Field(
        default=20, ge=1, le=500, description="Orders that one gateway carries on at a time."
    )
    gateway_lost_s: float = Field(
        default=20.0,
        ge=1,
        le=600,
        description="Silence after which other gateways carry on what one was at work on.",
    )
    print_profile: str = Field(
        default="square_10", description="How books are printed: an id of gateway/print_profiles."
    )
    print_settle_s: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="Pause before a printer that didn't answer is asked whether it has the order.",
    )
    print_contact_email: str = Field(
        default="print@foxetales.invalid", description="Whom the printer writes to: never a parent."
    )
    shipping_level: Literal["MAIL", "PRIORITY_MAIL", "GROUND", "EXPEDITED", "EXPRESS"] = Field(
        default="MAIL", description="How books are shipped, in Lulu's words."
    )
    download_life_days: float = Field(
        default=30.0, gt=0, le=365, description="How long a parent may download a paid book."
    )
    order_photo_life_days: float = Field(
        default=30.0, gt=0, le=90, description="How long a photo lives after payment."
    )
    require_api_key: bool = Field(
        default=False, description="Whether uploads and previews need a shop's API key."
    )
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = Field(
        default=(), description="Networks of proxies whose X-Forwarded-For is believed, by commas."
    )
    rate_uploads: Limit = Field(
        default=Rate(60, 3600), description="Uploads from an address: 60/hour, or off."
    )
    rate_previews: Limit = Field(
        default=Rate(30, 3600), description="Previews asked for from an address."
    )
    rate_pages: Limit = Field(
        default=Rate(30, 3600), description="Further takes and retries of a preview."
    )
    rate_checkouts: Limit = Field(
        default=Rate(30, 3600), description="Checkouts begun from an address."
    )
    rate_logins: Limit = Field(
        default=Rate(10, 60), description="Logins at the order desk from an address."
    )
    rate_reads: Limit = Field(
        default=Rate(1200, 60), description="Reads of a preview, or from an address without one."
    )
    rate_shops: Limit = Field(
        default=Rate(600, 60), description="Uploads, previews and checkouts of an API key."
    )
    gpu_budget_pages: int = Field(
        default=0, ge=0, description="Preview pages that may be rendered in an hour; 0: no limit."
    )
    complete_after_days: float = Field(
        default=30.0, gt=0, le=365, description="Days after which a shipped order counts as done."
    )
    consent_required: bool = Field(
        default=False, description="Whether an upload must name the consent that was given."
    )
    consent_version: str = Field(
        default="1",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="The version of the consent's text that uploads name.",
    )
    desk_secret: Annotated[SecretStr | None, AfterValidator(_strong_ones)] = Field(
        default=None,
        description="Signs the order desk's tokens; several, by spaces, during rotation.",
    )
    desk_token_life_s: int = Field(
        default=28_800, ge=60, le=86_400, description="Life of a login at the order desk."
    )
    gpu_second_price: Decimal = Field(
        default=Decimal("0.0005"), ge=0, le=1, description="US dollars for a second of GPU."
    )
    stripe_api_url: HttpUrl = Field(
        default=HttpUrl("https://api.stripe.com"), description="Stripe's API."
    )
    stripe_api_key: SecretStr | None = Field(
        default=None, description="Stripe's secret key; without it nothing is sold by Stripe."
    )
    stripe_webhook_secrets: Annotated[SecretStr | None, AfterValidator(_with_stripe_key)] = Field(
        default=None,
        validate_default=True,
        description="What Stripe signs webhooks by; several, by spaces, during rotation.",
    )
    checkout_success_url: str | None = Field(
        default=None,
        pattern=_WEB,
        description="Where a parent goes who has paid; Stripe fills in {CHECKOUT_SESSION_ID}.",
    )
    checkout_cancel_url: str | None = Field(
        default=None, pattern=_WEB, description="Where a parent goes who doesn't pay."
    )
    shipping_countries: Annotated[tuple[str, ...], BeforeValidator(_countries)] = Field(
        default=("US", "CA", "GB", "AU"),
        description="Countries that books are sold to by Stripe, as US, by commas.",
    )
    shopify_client_secrets: SecretStr | None = Field(
        default=None,
        description="Client secrets of the Shopify app; several, by spaces, during rotation.",
    )
    allow_test_payments: bool = Field(
        default=False, description="Whether payments in test mode make books: for sandboxes."
    )
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

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
                f"{str(item['loc'][0]).upper()}: {item['msg']}"
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
        return [derived_secret(self.app_secret.get_secret_value())]

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
