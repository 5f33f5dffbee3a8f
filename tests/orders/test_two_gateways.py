"""Two gateways carry orders at the same time, on one PostgreSQL.

Their machines' clocks may disagree. The printer would print twice what it was told twice.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from gateway.orders import OrderStatus
from tests.orders.site import SWEEPS_UNTIL_MISSED, Gateway, Site
from tests.orders.vendors import running_mail_server, running_printer
from tests.sandbox.waiting import eventually

ORDERS = 6
TEN_MINUTES = 600
TAKE_OVER = "took over a dead gateway"


@pytest.fixture
def site(site_on_postgres: Site) -> Iterator[Site]:
    with running_printer() as (printer, environ):
        site_on_postgres.printer = printer
        site_on_postgres.environ = {**site_on_postgres.environ, **environ, "ORDERS_AT_ONCE": "3"}
        yield site_on_postgres


@pytest.fixture
def gateways(site: Site) -> list[Gateway]:
    return [site.start(port=0), site.start(port=1)]


@pytest.fixture
def orders(site: Site, gateways: list[Gateway]) -> list[str]:
    """Orders that were paid at the same moment."""
    assert len(gateways) == 2
    previews = [site.preview() for _ in range(ORDERS)]
    return [site.pay(preview_id) for preview_id in previews]


def executors(site: Site, status: str) -> set[str]:
    """The gateways that have, or had, runs of a status of DBOS's."""
    runs = text("SELECT executor_id FROM dbos.workflow_status WHERE status = :status")
    with site.engine.connect() as connection:
        return {row.executor_id for row in connection.execute(runs, {"status": status})}


def test_orders_are_shared_and_each_is_printed_once(site: Site, orders: list[str]) -> None:
    for order_id in orders:
        site.assert_printed_once(order_id)
    eventually(lambda: not executors(site, "PENDING"))
    assert len(executors(site, "SUCCESS")) == 2


@pytest.mark.parametrize("killed", [0, 1])
def test_one_of_two_gateways_is_killed_and_the_other_carries_on_its_orders(
    site: Site, gateways: list[Gateway], orders: list[str], killed: int
) -> None:
    begun = [OrderStatus.UPSCALING, OrderStatus.ASSEMBLING, OrderStatus.SUBMITTING]
    eventually(lambda: any(site.status(order_id) in begun for order_id in orders))
    shared = executors(site, "PENDING")
    gateways[killed].kill()
    survivor = gateways[1 - killed]
    before = len(survivor.sweeps("dead gateways"))
    assert len(shared) == 2
    for order_id in orders:
        site.assert_printed_once(order_id)
        assert "restarted" not in site.history(order_id)
    eventually(lambda: any(survivor.sweeps("dead gateways")[before:]))
    assert 1 in survivor.sweeps("dead gateways")[before : before + SWEEPS_UNTIL_MISSED]


def test_gateways_whose_clocks_disagree_leave_each_other_alone(site: Site) -> None:
    with running_mail_server() as site.mail_server:
        clocks = (TEN_MINUTES, -TEN_MINUTES)
        mail = site.mail_server.environ
        pair = [
            site.start(port=port, CLOCK_S=str(seconds), **mail)
            for port, seconds in enumerate(clocks)
        ]
        orders = [site.pay(site.preview()) for _ in range(ORDERS)]
        for order_id in orders:
            site.assert_printed_once(order_id)
        eventually(lambda: not executors(site, "PENDING"))
    assert len(executors(site, "SUCCESS")) == len(pair)
    for gateway in pair:
        assert TAKE_OVER not in gateway.log.read_text()


def test_a_gateway_whose_clock_disagrees_is_still_missed_when_it_dies(site: Site) -> None:
    ahead = site.start(port=0, CLOCK_S=str(TEN_MINUTES))
    other = site.start(port=1)
    ahead.kill()
    before = len(other.sweeps("dead gateways"))
    eventually(lambda: any(other.sweeps("dead gateways")))
    assert TAKE_OVER not in other.log.read_text()  # it had nothing to take over
    assert 1 in other.sweeps("dead gateways")[before : before + SWEEPS_UNTIL_MISSED]
