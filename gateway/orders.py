"""The rules of an order. Pure: states and events in, states out.

An order exists once it is paid. From then on::

    paid ─▶ rendering ─▶ (awaiting_approval) ─▶ upscaling ─▶ assembling ─▶ submitting
                                                                              │
         completed ◀── delivered ◀── shipped ◀──────── in_production ◀────────┘

From every state in which we work, an order may be parked (``needs_attention``), held
(``on_hold``) or ``cancelled``. The desk sends a parked one back to work. What is with the printer
can't be called back by us: only the printer's word ends it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class OrderStatus(StrEnum):
    """Where an order is."""

    PAID = "paid"
    RENDERING = "rendering"
    AWAITING_APPROVAL = "awaiting_approval"
    UPSCALING = "upscaling"
    ASSEMBLING = "assembling"
    SUBMITTING = "submitting"
    IN_PRODUCTION = "in_production"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    NEEDS_ATTENTION = "needs_attention"
    ON_HOLD = "on_hold"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing follows."""
        return not TRANSITIONS[self]

    @property
    def is_working(self) -> bool:
        """Whether a fulfilment run carries the order on."""
        return self in WORKING

    @property
    def may_be_cancelled(self) -> bool:
        """Whether we can still stop it: nothing of it is with the printer."""
        return OrderStatus.CANCELLED in TRANSITIONS[self]


class Stage(StrEnum):
    """The steps of a fulfilment run, in their order; see ``gateway.fulfilment``."""

    RESERVE = "reserve"
    RENDER = "render"
    APPROVE = "approve"
    UPSCALE = "upscale"
    ASSEMBLE = "assemble"
    SUBMIT = "submit"


_S = OrderStatus

WORKING: Final = frozenset(
    {_S.PAID, _S.RENDERING, _S.UPSCALING, _S.ASSEMBLING, _S.SUBMITTING},
)
"""A run is at work, or about to be."""

STOPPED: Final = frozenset({_S.AWAITING_APPROVAL, _S.NEEDS_ATTENTION, _S.ON_HOLD})
"""The order waits for a person; a run of it ended."""

WITH_PRINTER: Final = frozenset({_S.IN_PRODUCTION, _S.SHIPPED})
"""The printer has the order; its word carries it on."""

# A new run begins at the beginning, and goes quickly over what is done: so it may take up a
# stopped order in whichever stage something is left to do.
_WORK = frozenset({_S.RENDERING, _S.UPSCALING, _S.ASSEMBLING, _S.SUBMITTING})
_STOP = frozenset({_S.NEEDS_ATTENTION, _S.ON_HOLD, _S.CANCELLED, _S.FAILED})

TRANSITIONS: Final[Mapping[OrderStatus, frozenset[OrderStatus]]] = {
    _S.PAID: _WORK | _STOP | {_S.AWAITING_APPROVAL},
    _S.RENDERING: frozenset({_S.AWAITING_APPROVAL, _S.UPSCALING, _S.ASSEMBLING, _S.SUBMITTING})
    | _STOP,
    _S.AWAITING_APPROVAL: frozenset({_S.PAID}) | _STOP,
    # A page may be regenerated until the order is with the printer: then it is rendered again.
    _S.UPSCALING: frozenset({_S.RENDERING, _S.AWAITING_APPROVAL, _S.ASSEMBLING, _S.SUBMITTING})
    | _STOP,
    _S.ASSEMBLING: frozenset({_S.RENDERING, _S.AWAITING_APPROVAL, _S.UPSCALING, _S.SUBMITTING})
    | _STOP,
    # Once the printer may have it, it is neither cancelled nor held by us, only parked.
    _S.SUBMITTING: frozenset({_S.IN_PRODUCTION, _S.SHIPPED, _S.NEEDS_ATTENTION, _S.ON_HOLD}),
    _S.IN_PRODUCTION: frozenset({_S.SHIPPED, _S.DELIVERED, _S.NEEDS_ATTENTION, _S.CANCELLED}),
    _S.SHIPPED: frozenset({_S.DELIVERED, _S.COMPLETED, _S.NEEDS_ATTENTION}),
    _S.DELIVERED: frozenset({_S.COMPLETED}),
    _S.NEEDS_ATTENTION: frozenset({_S.PAID, _S.ON_HOLD, _S.CANCELLED, _S.FAILED}),
    _S.ON_HOLD: frozenset({_S.PAID, _S.NEEDS_ATTENTION, _S.CANCELLED, _S.FAILED}),
    _S.COMPLETED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.FAILED: frozenset(),
}
"""Every state's followers. Nothing else can be written: see ``gateway.order_book.move``."""


class IllegalTransition(Exception):
    """An order can't go from one state to the other."""

    def __init__(self, before: OrderStatus, after: OrderStatus) -> None:
        super().__init__(f"an order can't go from {before} to {after}")
        self.before = before
        self.after = after


def check(before: OrderStatus, after: OrderStatus) -> None:
    """Raises IllegalTransition if ``after`` can't follow ``before``."""
    if after not in TRANSITIONS[before]:
        raise IllegalTransition(before, after)
