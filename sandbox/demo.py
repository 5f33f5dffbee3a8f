"""The main job, as a parent's shop would run it: upload a photo, ask for a preview, see the pages,
buy the book.

Everything goes through the gateway's HTTP API but one thing: parents see watermarked pictures, so
the clean pages, as the printer will get them, are read from the object store as an operator would.
"""

import hashlib
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from rich.console import Console

from contract.keys import page_key
from sandbox.contact_sheet import contact_sheet
from sandbox.demo_order import BoughtBook, buy, collect, follow, remove_earlier
from sandbox.shop_client import DemoFailed, Stopwatch, checked, progress_bar
from sandbox.stack import Stack
from sandbox.supervisor import Supervisor
from storage.open import open_store

CHILD = "Eileen"
REPORT = "demo.json"
WAIT_S = 20
PATIENCE_S = 900.0
MAX_PAGE_BYTES = 50_000_000


def run_demo(stack: Stack, *, photo: Path | None, out: Path, console: Console) -> None:
    """Start the stack, make one preview, buy its book, leave all of it in ``out``, stop the stack.

    Args:
        stack: the system to start; its state folder holds the photo, and is the caller's to remove.
        photo: a photo with one face; None takes a public-domain portrait.
        out: created if missing; what ``demo.json`` there says of an earlier demo is replaced.
        console: where progress is shown.

    Raises:
        DemoFailed: a call was refused, a page failed, or it took too long.
        sandbox.supervisor.SupervisorError: a process couldn't be started.
        OSError: the photo can't be read, or ``out`` can't be written.
    """
    picture = (photo or _portrait()).read_bytes()
    _make_room(out)
    watch = Stopwatch()
    started = time.monotonic()
    console.print("Starting stand-ins for RunPod and Stripe, a worker with ComfyUI, the gateway …")
    with (
        stack.up(notify=console.log) as supervisor,
        httpx.Client(base_url=stack.gateway_url, timeout=60) as client,
    ):
        watch.add("start", time.monotonic() - started)
        preview = _make_preview(client, picture, watch, console)
        pages = _collect_pages(client, stack, preview, out, watch)
        with _telling_why(supervisor):
            book = _buy(client, stack, preview, out, watch, console)
        stopping = time.monotonic()
    watch.add("stop", time.monotonic() - stopping)
    watch.add("all", time.monotonic() - started)
    contact_sheet(picture, [page.png for page in pages], out / "contact_sheet.png")
    report = {
        "draft": preview["draft"],
        "book_id": preview["book_id"],
        "seconds": watch.seconds,
        "photo_sha256": hashlib.sha256(picture).hexdigest(),
        "pages": [page.report for page in pages],
        "order": book.report(out),
    }
    (out / REPORT).write_text(json.dumps(report, indent=2) + "\n")
    _tell(book, out, watch, console)


@dataclass(frozen=True)
class Page:
    """A finished page: its PNG, and what ``demo.json`` says of it."""

    png: bytes
    report: dict[str, Any]


@contextmanager
def _telling_why(supervisor: Supervisor) -> Iterator[None]:
    """Add the gateway's log to what failed: its file goes with the state folder."""
    try:
        yield
    except DemoFailed as error:
        log = supervisor.tail("gateway")
        raise DemoFailed(f"{error}\nThe gateway's log ends:\n{log}") from error


def _make_room(out: Path) -> None:
    """See that ``out`` is there, without what the report of an earlier demo names."""
    out.mkdir(parents=True, exist_ok=True)
    report = out / REPORT
    if report.exists():
        try:
            earlier = json.loads(report.read_text())
        except ValueError:
            raise DemoFailed(f"{report} is damaged; remove it") from None
        remove_earlier(earlier, out)


def _portrait() -> Path:
    """Eileen Collins, photographed by NASA: public domain, shipped inside scikit-image."""
    return Path(str(files("skimage") / "data" / "astronaut.png"))


