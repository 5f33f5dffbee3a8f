"""One gateway, with all that it needs on real sockets; each thing fails in turn.

PostgreSQL, Redis, an S3 bucket behind a proxy that fails, RunPod's stand-in, a mail server, and
Lulu's stand-in. The gateway is never restarted: whatever comes back, it goes on by itself.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway import order_book
from gateway.migrations import upgrade
from gateway.order_records import Order, OutboxItem
from gateway.orders import OrderStatus
from gateway.records import open_engine, reading, writing
from tests.faults.bucket import Fault, FaultyBucket, running_bucket
from tests.orders.site import Base, Gateway, Site, running_site
from tests.orders.vendors import (
    MailServer,
    Printer,
    running_mail_server,
    running_printer,
)
from tests.sandbox.waiting import eventually
from tests.servers import PostgresServer, RedisServer

PAINTED, BOUND = "PUT pages/", "PUT books/"


@pytest.fixture(scope="module")
def bucket() -> Iterator[FaultyBucket]:
    with running_bucket() as made:
        yield made


@pytest.fixture(scope="module")
def mail_server() -> Iterator[MailServer]:
    with running_mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def lulu() -> Iterator[tuple[Printer, dict[str, str]]]:
    with running_printer() as made:
        yield made


@pytest.fixture(scope="module")
def printer(lulu: tuple[Printer, dict[str, str]]) -> Printer:
    return lulu[0]


@pytest.fixture(scope="module")
def runpod(
    tmp_path_factory: pytest.TempPathFactory, books_dir: Path, bucket: FaultyBucket
) -> Iterator[Base]:
    """RunPod's stand-in, and workers that store in the bucket."""
    store = {
        "OBJECT_STORE_URL": f"s3://{bucket.name}",
        "S3_ENDPOINT_URL": bucket.endpoint,
        "S3_REGION": "eu-central-1",
        "S3_ACCESS_KEY_ID": "k",
        "S3_SECRET_ACCESS_KEY": "s",
    }
    with running_site(tmp_path_factory.mktemp("runpod"), books_dir, store) as base:
        yield base


@pytest.fixture(scope="module")
def town(
    tmp_path_factory: pytest.TempPathFactory,
    runpod: Base,
    lulu: tuple[Printer, dict[str, str]],
    mail_server: MailServer,
    postgres: PostgresServer,
    redis: RedisServer,
) -> Iterator[Site]:
    printer, printing = lulu
    folder = tmp_path_factory.mktemp("town")
    url = postgres.url(postgres.new_database())
    environ = {**runpod.environ, **printing, **mail_server.environ, "KV_URL": redis.url}
    engine = open_engine(url)
    upgrade(engine)
    site = Site(folder, environ, runpod.ports, url, engine, printer, mail_server)
    site.start()
    yield site
    site.close()
    shutil.rmtree(folder)


@pytest.fixture
def site(town: Site, bucket: FaultyBucket) -> Iterator[Site]:
    """The site with its one gateway, which every fault has to leave alive."""
    yield town
    bucket.heal()
    assert not town.gateways[0].has_died()


@pytest.fixture
def gateway(site: Site) -> Gateway:
    return site.gateways[0]


def test_an_order_is_printed_once_with_everything_well(site: Site) -> None:
    site.assert_printed_once(site.pay(site.preview()))


@pytest.mark.parametrize("status", [429, 500])
def test_runpod_takes_no_jobs_for_a_while(site: Site, runpod: Base, status: int) -> None:
    preview_id = site.painted_preview()
    runpod.arm("run", status, 5)
    order_id = site.pay(preview_id)
    site.assert_printed_once(order_id)
    assert site.refused_submissions(order_id) == 5


def test_workers_speak_before_runpod_has_said_that_it_took_their_jobs(
    site: Site, runpod: Base
) -> None:
    preview_id = site.painted_preview()
    runpod.arm("run-answer", 200, 10**6)  # each comes when its job has ended
    try:
        order_id = site.pay(preview_id)
        site.assert_printed_once(order_id)
    finally:
        runpod.arm("run-answer", 200, 0)
    assert site.refused_submissions(order_id) == 0


def test_runpod_takes_jobs_and_its_answers_are_lost(site: Site, runpod: Base) -> None:
    preview_id = site.painted_preview()
    runpod.arm("run-answer", 504, 3)
    order_id = site.pay(preview_id)
    site.assert_printed_once(order_id)
    # Whoever isn't told asks again, unless the worker has spoken in the meantime.
    assert site.refused_submissions(order_id) <= 3


