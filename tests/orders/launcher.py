"""``python -m gateway`` as tests want it: books have few pixels, and things go wrong on demand.

DIE_AT     the process kills itself: see ``tests.orders.dying_gateway``
CLOCK_S    its clock is so many seconds ahead of the system's (behind, if negative)
JUMP_AT    a stage: when its step begins, the clock jumps …
JUMP_S     … by so many seconds
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.__main__ import serve
from gateway.adapters.system_clock import SystemClock
from gateway.orders import Stage
from gateway.services import Services, build
from gateway.settings import Settings
from tests.gateway.order_stage import coarse
from tests.orders.dying_gateway import prepared


class MovedClock:
    """The system's clock, with an error."""

    def __init__(self, seconds: float) -> None:
        self.error = timedelta(seconds=seconds)
        self._true = SystemClock()

    def now(self) -> datetime:
        return self._true.now() + self.error


def jumping(services: Services, clock: MovedClock, stage: str, seconds: float) -> Services:
    """The gateway whose clock jumps once, when the step of ``stage`` begins."""
    orders = services.orders
    carried = dict(orders.fulfilment.steps)
    wanted = carried[Stage(stage)]
    carried[Stage(stage)] = _after(lambda: _move(clock, seconds), wanted)
    fulfilment = replace(orders.fulfilment, steps=carried)
    return replace(services, orders=replace(orders, fulfilment=fulfilment))


def _move(clock: MovedClock, seconds: float) -> None:
    clock.error = timedelta(seconds=seconds)


def _after(before: Callable[[], None], step: Callable[[str], None]) -> Callable[[str], None]:
    def call(order_id: str) -> None:
        before()
        step(order_id)

    return call


def small(services: Services) -> Services:
    """The gateway with books of few pixels."""
    orders = services.orders
    steps = coarse(orders.steps)
    fulfilment = replace(orders.fulfilment, steps=steps.all())
    return replace(services, orders=replace(orders, steps=steps, fulfilment=fulfilment))


def main() -> int:
    environ = os.environ
    clock = MovedClock(float(environ.get("CLOCK_S", "0")))
    services = small(build(Settings.from_environ(environ), environ, clock))
    if environ.get("DIE_AT"):
        services = prepared(services, environ["DIE_AT"])
    if environ.get("JUMP_AT"):
        services = jumping(services, clock, environ["JUMP_AT"], float(environ["JUMP_S"]))
    return serve(services)


if __name__ == "__main__":
    sys.exit(main())
