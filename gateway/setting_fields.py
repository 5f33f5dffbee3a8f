"""What the gateway may be told: each setting's name, kind, default and meaning, declared here once.

A setting is one field: it is read from the variable of the same name in capitals, and
docs/configuration.md gets its row from the description, by ``make docs-reference``.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
)

from gateway.looks import Look, Quality
from gateway.rate_limits import Network, Rate
from gateway.setting_kinds import (
    LULU,
    NOBODY,
    WEB,
    Limit,
    Shown,
    StrongSecret,
    callback_secrets,
    countries,
    mail_from_someone,
    needed_with,
    networks,
    no_drafts,
    redis_url,
    strong_ones,
    with_stripe_key,
)

REPOSITORY = Path(__file__).resolve().parent.parent


class SettingFields(BaseModel):
    """The settings, as they are declared."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    public_url: HttpUrl = Field(description="Where callers reach the gateway; links start here.")
    database_url: SecretStr = Field(description="SQLAlchemy URL: sqlite:///… or postgresql://…")
    kv_url: Annotated[SecretStr | None, AfterValidator(redis_url), Shown("none: the database")] = (
        Field(
            default=None,
            description="Redis or Valkey for several gateways: `redis://…` or `rediss://…` (TLS). "
            "It mirrors job states and counts calls; its loss slows the gateways down, and "
            "each counts calls by itself.",
        )
    )
    object_store_url: str = Field(description="file:///folder or s3://bucket.")
    books_dir: Path = Field(
        default=REPOSITORY / "build" / "books", description="Books with their art."
    )
    appearances_path: Path = Field(
        default=REPOSITORY / "books" / "appearances.json",
        description="The appearances that a parent may choose from.",
    )
    page_look: Look = Field(
        default=Look.FINAL,
        description="`final`, or `draft` where workers have no model weights: every book then "
        "needs a draft workflow. A job keeps the look that it was queued with.",
    )
    preview_quality: Quality = Field(
        default="standard",
        description="Quality of previews in the final look: `standard` or `fast`.",
    )
    app_secret: Annotated[SecretStr, AfterValidator(strong_ones)] = Field(
        description="Signs bearer tokens and links; several, by spaces, during rotation: the first "
        "signs."
    )
    callback_secret: Annotated[SecretStr, AfterValidator(callback_secrets)] = Field(
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
        default=REPOSITORY / "build" / "models" / "face_detection" / "centerface.onnx",
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
        default="outbox",
        description="How letters go to parents: `outbox` (files in a folder, sent to nobody), "
        "`smtp` or `resend`.",
    )
    mail_from: Annotated[
        str, AfterValidator(mail_from_someone), Shown("with `outbox` a made-up one")
    ] = Field(
        default=NOBODY,
        validate_default=True,
        description="Who letters are from: `Name <local@domain>`. Letters ask parents to answer, "
        "so somebody should read there.",
    )
    mail_outbox_dir: Path = Field(
        default=REPOSITORY / "out" / "mail", description="The outbox: one `.eml` file a letter."
    )
    smtp_url: Annotated[
        SecretStr | None, needed_with("mail", "smtp"), Shown("required with `smtp`")
    ] = Field(
        default=None,
        validate_default=True,
        description="`smtps://user:password@host:465`, or `smtp://user:password@host:587`, where "
        "STARTTLS is required; `?starttls=never` turns that off for a server without "
        "a password. User and password are percent-encoded.",
    )
    resend_api_url: HttpUrl = Field(
        default=HttpUrl("https://api.resend.com"), description="Resend's API."
    )
    resend_api_key: Annotated[
        SecretStr | None, needed_with("mail", "resend"), Shown("required with `resend`")
    ] = Field(
        default=None,
        validate_default=True,
        description="Resend API key; permission to send will do.",
    )
    print_vendor: Literal["file_drop", "lulu"] = Field(
        default="file_drop",
        description="Who prints: `file_drop` (a folder for each job, which a printer fetches) or "
        "`lulu`.",
    )
    print_drop_dir: Path = Field(
        default=REPOSITORY / "out" / "print_jobs",
        description="Where print jobs are dropped. They carry addresses: let only the printer "
        "read them.",
    )
    lulu_api_url: Annotated[HttpUrl, AfterValidator(no_drafts)] = Field(
        default=LULU,
        validate_default=True,
        description="Lulu's API; `https://api.sandbox.lulu.com` prints nothing.",
    )
    lulu_client_key: Annotated[
        SecretStr | None, needed_with("print_vendor", "lulu"), Shown("required with `lulu`")
    ] = Field(default=None, validate_default=True, description="Lulu client key.")
    lulu_client_secret: Annotated[
        SecretStr | None, needed_with("print_vendor", "lulu"), Shown("required with `lulu`")
    ] = Field(default=None, validate_default=True, description="Lulu client secret.")
    lulu_webhook_secret: Annotated[SecretStr | None, Shown("the client secret")] = Field(
        default=None,
        description="What Lulu signs webhooks by; several, by spaces, during rotation.",
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
        default="square_10",
        description="How books are printed: size, paper, cover. An id of "
        "`gateway/print_profiles.json`.",
    )
    print_settle_s: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="Pause before a printer that didn't answer is asked whether it has the order:"
        " its search may lag.",
    )
    print_contact_email: Annotated[str, Shown("a made-up one")] = Field(
        default="print@foxetales.invalid",
        description="Whom the printer writes to: the shop, never a parent.",
    )
    shipping_level: Literal["MAIL", "PRIORITY_MAIL", "GROUND", "EXPEDITED", "EXPRESS"] = Field(
        default="MAIL",
        description="How books are shipped: `MAIL`, `PRIORITY_MAIL`, `GROUND`, `EXPEDITED` or "
        "`EXPRESS`.",
    )
    download_life_days: float = Field(
        default=30.0, gt=0, le=365, description="How long a parent may download a paid book."
    )
    order_photo_life_days: float = Field(
        default=30.0, gt=0, le=90, description="How long a photo lives after payment."
    )
    require_api_key: bool = Field(
        default=False,
        description="Whether uploads and previews need a shop's API key (`python -m gateway shop "
        "key`).",
    )
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(networks)] = Field(
        default=(),
        description="Networks of proxies whose `X-Forwarded-For` is believed, by commas: "
        "`10.0.0.0/8`. Without them, everybody behind a proxy counts as one caller.",
    )
    webhook_networks: Annotated[tuple[Network, ...], BeforeValidator(networks)] = Field(
        default=(),
        description="Private networks in which shops may have their webhooks' hosts, by commas: "
        "`10.1.0.0/16`. Else webhooks go to public addresses alone, and never through a proxy.",
    )
    rate_uploads: Limit = Field(
        default=Rate(60, 3600),
        description="Uploads from an address. A rate is a number a `second`, `minute`, `hour` or "
        "`day`, or `off`. Without `KV_URL` each gateway counts by itself.",
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
        default=Rate(1200, 60),
        description="Reads of a preview, or from an address without a preview's token; always "
        "counted by each gateway.",
    )
    rate_shops: Limit = Field(
        default=Rate(600, 60),
        description="Uploads, previews and checkouts of an API key, together, instead of those of"
        " its address.",
    )
    gpu_budget_pages: int = Field(
        default=0,
        ge=0,
        description="Pages of previews, of all callers together, that may be asked for in an "
        "hour; `0`: no limit. Pages of paid books are outside it.",
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
    consent_text: Annotated[str | None, Shown("what the service does with a photo")] = Field(
        default=None,
        min_length=1,
        max_length=4000,
        description="What a parent agrees to on the shop page; change `CONSENT_VERSION` with it.",
    )
    desk_secret: Annotated[
        SecretStr | None, AfterValidator(strong_ones), Shown("made of `APP_SECRET`")
    ] = Field(
        default=None,
        description="Signs the order desk's tokens; several, by spaces, during rotation.",
    )
    desk_token_life_s: int = Field(
        default=28_800, ge=60, le=86_400, description="Life of a login at the order desk."
    )
    gpu_second_price: Decimal = Field(
        default=Decimal("0.0005"),
        ge=0,
        le=1,
        description="US dollars for a second of GPU; the desk tells each order's cost by it.",
    )
    stripe_api_url: HttpUrl = Field(
        default=HttpUrl("https://api.stripe.com"), description="Stripe's API."
    )
    stripe_api_key: SecretStr | None = Field(
        default=None, description="Stripe's secret key. Without it nothing is sold by Stripe."
    )
    stripe_webhook_secrets: Annotated[
        SecretStr | None, AfterValidator(with_stripe_key), Shown("required with `STRIPE_API_KEY`")
    ] = Field(
        default=None,
        validate_default=True,
        description="What Stripe signs webhooks by (`whsec_…`); several, by spaces, during "
        "rotation.",
    )
    checkout_success_url: Annotated[str | None, Shown("`PUBLIC_URL`'s page")] = Field(
        default=None,
        pattern=WEB,
        description="Where a parent goes who has paid. Stripe writes the session's id for "
        "`{CHECKOUT_SESSION_ID}`.",
    )
    checkout_cancel_url: Annotated[str | None, Shown("`PUBLIC_URL`'s page")] = Field(
        default=None, pattern=WEB, description="Where a parent goes who doesn't pay."
    )
    shipping_countries: Annotated[tuple[str, ...], BeforeValidator(countries)] = Field(
        default=("US", "CA", "GB", "AU"),
        description="Countries that books are sold to by Stripe, by commas.",
    )
    shopify_client_secrets: SecretStr | None = Field(
        default=None,
        description="Client secrets of the Shopify app, which sign webhooks and the app proxy; "
        "several, by spaces, during rotation.",
    )
    allow_test_payments: bool = Field(
        default=False,
        description="`true`: payments in Stripe's test mode and Shopify's test orders make books."
        " For sandboxes.",
    )
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="One of DEBUG, INFO, WARNING, ERROR.",
    )
