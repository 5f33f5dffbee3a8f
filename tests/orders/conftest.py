"""What tests of orders with real processes share. The workers serve a whole package's tests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.records import open_engine
from tests.gateway.conftest import (  # noqa: F401  # fixtures
    books_dir,
    migrated_database,
    migrated_file,
)
from tests.orders.site import Base, Site, running_site
from tests.servers import PostgresServer


@pytest.fixture(scope="package")
def base(tmp_path_factory: pytest.TempPathFactory, books_dir: Path) -> Iterator[Base]:  # noqa: F811
    folder = tmp_path_factory.mktemp("orders")
    with running_site(folder, books_dir, {"OBJECT_STORE_URL": f"file://{folder}/store"}) as made:
        yield made


@pytest.fixture
def site(base: Base, tmp_path: Path, migrated_file: Path) -> Iterator[Site]:  # noqa: F811
    """A site without gateways, with an empty database."""
    shutil.copy(migrated_file, tmp_path / "gateway.db")
    with _site(base, tmp_path, f"sqlite:///{tmp_path}/gateway.db") as made:
        yield made


@pytest.fixture
def site_on_postgres(
    base: Base,
    tmp_path: Path,
    postgres: PostgresServer,
    migrated_database: str,  # noqa: F811
) -> Iterator[Site]:
    """The same on PostgreSQL."""
    name = postgres.new_database(migrated_database)
    with _site(base, tmp_path, postgres.url(name)) as made:
        yield made
    postgres.drop_database(name)


@contextmanager
def _site(base: Base, folder: Path, database_url: str) -> Iterator[Site]:
    own = {"MAIL_OUTBOX_DIR": f"{folder}/mail", "PRINT_DROP_DIR": f"{folder}/print_jobs"}
    engine = open_engine(database_url)
    made = Site(folder, {**base.environ, **own}, base.ports, database_url, engine)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder / "print_jobs", ignore_errors=True)
