"""What previews and books cost on RunPod's GPUs. Pure.

RunPod bills a worker from its start until it has stopped, by the second: the start, the jobs, and
the wait for a next job. A page that was painted for the preview isn't painted again for the book.

    preview, warm  = preview pages · seconds a page · price a second
    book, warm     = ((book pages - preview pages) · seconds a page
                      + book pages · seconds a print page) · price a second
    cold           = warm + workers that had to be started · (start + idle) · price a second
    failed attempt = at most the job's deadline · price a second
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

PRICES: Final = {
    "RTX 4090": ("ADA_24", Decimal("0.00031")),
    "L40S": ("ADA_48_PRO", Decimal("0.00053")),
    "A100": ("AMPERE_80", Decimal("0.00076")),
    "H100": ("ADA_80_PRO", Decimal("0.00116")),
}
"""A GPU's pool at RunPod, and its list price in US dollars a second of a worker that isn't always
on."""

_MONTH_S: Final = 30 * 86_400
_HEAD: Final = (
    "GPU",
    "pool",
    "$ a second",
    "preview, warm",
    "preview, cold",
    "book, warm",
    "book, cold",
    "failed attempt, at most",
    "always-on worker, 30 days",
)


@dataclass(frozen=True)
class Assumptions:
    """Pages, and seconds on one worker.

    ``seconds_per_page`` paints a page, ``seconds_per_print_page`` enlarges one for print;
    ``start_seconds`` starts a worker, ``idle_seconds`` is how long it waits for another job;
    ``book_workers`` paint a book at the same time; ``deadline_seconds`` is JOB_DEADLINE_S.

    The defaults of the first two are no measurement but the product's budgets: three pages in 20
    seconds, a book in ten minutes.

    Raises:
        ValueError: a number is negative, or the preview has more pages than the book.
    """

    seconds_per_page: float = 6.7
    seconds_per_print_page: float = 10.4
    preview_pages: int = 3
    book_pages: int = 35
    book_workers: int = 4
    start_seconds: float = 60.0
    idle_seconds: float = 60.0
    deadline_seconds: float = 600.0

    def __post_init__(self) -> None:
        if any(not 0 <= value < float("inf") for value in vars(self).values()):
            raise ValueError("costs: no number may be negative or without end")
        if self.preview_pages > self.book_pages:
            raise ValueError("costs: the preview has more pages than the book")


@dataclass(frozen=True)
class Costs:
    """US dollars, by what they buy; unrounded."""

    preview_warm: Decimal
    preview_cold: Decimal
    book_warm: Decimal
    book_cold: Decimal
    failed_attempt: Decimal
    always_on: Decimal


def costs(assumed: Assumptions, price: Decimal) -> Costs:
    """Return what things cost at ``price`` US dollars a second."""
    preview_s = assumed.preview_pages * assumed.seconds_per_page
    book_s = (assumed.book_pages - assumed.preview_pages) * assumed.seconds_per_page
    book_s += assumed.book_pages * assumed.seconds_per_print_page
    start_s = assumed.start_seconds + assumed.idle_seconds
    seconds = (
        preview_s,
        preview_s + start_s,
        book_s,
        book_s + assumed.book_workers * start_s,
        assumed.deadline_seconds,
        _MONTH_S,
    )
    return Costs(*(Decimal(str(each)) * price for each in seconds))


def table(assumed: Assumptions) -> str:
    """Return the costs on each GPU as a Markdown table, without a line break at its end."""
    rows = [
        (gpu, f"`{pool}`", str(price), *map(_dollars, vars(costs(assumed, price)).values()))
        for gpu, (pool, price) in PRICES.items()
    ]
    lines = [_HEAD, ("---",) * len(_HEAD), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _dollars(amount: Decimal) -> str:
    """Cents in full from a dollar on; below that, tenths of a cent."""
    step = Decimal("0.01") if amount >= 1 else Decimal("0.001")
    return f"${amount.quantize(step, ROUND_HALF_UP)}"
