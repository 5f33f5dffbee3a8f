"""The database's schema: brought up to date by ``python -m gateway migrate`` and at each start.

Each module of ``versions/`` is one step, kept for ever; steps back aren't provided. To add one,
change the records, then::

    alembic -x url=sqlite:////tmp/schema.db upgrade head
    alembic -x url=sqlite:////tmp/schema.db revision --autogenerate --rev-id 0003 -m "what changes"

read what it wrote, and run the tests of the migrations.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

_LOCATION = "gateway:migrations"
_LOCK = 7066578
_UNVERSIONED = "0001"
"""The step that makes what gateways had before the schema had versions."""
_ITS_NEWEST = {"photos.sha256", "previews.appearance", "jobs.rendering", "pages.preview_key"}
_NOT_YET_THERE = {"orders", "previews.shop_id"}


class SchemaError(Exception):
    """The database can't be brought up to date. The message says why."""


def upgrade(engine: Engine) -> None:
    """Bring the schema up to date, in one transaction. Several gateways may do so at once.

    A database that was made before the schema had versions is recognised and goes on from there.

    Raises:
        SchemaError: a newer gateway made it, or nobody knows who did.
    """
    with _alone(engine) as connection:
        config = Config()
        config.set_main_option("script_location", _LOCATION)
        config.attributes["connection"] = connection
        current = MigrationContext.configure(connection).get_current_revision()
        scripts = ScriptDirectory.from_config(config)
        if current is None and inspect(connection).has_table("photos"):
            _check_unversioned(connection)
            command.stamp(config, _UNVERSIONED)
        elif current is not None and current not in _known(scripts):
            raise SchemaError("a newer gateway made this database")
        if current != scripts.get_current_head():
            command.upgrade(config, "head")


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other gateway's migration runs beside."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            with _references_checked_at_the_end(connection), connection.begin():
                yield connection
                if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise SchemaError("a row refers to another that isn't there")
        else:
            with connection.begin():
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
                yield connection


@contextmanager
def _references_checked_at_the_end(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by making it anew, while others refer to it. Its pragma does nothing
    inside a transaction: it has to come before."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _known(scripts: ScriptDirectory) -> set[str]:
    return {step.revision for step in scripts.walk_revisions()}


def _check_unversioned(connection: Connection) -> None:
    """A database without a version has the tables of the last program that made none."""
    inspector = inspect(connection)
    tables = set(inspector.get_table_names())
    columns = {
        f"{table}.{column['name']}"
        for table in tables & {"photos", "previews", "jobs", "pages"}
        for column in inspector.get_columns(table)
    }
    if not columns >= _ITS_NEWEST or _NOT_YET_THERE & (tables | columns):
        raise SchemaError(
            "nobody knows which version of the gateway made this database; "
            "move it away, and a new one is made"
        )
