"""What the demo's parts share: the gateway's answers, a stopwatch, a progress bar."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class DemoFailed(Exception):
    """The demo couldn't be brought to its end; the message says where and why."""


class Stopwatch:
    """Seconds per named stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to the stage ``name``."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.add(name, time.monotonic() - start)

    def add(self, name: str, seconds: float) -> None:
        """Add to the stage ``name``."""
        self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 3)


def checked(answer: httpx.Response) -> dict[str, Any]:
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


def progress_bar(console: Console) -> Progress:
    """A bar that tells a step in words, the share that is done, and the time."""
    return Progress(
        TextColumn("{task.description:<34}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        console=console,
    )
