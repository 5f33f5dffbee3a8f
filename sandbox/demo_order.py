"""The demo's second half, as a parent and a printer see it: the book is paid at Stripe's stand-in,
whose signed event makes the order; the order is followed until the printer has it.

How many pages are enlarged is counted in the object store, as an operator could: parents aren't
told of that. The printer's files are taken from the print job, the parent's by the download link.
"""

import hashlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from sandbox.shop_client import DemoFailed, Stopwatch, checked, progress_bar
from sandbox.stack import Stack

EVENT_PATIENCE_S: Final = 60.0
ORDER_PATIENCE_S: Final = 1500.0
LETTER_PATIENCE_S: Final = 60.0
LETTERS: Final = ("order_confirmed", "book_ready")

_LOOK_EVERY_S: Final = 0.5
_OUR_WORK: Final = ("received", "painting", "preparing")


@dataclass(frozen=True)
class BoughtBook:
    """What an order left: the order as its parent sees it, and files, all below one folder."""

    order: dict[str, Any]
    pdfs: tuple[Path, ...]
    print_job: Path
    letters: tuple[Path, ...]

    def report(self, out: Path) -> dict[str, Any]:
        """What ``demo.json`` says of it; paths are relative to ``out``."""
        return {
            "order_id": self.order["order_id"],
            "status": self.order["status"],
            "pages": self.order["pages_ready"],
            "pdfs": [_file_facts(path, out) for path in self.pdfs],
            "print_job": str(self.print_job.relative_to(out)),
            "letters": [str(path.relative_to(out)) for path in self.letters],
        }


def buy(client: httpx.Client, preview_id: str) -> str:
    """Pay the book of a preview, and return the order's id. ``client`` has the preview's token.

    Stripe is never asked: the order is made by the event alone.

    Raises:
        DemoFailed: it can't be paid, or the payment makes no order.
    """
    checkout = checked(client.post("/api/checkout", json={"preview_id": preview_id}))
    paid = httpx.post(checkout["checkout_url"], timeout=60)
    if not paid.is_redirect:
        raise DemoFailed(f"the checkout's page answered {paid.status_code}")
    deadline = time.monotonic() + EVENT_PATIENCE_S
    while time.monotonic() < deadline:
        creations = checked(client.get("/api/my-creations"))["creations"]
        orders = [order["order_id"] for creation in creations for order in creation["orders"]]
        if orders:
            order_id: str = orders[0]
            return order_id
        time.sleep(_LOOK_EVERY_S)
    raise DemoFailed(f"the payment made no order within {EVENT_PATIENCE_S:.0f} s")


def follow(
    client: httpx.Client, stack: Stack, order_id: str, watch: Stopwatch, console: Console
) -> dict[str, Any]:
    """Show a progress bar until the printer has the book; return the order.

    Raises:
        DemoFailed: the order was stopped, or takes longer than 25 minutes.
    """
    deadline = time.monotonic() + ORDER_PATIENCE_S
    with progress_bar(console) as bar:
        task = bar.add_task("paid")
        since = time.monotonic()
        while time.monotonic() < deadline:
            order = checked(client.get(f"/api/orders/{order_id}"))
            step = _step(stack, order)
            bar.update(task, description=step.words, completed=step.done, total=step.of)
            now = time.monotonic()
            watch.add(step.name, now - since)
            since = now
            if order["status"] == "printing":
                return order
            if order["status"] not in _OUR_WORK:
                raise DemoFailed(f"the order is {order['status']}: nobody works on it")
            time.sleep(_LOOK_EVERY_S)
    raise DemoFailed(f"the book wasn't with the printer within {ORDER_PATIENCE_S:.0f} s")


def collect(client: httpx.Client, stack: Stack, order: dict[str, Any], out: Path) -> BoughtBook:
    """Copy the PDFs, the print job and the letters below ``out``.

    Raises:
        DemoFailed: a letter doesn't come, or there isn't exactly one print job.
        OSError: ``out`` can't be written.
    """
    order_id = order["order_id"]
    letters = [stack.mail_dir / f"{order_id}.{letter}.eml" for letter in LETTERS]
    _wait_for(letters)
    jobs = list(stack.print_dir.iterdir())
    if len(jobs) != 1:
        raise DemoFailed(f"there are {len(jobs)} print jobs, not one")
    print_job = Path(shutil.copytree(jobs[0], out / "print_jobs" / jobs[0].name))
    pdfs = [
        Path(shutil.copy(print_job / name, out / name)) for name in ("full_book.pdf", "cover.pdf")
    ]
    pdfs.append(out / "screen_book.pdf")
    _download(client, order["download_url"], pdfs[-1])
    mail = out / "mail"
    mail.mkdir(exist_ok=True)
    copied = [Path(shutil.copy(letter, mail)) for letter in letters]
    return BoughtBook(order, tuple(pdfs), print_job, tuple(copied))


def remove_earlier(report: dict[str, Any], out: Path) -> None:
    """Remove the print job and the letters that an earlier demo's report names."""
    earlier = report.get("order", {})
    for name in (*earlier.get("letters", ()), earlier.get("print_job", "")):
        path = (out / name).resolve()
        if path.parent not in ((out / "mail").resolve(), (out / "print_jobs").resolve()):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Step:
    """Where an order is: ``done`` of ``of`` things that are counted."""

    name: str
    words: str
    done: int
    of: int


def _step(stack: Stack, order: dict[str, Any]) -> _Step:
    pages, painted = order["total_pages"], order["pages_ready"]
    everything = 2 * pages + 1  # each page is painted and enlarged; then there is the book
    if order["status"] == "received":
        return _Step("order", "the order is received", painted, everything)
    if order["status"] == "painting":
        return _Step("paint", f"painted {painted} of {pages} pages", painted, everything)
    if order["status"] != "preparing":
        return _Step("bind", f"the book is {order['status']}", everything, everything)
    enlarged = sum(1 for _ in _enlarged(stack, order["preview_id"]))
    if enlarged < pages:
        words = f"enlarged {enlarged} of {pages} pages"
        return _Step("enlarge", words, pages + enlarged, everything)
    return _Step("bind", "putting the book together", 2 * pages, everything)


def _enlarged(stack: Stack, preview_id: str) -> Iterator[Path]:
    return (stack.state / "store" / "pages" / preview_id / "print").glob("page_*.png")


def _wait_for(files: list[Path]) -> None:
    deadline = time.monotonic() + LETTER_PATIENCE_S
    while not all(path.exists() for path in files):
        if time.monotonic() > deadline:
            missing = ", ".join(path.name for path in files if not path.exists())
            raise DemoFailed(f"not in the outbox within {LETTER_PATIENCE_S:.0f} s: {missing}")
        time.sleep(_LOOK_EVERY_S)


def _download(client: httpx.Client, url: str, path: Path) -> None:
    link = checked(client.get(url, headers={"Accept": "application/json"}))["url"]
    with client.stream("GET", link) as answer, path.open("wb") as file:
        for part in answer.raise_for_status().iter_bytes():
            file.write(part)


def _file_facts(path: Path, out: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "file": str(path.relative_to(out)),
        "size_bytes": path.stat().st_size,
        "sha256": digest,
    }
