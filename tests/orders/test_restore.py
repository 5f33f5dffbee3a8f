"""The database is lost and comes back as it was a while ago: what was printed stays single."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from gateway import order_book
from gateway.ids import new_id
from gateway.order_book import Lives
from gateway.orders import OrderStatus
from gateway.records import open_engine, writing
from tests.gateway.order_stage import payment
from tests.orders.site import ROOT, Site
from tests.servers import PostgresServer

MOMENTS = ["reserve:after", "render:after", "assemble:after", "submit:before", "printer:after"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_order_that_was_under_way_in_the_backup_is_printed_once(site: Site, moment: str) -> None:
    dying = site.start(DIE_AT=moment)
    order_id = site.pay(site.preview())
    dying.process.wait(timeout=60)
    copy = backed_up(site)
    finish(site, order_id)
    restore(site, copy)
    site.start()
    site.assert_printed_once(order_id)


def test_a_backup_may_be_made_while_a_gateway_is_at_work(site: Site) -> None:
    site.start()
    order_id = site.pay(site.painted_preview())
    copy = backed_up(site)
    finish(site, order_id)
    restore(site, copy)
    site.start()
    site.assert_printed_once(order_id)


def test_an_order_that_is_younger_than_the_backup_is_printed_once_when_its_payment_is_told_again(
    site: Site,
) -> None:
    site.start()
    preview_id, session_id = site.painted_preview(), f"cs_{new_id()}"
    copy = backed_up(site)
    paid_at = datetime.now(UTC)
    order_id = told_of_payment(site, preview_id, session_id, paid_at)
    finish(site, order_id)
    restore(site, copy)
    site.start()
    assert told_of_payment(site, preview_id, session_id, paid_at) == order_id
    site.assert_printed_once(order_id)


def test_the_same_on_postgresql(
    site_on_postgres: Site, postgres: PostgresServer, tmp_path: Path
) -> None:
    site = site_on_postgres
    dying = site.start(DIE_AT="assemble:after")
    order_id = site.pay(site.preview())
    dying.process.wait(timeout=60)
    copy = tmp_path / "gateway.dump"
    run(["pg_dump", "--format=custom", f"--file={copy}", site.database_url])
    finish(site, order_id)
    stop(site)
    fresh = postgres.new_database("template0")
    site.database_url = postgres.url(fresh)
    run(["pg_restore", "--no-owner", "--exit-on-error", f"--dbname={site.database_url}", str(copy)])
    reopened(site)
    site.start()
    site.assert_printed_once(order_id)
    site.close()
    postgres.drop_database(fresh)


def test_a_backup_replaces_no_file_and_is_its_owners_alone(site: Site) -> None:
    copy = backed_up(site)
    assert copy.stat().st_mode & 0o077 == 0
    before = copy.read_bytes()
    again = gateway_command(site, "backup", str(copy))
    assert again.returncode == 1
    assert again.stderr.decode().strip() == f"{copy} is there already"
    assert copy.read_bytes() == before
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_postgresql_is_backed_up_by_its_own_program(site_on_postgres: Site) -> None:
    refused = gateway_command(site_on_postgres, "backup", str(site_on_postgres.folder / "copy.db"))
    assert (refused.returncode, b"pg_dump" in refused.stderr) == (1, True)


def backed_up(site: Site) -> Path:
    folder = site.folder / "backups"
    folder.mkdir()
    copy = folder / "gateway.db"
    done = gateway_command(site, "backup", str(copy))
    assert done.returncode == 0, done.stderr.decode()
    return copy


def finish(site: Site, order_id: str) -> None:
    """The order goes on, up to the printer."""
    if all(gateway.has_died() for gateway in site.gateways):
        site.start()
    site.wait_for(order_id, OrderStatus.IN_PRODUCTION, within_s=120)


def restore(site: Site, copy: Path) -> None:
    """The machine is lost, and the database comes back from the copy."""
    stop(site)
    path = Path(str(make_url(site.database_url).database))
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copy(copy, path)
    reopened(site)


def stop(site: Site) -> None:
    for gateway in site.gateways:
        gateway.kill()
    site.engine.dispose()


def reopened(site: Site) -> None:
    """The test looks into the restored database."""
    site.engine = open_engine(site.database_url)


def told_of_payment(site: Site, preview_id: str, session_id: str, paid_at: datetime) -> str:
    """A payment is recorded, as its webhook does; returns the order's id."""
    lives = Lives(download=timedelta(days=30), photo=timedelta(days=30))
    with writing(site.engine) as session:
        paid = payment(preview_id, session_id, paid_at=paid_at)
        order = order_book.record_payment(session, paid, lives, datetime.now(UTC))
        assert order
        return order.order_id


def gateway_command(site: Site, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        env={**site.environ, "DATABASE_URL": site.database_url},
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )


def run(argv: Sequence[str]) -> None:
    done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
