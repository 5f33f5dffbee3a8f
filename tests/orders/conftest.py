"""What tests of orders with real processes share. The workers serve a whole package's tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.migrations import upgrade
from gateway.records import open_engine
from tests.gateway.conftest import books_dir  # noqa: F401  # a fixture
from tests.orders.site import Base, Site, running_site


@pytest.fixture(scope="package")
def base(tmp_path_factory: pytest.TempPathFactory, books_dir: Path) -> Iterator[Base]:  # noqa: F811
    folder = tmp_path_factory.mktemp("orders")
    with running_site(folder, books_dir, {"OBJECT_STORE_URL": f"file://{folder}/store"}) as made:
        yield made


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/gateway.db"


@pytest.fixture
def site(base: Base, tmp_path: Path, database_url: str) -> Iterator[Site]:
    """A site without gateways, with an empty database."""
    engine = open_engine(database_url)
    upgrade(engine)
    own = {"MAIL_OUTBOX_DIR": f"{tmp_path}/mail", "PRINT_DROP_DIR": f"{tmp_path}/print_jobs"}
    made = Site(tmp_path, {**base.environ, **own}, base.ports, database_url, engine)
    yield made
    made.close()
    shutil.rmtree(tmp_path / "print_jobs", ignore_errors=True)


@pytest.fixture
def site_on_postgres(site: Site, postgres_url: str) -> Iterator[Site]:
    """The same on PostgreSQL."""
    engine = open_engine(postgres_url)
    upgrade(engine)
    made = Site(site.folder, site.environ, site.ports, postgres_url, engine)
    yield made
    made.close()
