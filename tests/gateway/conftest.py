"""A gateway of real parts in a temporary folder, with stand-ins for the endpoint and the faces."""

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
from gateway.app import create_app
from gateway.records import create_schema, open_engine
from gateway.services import Services, assemble
from gateway.settings import Settings
from storage.folder import FolderStore
from tests.gateway.fakes import FakeEndpoint, FakeFaces, MovableClock
from tests.gateway.rendering import Stage

FACE_MODEL = Path(__file__).parents[2] / "build" / "models" / "face_detection" / "centerface.onnx"


@pytest.fixture(scope="session")
def books_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample book with tiny art in place of the drawn one."""
    directory = tmp_path_factory.mktemp("books")
    for source in OWN_BOOKS.glob("*/book.json"):
        (directory / source.parent.name).mkdir()
        shutil.copy(source, directory / source.parent.name / "book.json")
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


@pytest.fixture
def environ(tmp_path: Path, books_dir: Path, page_look: str) -> dict[str, str]:
    """An environment that the gateway starts with."""
    return {
        "PUBLIC_URL": "http://gateway.test",
        "DATABASE_URL": f"sqlite:///{tmp_path}/gateway.db",
        "OBJECT_STORE_URL": f"file://{tmp_path}/objects",
        "BOOKS_DIR": str(books_dir),
        "PAGE_LOOK": page_look,
        "APP_SECRET": "a secret of at least thirty-two characters",
        "CALLBACK_SECRET": new_secret(),
        "RUNPOD_API_URL": "http://127.0.0.1:9/v2",
        "RUNPOD_ENDPOINT_ID": "endpoint",
        "RUNPOD_API_KEY": "rpa_test",
        "RUNPOD_WEBHOOK_TOKEN": "a-token-of-at-least-thirty-two-characters",
        "FACE_MODEL_PATH": str(FACE_MODEL),
    }


@pytest.fixture
def settings(environ: dict[str, str]) -> Settings:
    return Settings.from_environ(environ)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """Real SQLite with the gateway's tables."""
    engine = open_engine(settings.database_url.get_secret_value())
    create_schema(engine)
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
) -> Services:
    return assemble(
        settings, clock=clock, engine=engine, store=store, endpoint=endpoint, faces=faces
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
