"""The main job, as a parent's shop would run it: upload a photo, ask for a preview, see the pages.

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
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from contract.keys import page_key
from sandbox.contact_sheet import contact_sheet
from sandbox.stack import Stack
from storage.open import open_store

CHILD = "Eileen"
WAIT_S = 20
PATIENCE_S = 900.0
MAX_PAGE_BYTES = 50_000_000


class DemoFailed(Exception):
    """The demo couldn't be brought to its end; the message says where and why."""


class Stopwatch:
    """Seconds per named stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as the stage ``name``."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - start, 3)


def run_demo(stack: Stack, *, photo: Path | None, out: Path, console: Console) -> None:
    """Start the stack, make one preview, leave its pages and ``demo.json`` in ``out``, stop all.

    Args:
        stack: the system to start; its state folder holds the photo, and is the caller's to remove.
        photo: a photo with one face; None takes a public-domain portrait.
        out: created if missing; earlier files of the demo are replaced.
        console: where progress is shown.

    Raises:
        DemoFailed: a call was refused, a page failed, or it took longer than 15 minutes.
        sandbox.supervisor.SupervisorError: a process couldn't be started.
        OSError: the photo can't be read, or ``out`` can't be written.
    """
    picture = (photo or _portrait()).read_bytes()
    watch = Stopwatch()
    started = time.monotonic()
    console.print("Starting the RunPod stand-in, a worker with ComfyUI, and the gateway …")
    with (
        stack.up(notify=console.log),
        httpx.Client(base_url=stack.gateway_url, timeout=60) as client,
    ):
        watch.seconds["start"] = round(time.monotonic() - started, 3)
        preview = _make_preview(client, picture, watch, console)
        pages = _collect(client, stack, preview, out, watch)
        started = time.monotonic()
    watch.seconds["stop"] = round(time.monotonic() - started, 3)
    contact_sheet(picture, [page.png for page in pages], out / "contact_sheet.png")
    report = {
        "draft": preview["draft"],
        "book_id": preview["book_id"],
        "seconds": watch.seconds,
        "photo_sha256": hashlib.sha256(picture).hexdigest(),
        "pages": [page.report for page in pages],
    }
    (out / "demo.json").write_text(json.dumps(report, indent=2) + "\n")
    _tell(pages, out, watch, console)


@dataclass(frozen=True)
class Page:
    """A finished page: its PNG, and what ``demo.json`` says of it."""

    png: bytes
    report: dict[str, Any]


def _portrait() -> Path:
    """Eileen Collins, photographed by NASA: public domain, shipped inside scikit-image."""
    return Path(str(files("skimage") / "data" / "astronaut.png"))


def _make_preview(
    client: httpx.Client, picture: bytes, watch: Stopwatch, console: Console
) -> dict[str, Any]:
    """Upload, order a preview, follow it; return the finished preview document."""
    with watch.stage("upload"):
        photo = _checked(client.post("/api/upload-photo", files={"file": ("photo", picture)}))
    console.print(
        f"Photo accepted: one face, confidence {photo['face_confidence']:.2f}, "
        f"{photo['face_area_percent']:.1f} % of the picture."
    )
    book = _checked(client.get("/api/books"))["books"][0]
    wanted = {"photo_id": photo["photo_id"], "book_id": book["id"], "child_name": CHILD}
    job = _checked(client.post("/api/preview", json=wanted))
    client.headers["Authorization"] = f"Bearer {job['access_token']}"
    with watch.stage("preview"):
        _follow(client, job["job_id"], console)
    preview = _checked(client.get(f"/api/preview/{job['preview_id']}"))
    preview["timings"] = _checked(client.get(f"/api/preview-status/{job['job_id']}"))["pages"]
    return preview


def _follow(client: httpx.Client, job_id: str, console: Console) -> None:
    """Show a progress bar until the job has ended.

    Raises:
        DemoFailed: it ended badly, or not within the demo's patience.
    """
    columns = (
        TextColumn("{task.description:<32}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
    )
    deadline = time.monotonic() + PATIENCE_S
    etag = ""
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task("waiting for the worker", total=100)
        while time.monotonic() < deadline:
            answer = client.get(
                f"/api/preview-status/{job_id}",
                headers={"Prefer": f"wait={WAIT_S}", "If-None-Match": etag},
            )
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                continue
            status = _checked(answer)
            etag = answer.headers["ETag"]
            bar.update(task, completed=status["progress"], description=status["current_step"])
            if status["status"] == "completed":
                return
            if status["status"] in ("failed", "cancelled"):
                raise DemoFailed(f"the preview {status['status']}: {status['error']}")
    raise DemoFailed(f"the preview wasn't ready within {PATIENCE_S:.0f} s")


def _collect(
    client: httpx.Client, stack: Stack, preview: dict[str, Any], out: Path, watch: Stopwatch
) -> list[Page]:
    """Save every page twice: as the printer gets it, and as the parent sees it."""
    out.mkdir(parents=True, exist_ok=True)
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


def _checked(answer: httpx.Response) -> dict[str, Any]:
    """The JSON document of a good answer.

    Raises:
        DemoFailed: the gateway answered with a problem; its code and detail are in the message.
    """
    document: dict[str, Any] = answer.json()
    if answer.is_success:
        return document
    where = f"{answer.request.method} {answer.request.url.path}"
    reason = document.get("detail") or document.get("title", "")
    raise DemoFailed(f"{where} answered {answer.status_code} {document.get('code')}: {reason}")


def _tell(pages: list[Page], out: Path, watch: Stopwatch, console: Console) -> None:
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in watch.seconds.items())
    console.print(f"{len(pages)} personalised pages, in the draft look. {stages}.")
    console.print(f"Pages          {out}/page_01.png …")
    console.print(f"Contact sheet  {out}/contact_sheet.png")
    console.print(f"Report         {out}/demo.json")
