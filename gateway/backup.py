"""A copy of the database as it is at one moment, while gateways work on it. For SQLite alone:
PostgreSQL has ``pg_dump``."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine


class BackupFailed(Exception):
    """There is no copy. The message is for the operator."""


def back_up(engine: Engine, target: Path) -> None:
    """Write a whole copy of the database to ``target``, readable by its owner alone. Blocks.

    What is committed while it runs may be in it or not; nothing is in it by halves.

    Raises:
        BackupFailed: ``target`` is there already or can't be written, or it isn't SQLite.
    """
    if engine.dialect.name != "sqlite":
        raise BackupFailed("this database isn't SQLite: pg_dump is its backup")
    part = target.with_name(f".part-{target.name}")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _copy(engine, part)
        # Unlike a rename, a link replaces nothing: an older backup stays what it is.
        target.hardlink_to(part)
    except FileExistsError:
        raise BackupFailed(f"{target} is there already") from None
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(f"{target} can't be written: {type(error).__name__}") from error
    finally:
        part.unlink(missing_ok=True)


def _copy(engine: Engine, path: Path) -> None:
    source = engine.raw_connection()
    try:
        connection = source.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        with closing(sqlite3.connect(path)) as copy:
            connection.backup(copy)
            # One file, not three: the copy has no log of its own beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
    finally:
        source.close()
    with path.open("rb") as written:
        os.fsync(written.fileno())