def test_all_callbacks_are_lost_and_runpod_is_asked(site: Site, runpod: Base) -> None:
    with runpod.without_callbacks():
        site.assert_printed_once(site.pay(site.preview()))


def test_all_callbacks_are_lost_and_runpod_has_forgotten_the_jobs(site: Site, runpod: Base) -> None:
    with runpod.without_callbacks():
        runpod.arm("status", 404, 10**6)
        try:
            site.assert_printed_once(site.pay(site.preview()))
        finally:
            runpod.arm("status", 404, 0)


@pytest.mark.parametrize(
    ("request_", "status"),
    [(PAINTED, OrderStatus.RENDERING), (BOUND, OrderStatus.ASSEMBLING)],
    ids=["rendering", "assembling"],
)
def test_the_database_is_restarted(
    site: Site,
    gateway: Gateway,
    bucket: FaultyBucket,
    postgres: PostgresServer,
    request_: str,
    status: OrderStatus,
) -> None:
    order_id = order_held_at(site, bucket, request_)
    assert site.status(order_id) is status
    failures = gateway.log.read_text().count("database failed")
    postgres.stop()
    try:
        eventually(lambda: not gateway.is_ready())
        bucket.let_go()  # what was held is done, and can't be written down
        eventually(lambda: gateway.log.read_text().count("database failed") > failures)
    finally:
        postgres.start()
    site.assert_printed_once(order_id)
    assert "parked" not in site.history(order_id)


def test_the_store_is_away_for_a_moment(site: Site, bucket: FaultyBucket) -> None:
    bucket.arm(BOUND, *[Fault.UNAVAILABLE] * 1000)
    order_id = site.pay(site.preview())
    eventually(lambda: bucket.arrived >= 4)  # the client's own attempts are spent
    bucket.heal()
    site.assert_printed_once(order_id)
    assert "parked" not in site.history(order_id)


def test_the_store_is_away_for_long_and_the_desk_lets_the_order_go_on(
    site: Site, bucket: FaultyBucket
) -> None:
    bucket.arm(BOUND, *[Fault.UNAVAILABLE] * 1000)
    order_id = site.pay(site.preview())
    site.wait_for(order_id, OrderStatus.NEEDS_ATTENTION, within_s=120)
    attempts = 3 * 3 * 4  # of the step; its files; the client's
    assert 3 * 4 <= bucket.arrived <= attempts
    with writing(site.engine) as session:
        order = order_book.lock_order(session, order_id)
        assert order
        assert order.parked_stage == "assemble"
        assert order.parked_reason
        assert order.parked_reason.startswith("store_unavailable")
        bucket.heal()
        order_book.resume(session, order, datetime.now(UTC), actor="ada", kind="resumed")
    site.assert_printed_once(order_id)


def test_the_mail_server_is_away(site: Site, mail_server: MailServer) -> None:
    mail_server.stop()
    try:
        order_id = site.pay(site.preview())
        site.wait_for(order_id, OrderStatus.IN_PRODUCTION)
        eventually(lambda: all(letters_in_trouble(site, order_id)))
    finally:
        mail_server.start()
    site.assert_printed_once(order_id)


def test_the_printers_answer_is_lost_after_it_accepted(site: Site, printer: Printer) -> None:
    printer.answers_to_lose = 1
    site.assert_printed_once(site.pay(site.preview()))
    assert printer.answers_to_lose == 0


def test_redis_goes_away_in_the_middle(
    site: Site, bucket: FaultyBucket, redis: RedisServer
) -> None:
    order_id = order_held_at(site, bucket, PAINTED)
    redis.stop()
    try:
        bucket.let_go()
        site.assert_printed_once(order_id)
    finally:
        redis.start()


def order_held_at(site: Site, bucket: FaultyBucket, request: str) -> str:
    """An order of which one request to the store is under way."""
    preview_id = site.painted_preview()
    bucket.arm(request, Fault.HELD)
    order_id = site.pay(preview_id)
    bucket.wait_until_held()
    return order_id


def letters_in_trouble(site: Site, order_id: str) -> list[bool]:
    """For each letter about an order, whether it couldn't be sent."""
    with reading(site.engine) as session:
        items = session.scalars(
            select(OutboxItem).where(OutboxItem.order_id == order_id, OutboxItem.kind == "mail")
        ).all()
        assert session.get_one(Order, order_id).email
        return [item.sent_at is None and bool(item.error) for item in items]
