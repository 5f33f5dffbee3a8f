"""Run by Alembic: over the connection that ``gateway.migrations.upgrade`` gives, or, for whoever
writes a new step, over one to the database named by ``-x url=…``."""

from alembic import context
from sqlalchemy import Connection

from gateway.migrations.tables import METADATA
from gateway.records import open_engine


def run(connection: Connection) -> None:
    """Run the steps in the connection's transaction."""
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        transactional_ddl=True,
        # SQLite can't change a column or a key in place.
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = open_engine(context.get_x_argument(as_dictionary=True)["url"])
    with engine.begin() as opened:
        run(opened)
    engine.dispose()
