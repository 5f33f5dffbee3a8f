"""What an order costs us on GPUs, from the pages that were rendered. Pure.

A page's GPU time is the graph's execution and the time before it in which the GPU had nothing to
do: both are paid for. Attempts that failed, and what a start of a worker takes, aren't counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

_COUNTED: Final = ("render_ms", "idle_ms")
_CENTS_OF_CENTS: Final = Decimal("0.0001")


@dataclass(frozen=True)
class Cost:
    """GPU seconds, and what they cost in US dollars, rounded to a hundredth of a cent.

    ``pages`` counts the pictures that were measured.
    """

    pages: int
    gpu_seconds: float
    usd: Decimal


def cost(timings: Iterable[Mapping[str, Any] | None], price_per_second: Decimal) -> Cost:
    """Return what the pages with these timings (``contract.result.PageTimings``) cost. A page
    without timings isn't rendered yet."""
    milliseconds = [
        sum(float(page.get(name, 0.0)) for name in _COUNTED) for page in timings if page
    ]
    seconds = round(sum(milliseconds) / 1000, 3)
    usd = (Decimal(str(seconds)) * price_per_second).quantize(_CENTS_OF_CENTS, ROUND_HALF_UP)
    return Cost(len(milliseconds), seconds, usd)
