"""A gateway that kills itself: before or after a step, or inside of it.

DIE_AT of ``tests.orders.launcher`` is ``<stage>:before``, ``<stage>:after`` (the step is done, and
nobody has written that down), or ``printer:after``, ``mail:after``, ``store:<n>`` (inside the steps
that use them).
"""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gateway.orders import Stage
from gateway.services import Services


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Dying:
    """Something that works, and whose process dies after the n-th call of one of its methods."""

    def __init__(self, inner: Any, method: str, calls: int) -> None:
        self._inner = inner
        self._method = method
        self._left = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name != self._method:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            result = found(*args, **kwargs)
            self._left -= 1
            if not self._left:
                die()
            return result

        return call


def dying_step(step: Callable[[str], None], moment: str) -> Callable[[str], None]:
    def call(order_id: str) -> None:
        if moment == "before":
            die()
        step(order_id)
        die()

    return call


def prepared(services: Services, die_at: str) -> Services:
    """The gateway that dies at that moment."""
    place, _, moment = die_at.partition(":")
    orders = services.orders
    steps = orders.steps
    if place == "printer":
        steps = replace(
            steps, printing=replace(steps.printing, vendor=Dying(services.printer, "submit", 1))
        )
    if place == "store":
        store = Dying(services.store, "put_file", int(moment))
        steps = replace(steps, binder=replace(steps.binder, store=store))
    carried = dict(steps.all())
    if place in set(Stage):
        carried[Stage(place)] = dying_step(carried[Stage(place)], moment)
    outbox = orders.outbox
    if place == "mail":
        outbox = replace(outbox, mailer=Dying(services.mailer, "send", 1))
    fulfilment = replace(orders.fulfilment, steps=carried)
    return replace(
        services, orders=replace(orders, steps=steps, fulfilment=fulfilment, outbox=outbox)
    )