def _make_preview(
    client: httpx.Client, picture: bytes, watch: Stopwatch, console: Console
) -> dict[str, Any]:
    """Upload, order a preview, follow it; return the finished preview document."""
    with watch.stage("upload"):
        photo = checked(client.post("/api/upload-photo", files={"file": ("photo", picture)}))
    console.print(
        f"Photo accepted: one face, confidence {photo['face_confidence']:.2f}, "
        f"{photo['face_area_percent']:.1f} % of the picture."
    )
    book = checked(client.get("/api/books"))["books"][0]
    wanted = {"photo_id": photo["photo_id"], "book_id": book["id"], "child_name": CHILD}
    job = checked(client.post("/api/preview", json=wanted))
    client.headers["Authorization"] = f"Bearer {job['access_token']}"
    with watch.stage("preview"):
        _follow_preview(client, job["job_id"], console)
    preview = checked(client.get(f"/api/preview/{job['preview_id']}"))
    preview["timings"] = checked(client.get(f"/api/preview-status/{job['job_id']}"))["pages"]
    return preview


def _follow_preview(client: httpx.Client, job_id: str, console: Console) -> None:
    """Show a progress bar until the job has ended.

    Raises:
        DemoFailed: it ended badly, or not within the demo's patience.
    """
    deadline = time.monotonic() + PATIENCE_S
    etag = ""
    with progress_bar(console) as bar:
        task = bar.add_task("waiting for the worker", total=100)
        while time.monotonic() < deadline:
            answer = client.get(
                f"/api/preview-status/{job_id}",
                headers={"Prefer": f"wait={WAIT_S}", "If-None-Match": etag},
            )
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                continue
            status = checked(answer)
            etag = answer.headers["ETag"]
            bar.update(task, completed=status["progress"], description=status["current_step"])
            if status["status"] == "completed":
                return
            if status["status"] in ("failed", "cancelled"):
                raise DemoFailed(f"the preview {status['status']}: {status['error']}")
    raise DemoFailed(f"the preview wasn't ready within {PATIENCE_S:.0f} s")


def _collect_pages(
    client: httpx.Client, stack: Stack, preview: dict[str, Any], out: Path, watch: Stopwatch
) -> list[Page]:
    """Save every page twice: as the printer gets it, and as the parent sees it."""
    store = open_store(stack.store_url, {})
    timings = {page["page_number"]: page.get("timings") for page in preview["timings"]}
    pages = []
    with watch.stage("collect"):
        for shown in preview["preview_pages"]:
            number = shown["page_number"]
            key = page_key(preview["preview_id"], number)
            png = store.get(key, MAX_PAGE_BYTES)
            (out / f"page_{number:02d}.png").write_bytes(png)
            watermarked = client.get(shown["image_url"]).raise_for_status().content
            (out / f"preview_page_{number:02d}.jpg").write_bytes(watermarked)
            with Image.open(io.BytesIO(png)) as image:
                size = image.size
            pages.append(
                Page(
                    png,
                    {
                        "page_number": number,
                        "story_text": shown["story_text"],
                        "key": key,
                        "width": size[0],
                        "height": size[1],
                        "size_bytes": len(png),
                        "sha256": hashlib.sha256(png).hexdigest(),
                        "timings": timings.get(number),
                    },
                )
            )
    return pages


def _buy(
    client: httpx.Client,
    stack: Stack,
    preview: dict[str, Any],
    out: Path,
    watch: Stopwatch,
    console: Console,
) -> BoughtBook:
    """Pay for the preview's book, follow it to the printer, leave what comes of it in ``out``."""
    with watch.stage("pay"):
        order_id = buy(client, preview["preview_id"])
    console.print("Paid: Stripe's stand-in sent its signed event, and there is an order.")
    order = follow(client, stack, order_id, watch, console)
    with watch.stage("collect"):
        return collect(client, stack, order, out)


def _tell(book: BoughtBook, out: Path, watch: Stopwatch, console: Console) -> None:
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in watch.seconds.items())
    console.print(f"{book.order['pages_ready']} personalised pages, in the draft look. {stages}.")
    rows = {
        "Preview pages": f"{out}/page_01.png …",
        "Contact sheet": f"{out}/contact_sheet.png",
        "Printed pages": f"{out}/full_book.pdf",
        "Printed cover": f"{out}/cover.pdf",
        "Parent's copy": f"{out}/screen_book.pdf",
        "Print job": f"{book.print_job}/",
        "Letters": f"{book.letters[0].parent}/",
        "Report": f"{out}/{REPORT}",
    }
    for name, path in rows.items():
        console.print(f"{name:<15}{path}", soft_wrap=True, highlight=False)
