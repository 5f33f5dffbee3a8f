"""The schema is brought up to date, wherever a database comes from."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, inspect, text

from gateway import migrations
from gateway.migrations import SchemaError, upgrade
from gateway.migrations.tables import METADATA
from gateway.order_records import Order
from gateway.records import Page, Photo, Preview, open_engine, reading
from gateway.shops import DEFAULT_SHOP, Shop

DATABASES = ("sqlite", "postgresql")


@pytest.fixture
def empty(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without a table."""
    if database == "sqlite":
        url = f"sqlite:///{tmp_path}/new.db"
    else:
        url = request.getfixturevalue("postgres_url")
    engine = open_engine(url)
    yield engine
    engine.dispose()


def make_unversioned(engine: Engine) -> None:
    """What the last gateway without migrations made, with one page of one preview in it."""
    config = Config()
    config.set_main_option("script_location", "gateway:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("DROP TABLE alembic_version"))
        moment = {"now": "2030-01-01 12:00:00.000000+00:00", "json": "{}"}
        if engine.dialect.name == "sqlite":
            moment["now"] = "2030-01-01 12:00:00.000000"
        for statement in (
            "INSERT INTO photos VALUES ('photo', 'k', 's', 1, 1, 1, 0.5, 10, :now, :now)",
            "INSERT INTO previews VALUES ('preview', 'photo', 'book', 'Mia', 4, 'girl', NULL, "
            "'style', NULL, NULL, 'hash', :now, :now)",
            "INSERT INTO jobs VALUES ('job', 'preview', 'preview', :json, NULL, 'hash', "
            "'completed', 1, 'completed', 1, 1, 1, 0, 1, NULL, 1, 1, NULL, NULL, NULL, NULL, "
            "NULL, :now, NULL, NULL)",
            "INSERT INTO pages VALUES ('preview', 3, 1, 'job', 'completed', 7, 'key', 1, NULL, "
            "NULL, NULL, NULL, NULL)",
        ):
            connection.execute(
                text(statement), {k: v for k, v in moment.items() if f":{k}" in statement}
            )


def shape(engine: Engine) -> dict[str, Any]:
    """The tables as the database tells them. Names of keys are left out: SQLite has none, until
    a table is made anew."""
    inspector = inspect(engine)
    return {
        table: {
            "columns": {
                (column["name"], str(column["type"]), column["nullable"])
                for column in inspector.get_columns(table)
            },
            "primary": inspector.get_pk_constraint(table)["constrained_columns"],
            "unique": {
                tuple(unique["column_names"]) for unique in inspector.get_unique_constraints(table)
            },
            "foreign": {
                (tuple(key["constrained_columns"]), key["referred_table"])
                for key in inspector.get_foreign_keys(table)
            },
            "indexes": {
                (index["name"], tuple(index["column_names"]))
                for index in inspector.get_indexes(table)
                if not index.get("duplicates_constraint")
            },
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def test_an_empty_database_gets_the_tables_of_the_records(empty: Engine) -> None:
    upgrade(empty)
    with empty.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    migrated = shape(empty)
    with empty.begin() as connection:
        METADATA.drop_all(connection)
        METADATA.create_all(connection)
    assert migrated == shape(empty)


def test_a_second_upgrade_changes_nothing(empty: Engine) -> None:
    upgrade(empty)
    before = shape(empty)
    upgrade(empty)
    assert shape(empty) == before


def test_a_database_without_a_version_goes_on_with_what_is_in_it(empty: Engine) -> None:
    make_unversioned(empty)
    upgrade(empty)
    with reading(empty) as session:
        assert session.get_one(Photo, "photo").consent is None
        preview = session.get_one(Preview, "preview")
        assert (preview.child_name, preview.shop_id) == ("Mia", DEFAULT_SHOP)
        page = session.get_one(Page, ("preview", 3, 1, "page"))
        assert (page.seed, page.job_id) == (7, "job")
    upgraded = shape(empty)
    with empty.begin() as connection:
        METADATA.drop_all(connection)
        METADATA.create_all(connection)
    assert upgraded == shape(empty)


def test_orders_of_before_are_found_by_their_names(empty: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", "gateway:migrations")
    now = datetime(2030, 1, 1, tzinfo=UTC)
    with empty.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        tables = MetaData()
        tables.reflect(connection, only=["orders", "order_events"])
        orders, events = tables.tables["orders"], tables.tables["order_events"]
        for order_id, source in (("one", "shopify"), ("two", "stripe")):
            row: dict[str, Any] = {
                "order_id": order_id,
                "shop_id": "default",
                "source": source,
                "source_id": "1",
            }
            row |= {"shop_domain": "", "source_order": "1", "email": "Mum@X.org", "status": "paid"}
            row |= {"currency": "USD", "payment": "paid", "test": False, "holds": []}
            counts = dict.fromkeys(("quantity", "amount", "run", "edition"), 1)
            moments = {"paid_at": now, "updated_at": now}
            connection.execute(orders.insert().values(**row, **counts, **moments))
        for name in ("#1001", "#1002"):
            connection.execute(
                events.insert().values(
                    order_id="one",
                    at=now,
                    actor="shopify",
                    kind="shopify_order",
                    detail={"name": name},
                )
            )
    upgrade(empty)
    with reading(empty) as session:
        found = {order.order_id: order for order in session.query(Order)}
    assert (found["one"].source_name, found["two"].source_name) == ("#1001", None)
    assert {order.email_key for order in found.values()} == {"mum@x.org"}


def test_references_are_kept_again_after_an_upgrade(empty: Engine) -> None:
    make_unversioned(empty)
    upgrade(empty)
    if empty.dialect.name == "sqlite":
        with empty.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE photos (photo_id VARCHAR(64))", "CREATE TABLE photos (somebody_elses TEXT)"],
)
def test_a_database_that_nobody_knows_is_left_alone(empty: Engine, statement: str) -> None:
    with empty.begin() as connection:
        connection.execute(text(statement))
    before = shape(empty)
    with pytest.raises(SchemaError, match="nobody knows"):
        upgrade(empty)
    assert shape(empty) == before


def test_a_database_between_two_versions_is_left_alone(empty: Engine) -> None:
    with empty.begin() as connection:
        METADATA.create_all(connection)
    with pytest.raises(SchemaError, match="nobody knows"):
        upgrade(empty)


def test_a_database_of_a_newer_gateway_is_refused(empty: Engine) -> None:
    upgrade(empty)
    with empty.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="newer"):
        upgrade(empty)


def test_a_row_that_refers_to_nothing_stops_the_upgrade_of_sqlite(tmp_path: Path) -> None:
    empty = open_engine(f"sqlite:///{tmp_path}/new.db")
    make_unversioned(empty)
    with empty.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys=OFF")
        with connection.begin():
            connection.execute(text("DELETE FROM photos"))
        driver.execute("PRAGMA foreign_keys=ON")
    with pytest.raises(SchemaError, match="refers"):
        upgrade(empty)
    assert "orders" not in inspect(empty).get_table_names()
    empty.dispose()


def test_several_gateways_may_start_at_once(empty: Engine) -> None:
    url = empty.url.render_as_string(hide_password=False)
    engines = [open_engine(url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(upgrade, engines))
    for engine in engines:
        engine.dispose()
    with reading(empty) as session:
        assert session.get_one(Shop, DEFAULT_SHOP).approval is False
    with empty.connect() as connection:
        versions = connection.execute(text("SELECT version_num FROM alembic_version")).all()
    assert len(versions) == 1


def test_the_command_migrates_with_nothing_but_the_databases_url(empty: Engine) -> None:
    url = empty.url.render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "migrate"],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "orders" in inspect(empty).get_table_names()


def test_each_step_follows_the_one_before(tmp_path: Path) -> None:
    steps = sorted(path.stem[:4] for path in Path(migrations.__path__[0]).glob("versions/0*.py"))
    assert steps == [f"{number:04d}" for number in range(1, len(steps) + 1)]
