"""A gateway of real parts in a temporary folder, with stand-ins for the endpoint and the faces."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine
from starlette.testclient import TestClient

from books.library import OWN_BOOKS, load_books
from contract.keys import TEMPLATE_ASSETS
from contract.signing import new_secret
from gateway.adapters.centerface import CenterFace
from gateway.adapters.kv_sql import SqlKeyValue
from gateway.adapters.rate_limits import MemoryRateLimiter
from gateway.app import create_app
from gateway.migrations import upgrade
from gateway.outside import Outside
from gateway.pdf import FontSet, load_fonts
from gateway.records import open_engine
from gateway.services import Services, assemble
from gateway.settings import Settings
from storage.folder import FolderStore
from tests.gateway.fakes import (
    FakeCourier,
    FakeEndpoint,
    FakeFaces,
    FakeMailer,
    FakePrinter,
    MovableClock,
)
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import Stage
from tests.servers import PostgresServer

FACE_MODEL = Path(__file__).parents[2] / "build" / "models" / "face_detection" / "centerface.onnx"


@pytest.fixture(scope="session")
def books_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample book with tiny art in place of the drawn one."""
    directory = tmp_path_factory.mktemp("books")
    for source in OWN_BOOKS.glob("*/book.json"):
        (directory / source.parent.name).mkdir()
        book = json.loads(source.read_text())
        for part in ("workflow", "identity_workflow", "draft_workflow"):
            book[part]["version"] = 1  # the book's own may be raised without a change of tests
        (directory / source.parent.name / "book.json").write_text(json.dumps(book))
    for book in load_books(directory).values():
        for page in book.pages:
            if page.art:
                folder = directory / book.id / f"page_{page.page_number:02d}"
                folder.mkdir(parents=True)
                for shade, asset in enumerate(TEMPLATE_ASSETS):
                    Image.new("RGB", (8, 8), (shade, page.page_number, 0)).save(
                        folder / f"{asset}.png"
                    )
    return directory


@pytest.fixture
def page_look() -> str:
    """The look in use, as in production. A test of drafts parametrizes it."""
    return "final"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of modules where SQL matters on each of their DATABASES."""
    databases = getattr(metafunc.module, "DATABASES", ())
    if databases and "database" in metafunc.fixturenames:
        metafunc.parametrize("database", databases)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the gateway's tables and nothing in them."""
    path = tmp_path_factory.mktemp("database") / "migrated.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def migrated_database(postgres: PostgresServer) -> str:
    """The name of such a database in PostgreSQL."""
    name = postgres.new_database()
    engine = open_engine(postgres.url(name))
    upgrade(engine)
    engine.dispose()
    return name


@pytest.fixture
def database() -> str:
    """The kind of database in use; a module's DATABASES names others to run its tests on."""
    return "sqlite"


@pytest.fixture
def database_url(database: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database with the gateway's tables, made for this test."""
    if database == "sqlite":
        path = request.getfixturevalue("tmp_path") / "gateway.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        name = server.new_database(request.getfixturevalue("migrated_database"))
        yield server.url(name)
        server.drop_database(name)


@pytest.fixture
def environ(tmp_path: Path, books_dir: Path, page_look: str, database_url: str) -> dict[str, str]:
    """An environment that the gateway starts with."""
    return {
        "PUBLIC_URL": "http://gateway.test",
        "DATABASE_URL": database_url,
        "OBJECT_STORE_URL": f"file://{tmp_path}/objects",
        "BOOKS_DIR": str(books_dir),
        "PAGE_LOOK": page_look,
        "APP_SECRET": "a-secret-of-at-least-thirty-two-characters",
        "CALLBACK_SECRET": new_secret(),
        "RUNPOD_API_URL": "http://127.0.0.1:9/v2",
        "RUNPOD_ENDPOINT_ID": "endpoint",
        "RUNPOD_API_KEY": "rpa_test",
        "RUNPOD_WEBHOOK_TOKEN": "a-token-of-at-least-thirty-two-characters",
        "FACE_MODEL_PATH": str(FACE_MODEL),
        "MAIL_OUTBOX_DIR": f"{tmp_path}/mail",
        "PRINT_DROP_DIR": f"{tmp_path}/print_jobs",
    }


@pytest.fixture
def settings(environ: dict[str, str]) -> Settings:
    return Settings.from_environ(environ)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """A real database with the gateway's tables."""
    engine = open_engine(settings.database_url.get_secret_value())
    yield engine
    engine.dispose()


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "objects")


@pytest.fixture
def endpoint() -> FakeEndpoint:
    return FakeEndpoint()


@pytest.fixture
def faces() -> FakeFaces:
    return FakeFaces()


@pytest.fixture
def courier() -> FakeCourier:
    return FakeCourier()


@pytest.fixture(scope="session")
def fonts() -> FontSet:
    """The real fonts."""
    return load_fonts()


@pytest.fixture
def mailer() -> FakeMailer:
    return FakeMailer()


@pytest.fixture
def printer() -> FakePrinter:
    return FakePrinter()


@pytest.fixture(scope="session")
def real_faces() -> CenterFace:
    """The real detector, loaded once."""
    return CenterFace(FACE_MODEL)


@pytest.fixture
def services(
    settings: Settings,
    clock: MovableClock,
    engine: Engine,
    store: FolderStore,
    endpoint: FakeEndpoint,
    faces: FakeFaces,
    mailer: FakeMailer,
    printer: FakePrinter,
    courier: FakeCourier,
    fonts: FontSet,
) -> Services:
    return assemble(
        settings,
        Outside(
            clock=clock,
            engine=engine,
            kv=SqlKeyValue(engine, clock),
            store=store,
            endpoint=endpoint,
            faces=faces,
            mailer=mailer,
            printer=printer,
            courier=courier,
            fonts=fonts,
            limiter=MemoryRateLimiter(),
        ),
    )


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    """A browser of the whole application, with its lifespan running."""
    with TestClient(create_app(services), base_url="http://gateway.test") as client:
        yield client


@pytest.fixture
def seeing_client(services: Services, real_faces: CenterFace) -> Iterator[TestClient]:
    """A browser of an application that really looks for faces."""
    app = create_app(replace(services, faces=real_faces))
    with TestClient(app, base_url="http://gateway.test") as client:
        yield client


@pytest.fixture
def stage(services: Services, endpoint: FakeEndpoint) -> Stage:
    """Jobs moved by hand: the application without its lifespan, so that no loop runs beside it."""
    client = TestClient(
        create_app(services), base_url="http://gateway.test", raise_server_exceptions=False
    )
    return Stage(services, endpoint, client)


@pytest.fixture
def orders(
    stage: Stage, endpoint: FakeEndpoint, mailer: FakeMailer, courier: FakeCourier
) -> OrderStage:
    """Paid orders moved by hand."""
    return OrderStage(stage, endpoint, mailer, courier)
