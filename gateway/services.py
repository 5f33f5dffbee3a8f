"""The parts that the routes work with, and how they are put together."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import SystemRandom

import cv2
import httpx
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from books.appearances import load_appearances
from books.library import BookError
from gateway.adapters.centerface import CenterFace
from gateway.adapters.kv_sql import SqlKeyValue
from gateway.adapters.runpod import RunpodEndpoint
from gateway.adapters.system_clock import SystemClock
from gateway.catalogue import ArtMissing, Catalogue
from gateway.dispatcher import Dispatcher
from gateway.ledger import Ledger
from gateway.links import Links
from gateway.looks import LookMissing, check_look
from gateway.ports import Clock, FaceDetector, KeyValue, ObjectStore, RenderEndpoint
from gateway.records import create_schema, open_engine
from gateway.settings import Settings, SettingsError
from gateway.status_board import StatusBoard
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
    books: Catalogue
    board: StatusBoard
    dispatcher: Dispatcher
    tokens: Tokens
    links: Links
    closers: tuple[Closer, ...] = ()


def assemble(
    settings: Settings,
    *,
    clock: Clock,
    engine: Engine,
    store: ObjectStore,
    endpoint: RenderEndpoint,
    faces: FaceDetector,
    closers: tuple[Closer, ...] = (),
) -> Services:
    """Put the gateway together around the parts that touch the world.

    Raises:
        SettingsError: the books or the appearances can't be used; one line says which.
    """
    books = _catalogue(settings)
    kv = SqlKeyValue(engine, clock)
    board = StatusBoard(engine, kv)
    public_url = str(settings.public_url).rstrip("/")
    webhook_base = (
        f"{public_url}/webhooks/runpod/job/{settings.runpod_webhook_token.get_secret_value()}"
    )
    ledger = Ledger(
        engine,
        clock,
        attempts=settings.job_attempts,
        quiet_s=settings.job_quiet_s,
        jitter=SystemRandom().random,
    )
    dispatcher = Dispatcher(
        ledger=ledger,
        endpoint=endpoint,
        store=store,
        books=books,
        board=board,
        webhook_url=lambda job_id: f"{webhook_base}/{job_id}",
        deadline_s=settings.job_deadline_s,
    )
    secret = settings.app_secret.get_secret_value()
    return Services(
        settings=settings,
        clock=clock,
        engine=engine,
        kv=kv,
        store=store,
        endpoint=endpoint,
        faces=faces,
        books=books,
        board=board,
        dispatcher=dispatcher,
        tokens=Tokens(secret),
        links=Links(public_url, secret, settings.link_life_s, clock),
        closers=closers,
    )


def build(settings: Settings, environ: Mapping[str, str]) -> Services:
    """Put the gateway together from its settings: the only place that chooses adapters.

    ``environ`` gives the credentials of an ``s3://`` store (see ``storage.open``).

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
    engine = _open_database(settings)
    client = httpx.AsyncClient(timeout=httpx.Timeout(15, connect=5))
    return assemble(
        settings,
        clock=SystemClock(),
        engine=engine,
        store=store,
        endpoint=RunpodEndpoint(
            client,
            api_url=str(settings.runpod_api_url),
            endpoint_id=settings.runpod_endpoint_id,
            api_key=settings.runpod_api_key.get_secret_value(),
        ),
        faces=faces,
        closers=(client.aclose,),
    )


def _catalogue(settings: Settings) -> Catalogue:
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


def _open_database(settings: Settings) -> Engine:
    # SQLAlchemy's messages repeat the URL, which may carry a password: its type has to do.
    try:
        engine = open_engine(settings.database_url.get_secret_value())
        create_schema(engine)
    except (SQLAlchemyError, ValueError, ImportError) as error:
        reason = type(error).__name__
        raise SettingsError(f"DATABASE_URL: can't be opened ({reason})") from None
    return engine
