"""A gateway is killed at every boundary of every step, and another one carries the order on.

On either database: what lies there at the moment of death is the same, but not how it is locked,
copied and told of.
"""

import pytest

from gateway.orders import Stage
from tests.orders.site import SWEEPS_UNTIL_MISSED, Site
from tests.sandbox.waiting import eventually

BOUNDARIES = [f"{stage}:{moment}" for stage in Stage for moment in ("before", "after")]
INSIDE = ["store:1", "store:2", "store:3", "printer:after", "mail:after"]


def test_an_order_is_printed_once(site: Site) -> None:
    site.start(module="gateway")
    order_id = site.pay(site.preview())
    site.assert_printed_once(order_id)


@pytest.mark.parametrize("moment", [*BOUNDARIES, *INSIDE])
def test_an_order_whose_gateway_is_killed_is_printed_once(site: Site, moment: str) -> None:
    assert_survived(site, moment)


@pytest.mark.parametrize("moment", [*BOUNDARIES, *INSIDE])
def test_the_same_on_postgresql(site_on_postgres: Site, moment: str) -> None:
    assert_survived(site_on_postgres, moment)


def assert_survived(site: Site, moment: str) -> None:
    """An order is printed once although its gateway dies at that moment, and it waits for nothing
    but the sweep that misses the dead one."""
    dying = site.start(DIE_AT=moment)
    order_id = site.pay(site.preview())
    dying.process.wait(timeout=60)
    heir = site.start()
    site.assert_printed_once(order_id)
    # Whoever died with its work done is missed later than that; a sweep is told when it has ended.
    eventually(lambda: any(heir.sweeps("dead gateways")))
    missed = heir.sweeps("dead gateways")
    assert 1 in missed[:SWEEPS_UNTIL_MISSED]
    assert sum(missed) == 1
    # What was paid and not begun was begun at once; nothing had to be begun anew.
    assert not any(heir.sweeps("runs")[1:])
    assert not any(heir.sweeps("strays"))
    assert "restarted" not in site.history(order_id)
