"""Real servers for tests: Redis and PostgreSQL, each in a folder and on a port of its own.

Debian's programs are looked for; a machine without them fails the test that asks.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from redis import Redis
from redis.exceptions import RedisError

HOST = "127.0.0.1"
_PATIENCE_S = 60
_POSTGRES_HOMES = "/usr/lib/postgresql"
_POSTGRES_USER = "postgres"


class ServerFailed(Exception):
    """A server is missing, or didn't start; the message has its last words."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass
class RedisServer:
    """A Redis with a password, which keeps nothing on the disk."""

    folder: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, with the password."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        arguments = ["--bind", HOST, "--port", str(self.port), "--save", "", "--appendonly", "no"]
        arguments += ["--dir", str(self.folder), "--requirepass", self.password]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [_program("redis-server"), *arguments], stdout=log, stderr=log
            )
        client = Redis.from_url(self.url)
        try:
            _wait_until(client.ping, RedisError, self.process, self.folder / "log")
        finally:
            client.close()

    def stop(self) -> None:
        """End it at once; what it knew is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """A Redis in ``folder``, up until the block ends."""
    server = RedisServer(folder, free_port(), secrets.token_hex(8))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass
class PostgresServer:
    """A PostgreSQL cluster, without care for the safety of its data: tests throw it away."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """The URL of a database, as an operator would write it."""
        return f"postgresql://foxetales:secret@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ["-F", "-c", f"listen_addresses={HOST}", "-c", f"port={self.port}"]
        options += ["-c", "unix_socket_directories=", "-c", "max_connections=200"]
        options += ["-c", "shared_buffers=16MB", "-c", "synchronous_commit=off"]
        command = [_postgres_program("postgres"), "-D", str(self.folder / "data"), *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                _unprivileged(command), stdout=log, stderr=log, cwd=self.folder
            )
        _wait_until(
            lambda: psycopg.connect(self.url("postgres"), connect_timeout=5).close(),
            psycopg.OperationalError,
            self.process,
            self.folder / "log",
        )

    def stop(self) -> None:
        """End it at once, as a machine that loses its power; it recovers when it starts again."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)  # takes its children with it
            self.process.wait()
            self.process = None

    def new_database(self, template: str = "template1") -> str:
        """Make a database with a name of its own, a copy of ``template``; return its name."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL with a new cluster in a temporary folder, up until the block ends."""
    with tempfile.TemporaryDirectory(prefix="foxetales-postgres-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            user = pwd.getpwnam(_POSTGRES_USER)
            os.chown(folder, user.pw_uid, user.pw_gid)
        _initialise(folder)
        server = PostgresServer(folder, free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _initialise(folder: Path) -> None:
    password = folder / "password"
    password.write_text("secret")
    password.chmod(0o644)
    command = [_postgres_program("initdb"), "-D", str(folder / "data"), "--username=foxetales"]
    command += ["--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"]
    command += ["--encoding=UTF8", "--locale=C.UTF-8"]
    made = subprocess.run(
        _unprivileged(command), capture_output=True, text=True, check=False, cwd=folder
    )
    if made.returncode:
        raise ServerFailed(made.stderr)


def _unprivileged(command: Sequence[str]) -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return list(command)
    drop = [f"--reuid={_POSTGRES_USER}", f"--regid={_POSTGRES_USER}", "--clear-groups"]
    return [_program("setpriv"), *drop, *command]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ServerFailed(f"{name} isn't installed: `make system-test` does that")
    return found


def _postgres_program(name: str) -> str:
    """Debian keeps each version's programs in a folder of its own: the newest is taken."""
    homes = Path(_POSTGRES_HOMES).glob("*/bin")
    for home in sorted(homes, key=lambda home: int(home.parent.name), reverse=True):
        if (home / name).exists():
            return str(home / name)
    return _program(name)


def _wait_until(
    ask: Callable[[], object],
    error: type[Exception],
    process: subprocess.Popen[bytes],
    log: Path,
) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            ask()
        except error:
            time.sleep(0.02)
        else:
            return
    process.kill()
    process.wait()
    raise ServerFailed(log.read_text()[-2000:])
