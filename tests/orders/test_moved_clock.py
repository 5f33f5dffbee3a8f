"""The gateway's clock is wrong, and moves while it carries an order."""

import pytest

from gateway.orders import Stage
from tests.orders.site import Site

HOUR = 3600


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
@pytest.mark.parametrize("stage", [Stage.RENDER, Stage.SUBMIT])
def test_an_order_is_printed_once_though_the_clock_jumps(
    site: Site, stage: Stage, seconds: int
) -> None:
    site.start(JUMP_AT=stage, JUMP_S=str(seconds))
    order_id = site.pay(site.preview())
    site.assert_printed_once(order_id)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_the_next_gateway_has_another_time(site: Site, seconds: int) -> None:
    dying = site.start(DIE_AT="assemble:before")
    order_id = site.pay(site.preview())
    dying.process.wait(timeout=60)
    site.start(CLOCK_S=str(seconds))
    site.assert_printed_once(order_id)


def test_what_waits_since_before_the_clock_was_set_back_goes_on(site: Site) -> None:
    # Payment and letters are as if from the future.
    site.start(CLOCK_S=str(-HOUR))
    order_id = site.pay(site.preview())
    site.assert_printed_once(order_id)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_a_pause_that_began_by_another_time_ends(site: Site, seconds: int) -> None:
    pausing = site.start(FAIL_AT=Stage.ASSEMBLE)
    order_id = site.pay(site.preview())
    pausing.process.wait(timeout=60)
    site.start(CLOCK_S=str(seconds), MACHINE_S=str(seconds))
    site.assert_printed_once(order_id)
