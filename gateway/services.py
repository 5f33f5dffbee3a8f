"""The parts that the routes work with, and how they are put together."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import SystemRandom
from urllib.parse import quote

import cv2
import httpx
from anyio import to_thread
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from books.appearances import load_appearances
from books.library import BookError
from gateway.adapters.centerface import CenterFace
from gateway.adapters.database_clock import DatabaseClock
from gateway.adapters.file_drop import FileDrop
from gateway.adapters.kv_redis import RedisKeyValue, open_redis
from gateway.adapters.kv_sql import SqlKeyValue
from gateway.adapters.lulu import Lulu
from gateway.adapters.lulu_session import LuluSession
from gateway.adapters.mail_outbox import MailOutbox
from gateway.adapters.rate_limits import MemoryRateLimiter, RedisRateLimiter
from gateway.adapters.resend import ResendMailer
from gateway.adapters.runpod import RunpodEndpoint
from gateway.adapters.smtp import SmtpMailer, SmtpServer
from gateway.adapters.stripe_payments import StripePayments
from gateway.adapters.system_clock import SystemClock
from gateway.adapters.webhook_courier import Reach, WebhookCourier
from gateway.catalogue import ArtMissing, Catalogue
from gateway.desk_tokens import DeskTokens
from gateway.dispatcher import Dispatcher
from gateway.download_links import DownloadLinks
from gateway.erasure import Erasure
from gateway.ledger import Ledger
from gateway.links import Links
from gateway.looks import LookMissing, check_look
from gateway.mail_message import sender
from gateway.migrations import SchemaError, upgrade
from gateway.order_records import Order
from gateway.order_services import OrderServices, assemble_orders
from gateway.outside import Outside
from gateway.pdf import FontMissing, FontSet, load_fonts
from gateway.ports import (
    Clock,
    FaceDetector,
    KeyValue,
    Mailer,
    ObjectStore,
    PrintVendor,
    RenderEndpoint,
)
from gateway.rate_limits import RateLimiter
from gateway.records import open_engine
from gateway.removals import Removals
from gateway.rounds import Round
from gateway.sale_services import SaleServices, assemble_sales
from gateway.settings import Settings, SettingsError
from gateway.shop_privacy import privacy_of
from gateway.shops import ApiKeys
from gateway.status_board import StatusBoard
from gateway.stripe_events import EVENT_TYPES
from gateway.tokens import Tokens
from storage.open import open_store

Closer = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Services:
    """Everything that a route may use. ``closers`` run when the application ends."""

    settings: Settings
    clock: Clock
    engine: Engine
    kv: KeyValue
    store: ObjectStore
    endpoint: RenderEndpoint
    faces: FaceDetector
    mailer: Mailer
    printer: PrintVendor
    books: Catalogue
    board: StatusBoard
    dispatcher: Dispatcher
    tokens: Tokens
    links: Links
    orders: OrderServices
    sales: SaleServices
    erasure: Erasure
    api_keys: ApiKeys
    limiter: RateLimiter
    desk_tokens: DeskTokens
    download_links: DownloadLinks
    closers: tuple[Closer, ...] = ()


def assemble(settings: Settings, outside: Outside, closers: tuple[Closer, ...] = ()) -> Services:
    """Put the gateway together around the parts that touch the world.

    Raises:
        SettingsError: the books or the appearances can't be used; one line says which.
    """
    clock, engine = outside.clock, outside.engine
    books = open_catalogue(settings)
    board = StatusBoard(engine, outside.kv)
    dispatcher = _dispatcher(settings, outside, books, board)
    ledger = dispatcher.ledger
    public_url = _public_url(settings)
    secrets = settings.app_secrets
    links = Links(public_url, secrets, settings.link_life_s, clock)
    tokens = Tokens(secrets)
    downloads = DownloadLinks(public_url, secrets)
    order_url = partial(_order_page, public_url, tokens)
    orders = assemble_orders(settings, outside, books, ledger, links, downloads, order_url)
    erasure = Erasure(engine, clock, ledger, Removals(engine, clock, outside.store), secrets[0])
    privacy = privacy_of(erasure, engine, clock, outside.courier)
    sales = assemble_sales(settings, outside, books, orders, privacy)
    desk_life = timedelta(seconds=settings.desk_token_life_s)
    return Services(
        settings=settings,
        clock=clock,
        engine=engine,
        kv=outside.kv,
        store=outside.store,
        endpoint=outside.endpoint,
        faces=outside.faces,
        mailer=outside.mailer,
        printer=outside.printer,
        books=books,
        board=board,
        dispatcher=dispatcher,
        tokens=tokens,
        api_keys=ApiKeys(engine, clock),
        limiter=outside.limiter,
        download_links=downloads,
        desk_tokens=DeskTokens(settings.desk_secrets, desk_life, clock),
        links=links,
        orders=orders,
        sales=sales,
        erasure=erasure,
        closers=closers,
    )


def _dispatcher(
    settings: Settings, outside: Outside, books: Catalogue, board: StatusBoard
) -> Dispatcher:
    token = settings.runpod_webhook_token.get_secret_value()
    webhooks = f"{_public_url(settings)}/webhooks/runpod/job/{token}"
    return Dispatcher(
        ledger=Ledger(
            outside.engine,
            outside.clock,
            attempts=settings.job_attempts,
            quiet_s=settings.job_quiet_s,
            jitter=SystemRandom().random,
        ),
        endpoint=outside.endpoint,
        store=outside.store,
        books=books,
        board=board,
        webhook_url=lambda job_id: f"{webhooks}/{job_id}",
        deadline_s=settings.job_deadline_s,
    )


def _public_url(settings: Settings) -> str:
    return str(settings.public_url).rstrip("/")


def _order_page(public_url: str, tokens: Tokens, order: Order) -> str:
    """Where a parent follows an order. The token stands behind the ``#``, which browsers keep to
    themselves."""
    token = tokens.issue(order.preview_id) if order.preview_id else ""
    return f"{public_url}/#order={order.order_id}&token={quote(token)}"


def rounds_of(services: Services) -> list[Round]:
    """What a gateway that carries orders does again and again."""
    return [*services.orders.rounds(), *services.sales.rounds()]


def build(settings: Settings, environ: Mapping[str, str], clock: Clock | None = None) -> Services:
    """Put the gateway together from its settings: the only place that chooses adapters.

    ``environ`` gives the credentials of an ``s3://`` store (see ``storage.open``); ``clock`` is the
    machine's, the system's if none is given. Gateways on PostgreSQL go by the database's instead:
    machines disagree.

    Raises:
        SettingsError: a setting names something that can't be used; one line says which.
    """
    try:
        store = open_store(settings.object_store_url, environ)
    except ValueError as error:
        raise SettingsError(f"OBJECT_STORE_URL: {error}") from error
    try:
        faces = CenterFace(settings.face_model_path)
    except (FileNotFoundError, cv2.error) as error:
        raise SettingsError(f"FACE_MODEL_PATH: {error}") from error
    engine = open_database(settings.database_url)
    shared = _shared_clock(engine)
    clock = shared or clock or SystemClock()
    client = httpx.AsyncClient(timeout=httpx.Timeout(15, connect=5))
    vendors = httpx.Client(timeout=httpx.Timeout(30, connect=5))
    courier = WebhookCourier(clock, Reach(settings.webhook_networks))
    redis = _redis(settings)
    payments = _payments(settings)
    return assemble(
        settings,
        Outside(
            clock=clock,
            engine=engine,
            kv=RedisKeyValue(redis, clock) if redis else SqlKeyValue(engine, clock),
            store=store,
            endpoint=RunpodEndpoint(
                client,
                api_url=str(settings.runpod_api_url),
                endpoint_id=settings.runpod_endpoint_id,
                api_key=settings.runpod_api_key.get_secret_value(),
            ),
            faces=faces,
            mailer=_mailer(settings, clock, vendors),
            printer=_printer(settings, clock, vendors, store),
            courier=courier,
            fonts=_fonts(),
            limiter=RedisRateLimiter(redis) if redis else MemoryRateLimiter(),
            payments=payments,
            set_clock=shared.synchronise if shared else (lambda: None),
        ),
        closers=(
            client.aclose,
            partial(to_thread.run_sync, vendors.close),
            partial(to_thread.run_sync, courier.close),
            *([partial(to_thread.run_sync, payments.close)] if payments else []),
            *([partial(to_thread.run_sync, redis.close)] if redis else []),
        ),
    )


def _shared_clock(engine: Engine) -> DatabaseClock | None:
    """The clock of all gateways on the database; with SQLite there is one machine."""
    if engine.dialect.name != "postgresql":
        return None
    try:
        return DatabaseClock(engine)
    except SQLAlchemyError as error:
        reason = type(error).__name__
        raise SettingsError(f"DATABASE_URL: can't be asked for the time ({reason})") from None


def _fonts() -> FontSet:
    try:
        return load_fonts()
    except FontMissing as error:
        raise SettingsError(f"fonts: {error}") from None


def _redis(settings: Settings) -> Redis | None:
    if settings.kv_url is None:
        return None
    try:
        return open_redis(settings.kv_url.get_secret_value())
    except ValueError:
        raise SettingsError("KV_URL: can't be parsed") from None


def _payments(settings: Settings) -> StripePayments | None:
    if settings.stripe_api_key is None:
        return None
    page = str(settings.public_url).rstrip("/") + "/"
    paid = f"{page}?checkout={{CHECKOUT_SESSION_ID}}"
    return StripePayments(
        api_key=settings.stripe_api_key.get_secret_value(),
        api_url=str(settings.stripe_api_url),
        success_url=settings.checkout_success_url or paid,
        cancel_url=settings.checkout_cancel_url or page,
        countries=settings.shipping_countries,
        event_types=EVENT_TYPES,
    )


def _mailer(settings: Settings, clock: Clock, client: httpx.Client) -> Mailer:
    from_ = sender(settings.mail_from)
    if settings.mail == "smtp":
        assert settings.smtp_url  # the settings see to that
        try:
            server = SmtpServer.parse(settings.smtp_url.get_secret_value())
        except ValueError as error:
            raise SettingsError(f"SMTP_URL: {error}") from None
        return SmtpMailer(server, from_, clock)
    if settings.mail == "resend":
        assert settings.resend_api_key  # likewise
        return ResendMailer(
            client,
            api_url=str(settings.resend_api_url),
            api_key=settings.resend_api_key.get_secret_value(),
            from_=from_,
        )
    return MailOutbox(settings.mail_outbox_dir, from_, clock)


def _printer(
    settings: Settings, clock: Clock, client: httpx.Client, store: ObjectStore
) -> PrintVendor:
    if settings.print_vendor == "file_drop":
        return FileDrop(settings.print_drop_dir, store)
    key, secret = settings.lulu_client_key, settings.lulu_client_secret
    assert key is not None  # the settings see to that
    assert secret is not None
    return Lulu(
        LuluSession(
            client,
            clock,
            api_url=str(settings.lulu_api_url),
            client_key=key.get_secret_value(),
            client_secret=secret.get_secret_value(),
        ),
        clock,
    )


def open_catalogue(settings: Settings) -> Catalogue:
    """Read the books, their art and the appearances.

    Raises:
        SettingsError: they can't be used; one line says which.
    """
    try:
        appearances = load_appearances(settings.appearances_path)
    except BookError as error:
        raise SettingsError(f"APPEARANCES_PATH: {error}") from error
    try:
        books = Catalogue.open(settings.books_dir, appearances)
    except (BookError, ArtMissing) as error:
        raise SettingsError(f"BOOKS_DIR: {error}") from error
    try:
        check_look(books.all(), settings.page_look)
    except LookMissing as error:
        raise SettingsError(f"PAGE_LOOK: {error}") from error
    return books


def open_database(url: SecretStr) -> Engine:
    """Open the database and bring it up to date.

    Raises:
        SettingsError: that can't be done; one line says why, without the URL.
    """
    # SQLAlchemy's messages repeat the URL, which may carry a password: its type has to do.
    try:
        engine = open_engine(url.get_secret_value())
        upgrade(engine)
    except SchemaError as error:
        raise SettingsError(f"DATABASE_URL: {error}") from None
    except (SQLAlchemyError, ValueError, ImportError) as error:
        reason = type(error).__name__
        raise SettingsError(f"DATABASE_URL: can't be opened ({reason})") from None
    return engine
