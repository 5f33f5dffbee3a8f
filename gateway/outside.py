"""The parts of a gateway that touch the world, as they were chosen for it."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from gateway.outbox import Courier
from gateway.pdf import FontSet
from gateway.ports import (
    Clock,
    FaceDetector,
    KeyValue,
    Mailer,
    ObjectStore,
    Payments,
    PrintVendor,
    RenderEndpoint,
)
from gateway.rate_limits import RateLimiter


def _alone() -> None:
    """There is no clock but our own."""


@dataclass(frozen=True)
class Outside:
    """What a gateway is put together around.

    Without ``payments`` nothing can be bought at Stripe. ``set_clock`` sets the clock to that of
    the other gateways, if they have one.
    """

    clock: Clock
    engine: Engine
    kv: KeyValue
    store: ObjectStore
    endpoint: RenderEndpoint
    faces: FaceDetector
    mailer: Mailer
    printer: PrintVendor
    courier: Courier
    fonts: FontSet
    limiter: RateLimiter
    payments: Payments | None = None
    set_clock: Callable[[], None] = _alone
