"""How far a fetch is: bars on a terminal, plain lines elsewhere."""

import threading
from types import TracebackType
from typing import Final, Protocol, Self, TextIO

from handler.models.fetch import Show

_STEP: Final = 10  # percent from one line to the next


class ShownProgress(Show, Protocol):
    """Something that shows progress, and tidies up after itself."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def progress_on(stream: TextIO) -> ShownProgress:
    """What fits the stream."""
    return Bars() if stream.isatty() else Lines(stream)


def size_text(size_bytes: int) -> str:
    """A size for people, in decimal units: ``23.8 GB``."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


class Lines:
    """A line for each tenth of each file, and one for its end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._told: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def advance(self, name: str, done: int, total: int | None) -> None:
        """Say it, if it is another tenth than the last time."""
        percent = 100 * done // total // _STEP * _STEP if total else 0
        with self._lock:
            if self._told.get(name) == percent:
                return
            self._told[name] = percent
            of = f" of {size_text(total)}" if total else ""
            self._write(f"{name}: {percent} %, {size_text(done)}{of}")

    def end(self, name: str, error: str | None) -> None:
        """Say how it ended."""
        with self._lock:
            self._write(f"{name}: {error or 'fetched, and its SHA-256 is right'}")

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


class Bars:
    """A bar for each file, on standard error."""

    def __init__(self) -> None:
        from rich.console import Console  # here: nobody needs it without a terminal
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TaskID,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        name = TextColumn("{task.description}", markup=False)
        self._progress = Progress(
            name,
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, name: str, done: int, total: int | None) -> None:
        """Move the file's bar."""
        with self._lock:
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done)

    def end(self, name: str, error: str | None) -> None:
        """Say how it ended, above the bars."""
        text = f"{name}: {error or 'fetched, and its SHA-256 is right'}"
        self._progress.console.print(text, markup=False, highlight=False)
