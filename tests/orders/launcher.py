"""``python -m gateway`` as tests want it: books have few pixels, and things go wrong on demand.

DIE_AT     the process kills itself: see ``tests.orders.dying_gateway``
CLOCK_S    its machine's clock is so many seconds ahead (behind, if negative)
MACHINE_S  what libraries take for the time is so many seconds ahead
FAIL_AT    a stage: its step fails, and the process dies in the pause that follows
JUMP_AT    a stage: when its step begins, the clock jumps …
JUMP_S     … by so many seconds
SWEEPS     a file: each round of work is written down there when it ends
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Timer

from gateway.__main__ import serve
from gateway.adapters.system_clock import SystemClock
from gateway.order_services import OrderServices
from gateway.orders import Stage
from gateway.rounds import Round
from gateway.run_errors import StepFailed
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


def failing(services: Services, stage: str) -> Services:
    """The gateway in which the step of ``stage`` fails, and that dies in the pause after it."""

    def fail(_order_id: str) -> None:
        Timer(1, os.kill, (os.getpid(), signal.SIGKILL)).start()
        raise StepFailed("out_of_order", again=True, pause_s=10)

    orders = services.orders
    steps = {**orders.fulfilment.steps, Stage(stage): fail}
    fulfilment = replace(orders.fulfilment, steps=steps)
    return replace(services, orders=replace(orders, fulfilment=fulfilment))


@dataclass(frozen=True)
class Counted(OrderServices):
    """What carries orders, and writes its rounds into the file ``sweeps``: name and what was
    done."""

    sweeps: Path

    def rounds(self) -> list[Round]:
        return [replace(item, work=partial(self._work, item)) for item in super().rounds()]

    def _work(self, item: Round) -> int:
        done = item.work()
        with self.sweeps.open("a") as file:
            file.write(f"{item.name}\t{done}\n")
        return done


def counted(services: Services, sweeps: Path) -> Services:
    """The gateway whose sweeps can be counted."""
    return replace(services, orders=Counted(**vars(services.orders), sweeps=sweeps))


def move_the_machines_clock(seconds: float) -> None:
    """Shift what DBOS, among others, reads; ours is told to us."""
    true = time.time
    time.time = lambda: true() + seconds


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
    move_the_machines_clock(float(environ.get("MACHINE_S", "0")))
    clock = MovedClock(float(environ.get("CLOCK_S", "0")))
    services = small(build(Settings.from_environ(environ), environ, clock))
    if environ.get("DIE_AT"):
        services = prepared(services, environ["DIE_AT"])
    if environ.get("FAIL_AT"):
        services = failing(services, environ["FAIL_AT"])
    if environ.get("JUMP_AT"):
        services = jumping(services, clock, environ["JUMP_AT"], float(environ["JUMP_S"]))
    if environ.get("SWEEPS"):
        services = counted(services, Path(environ["SWEEPS"]))
    return serve(services)


if __name__ == "__main__":
    sys.exit(main())
