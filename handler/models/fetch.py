"""Several files at once, into one models folder."""

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from handler.errors import DownloadFailed
from handler.models.download import Downloader, Target
from handler.models.hashes import HashCache
from handler.workflows.model_list import ListedModel

HUB: Final = "https://huggingface.co"
_SPARE_BYTES: Final = 64 * 1024 * 1024


class Show(Protocol):
    """Where it is told how far the files are."""

    def advance(self, name: str, done: int, total: int | None) -> None:
        """There are ``done`` bytes of ``total``. Called from several threads."""

    def end(self, name: str, error: str | None) -> None:
        """A file is there, or why not."""


def targets(models: Sequence[ListedModel], folder: Path, hub: str = HUB) -> list[Target]:
    """What to fetch of ``models`` into ``folder``; ``hub`` stands in for huggingface.co."""
    return [
        Target(
            model.name,
            f"{hub}{model.url.removeprefix(HUB)}" if model.url.startswith(f"{HUB}/") else model.url,
            model.sha256,
            model.size_bytes,
            folder / model.folder / model.file,
        )
        for model in models
        if model.url is not None and model.sha256 is not None
    ]


def lacking_bytes(wanted: Sequence[Target], folder: Path) -> int:
    """How many bytes the disk below ``folder`` has too few; 0 if they fit. Sizes that aren't known
    don't count; nor do bytes that were fetched before."""
    there = 0
    for target in wanted:
        part = target.place.with_name(f".{target.place.name}.part")
        there += min(part.stat().st_size, target.size_bytes or 0) if part.is_file() else 0
    needed = sum(target.size_bytes or 0 for target in wanted) - there
    standing = next(each for each in (folder, *folder.parents) if each.exists())
    return max(0, needed + _SPARE_BYTES - shutil.disk_usage(standing).free) if needed else 0


class Fetching:
    """Fetches files by several threads until all ended, or :meth:`stop` was called."""

    def __init__(
        self,
        tokens: Mapping[str, str],
        hashes: HashCache,
        show: Show,
        now: Callable[[], datetime],
    ) -> None:
        self._stopped = threading.Event()
        self._downloader = Downloader(tokens, wait=self._pause, now=now)
        self._hashes = hashes
        self._show = show

    def stop(self) -> None:
        """Let every file end soon; what there is of it is kept."""
        self._stopped.set()

    def run(self, wanted: Sequence[Target], jobs: int) -> dict[str, str]:
        """Fetch them, ``jobs`` at a time; return name → why not, for those that failed."""
        with ThreadPoolExecutor(jobs) as pool:
            running = [pool.submit(self._one, target) for target in wanted]
            try:
                ended = [each.result() for each in running]
            except BaseException:
                self.stop()
                raise
        return {name: error for name, error in ended if error is not None}

    def _one(self, target: Target) -> tuple[str, str | None]:
        error: str | None = None
        try:
            self._downloader.fetch(target, lambda done: self._told(target, done))
            self._hashes.remember(target.place, target.sha256)
        except DownloadFailed as failure:
            error = str(failure)
        self._show.end(target.name, error)
        return target.name, error

    def _told(self, target: Target, done: int) -> None:
        if self._stopped.is_set():
            raise DownloadFailed("interrupted")
        self._show.advance(target.name, done, target.size_bytes)

    def _pause(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise DownloadFailed("interrupted")
