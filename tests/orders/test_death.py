"""A gateway is killed at every boundary of every step, and another one carries the order on."""

import pytest

from gateway.orders import Stage
from tests.orders.site import Site

BOUNDARIES = [f"{stage}:{moment}" for stage in Stage for moment in ("before", "after")]
INSIDE = ["store:1", "store:2", "store:3", "printer:after", "mail:after"]
ON_POSTGRESQL = [f"{stage}:after" for stage in Stage if stage is not Stage.APPROVE]


def test_an_order_is_printed_once(site: Site) -> None:
    site.start(module="gateway")
    order_id = site.pay(site.preview())
    site.assert_printed_once(order_id)


@pytest.mark.parametrize("moment", [*BOUNDARIES, *INSIDE])
def test_an_order_whose_gateway_is_killed_is_printed_once(site: Site, moment: str) -> None:
    assert_survived(site, moment)


@pytest.mark.parametrize("moment", ON_POSTGRESQL)
def test_the_same_on_postgresql(site_on_postgres: Site, moment: str) -> None:
    assert_survived(site_on_postgres, moment)


def assert_survived(site: Site, moment: str) -> None:
    """An order is printed once although its gateway dies at that moment."""
    dying = site.start(DIE_AT=moment)
    order_id = site.pay(site.preview())
    dying.process.wait(timeout=60)
    site.start()
    site.assert_printed_once(order_id)
