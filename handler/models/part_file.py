"""What there is of a file that is being fetched. It outlives the process that fetches it."""

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import BinaryIO, Final, Self

from handler.errors import DownloadFailed

_CHUNK: Final = 4 * 1024 * 1024


class PartFile:
    """The bytes of ``place`` so far, in a hidden file beside it, for whoever expects ``sha256``.

    A second hidden file notes what was expected, and the validator (ETag, or date) under which the
    source handed the bytes out; bytes of which that isn't known are dropped. One process at a
    time.
    """

    def __init__(self, place: Path, sha256: str) -> None:
        self._place = place
        self._path = place.with_name(f".{place.name}.part")
        self._note = place.with_name(f".{place.name}.part.json")
        self._expected = sha256
        self._stream: BinaryIO | None = None
        self.size = 0
        self.validator: str | None = None

    def __enter__(self) -> Self:
        """Take hold of what there is, and read it through.

        Raises:
            DownloadFailed: another process fetches this file.
            OSError: the disk won't have it.
        """
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._path.open("a+b")
        try:
            self._lock()
            self._sha256 = hashlib.sha256()
            self.validator = self._noted()
            if self.validator is None:
                self.restart()
            else:
                self._read_through()
        except BaseException:
            self._stream.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def restart(self, validator: str | None = None) -> None:
        """Drop the bytes; those to come are handed out under ``validator``, "" if there is none."""
        self._file.truncate(0)
        self._sha256 = hashlib.sha256()
        self.size = 0
        self.validator = validator
        if validator is None:
            self._note.unlink(missing_ok=True)
            return
        note = {"sha256": self._expected, "validator": validator}
        self._note.write_text(json.dumps(note), encoding="utf-8")

    def append(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            OSError: the disk won't have them.
        """
        self._file.write(data)
        self._sha256.update(data)
        self.size += len(data)

    def flush(self) -> None:
        """Hand to the system what was added, so that it outlives the process."""
        self._file.flush()

    @property
    def sha256(self) -> str:
        """The hash of what there is."""
        return self._sha256.hexdigest()

    def keep(self) -> None:
        """Give the file its name, in one step.

        Its time of change is a whole second: an image's layers have no finer ones, and the hashes
        that are kept are known by it.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        seconds = int(os.fstat(self._file.fileno()).st_mtime)
        os.utime(self._path, (seconds, seconds))
        self._path.replace(self._place)
        self._note.unlink(missing_ok=True)

    @property
    def _file(self) -> BinaryIO:
        if self._stream is None:
            raise ValueError("this part file isn't open")
        return self._stream

    def _lock(self) -> None:
        """Keep others out. A file that another process finished meanwhile isn't ours any more."""
        busy = DownloadFailed("another process is fetching it")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        except OSError:
            return  # some network volumes know no locks
        if not lies_at(self._file, self._path):
            raise busy

    def _noted(self) -> str | None:
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(note, dict) or note.get("sha256") != self._expected:
            return None
        validator = note.get("validator")
        return validator if isinstance(validator, str) else None

    def _read_through(self) -> None:
        self._file.seek(0)
        while data := self._file.read(_CHUNK):
            self._sha256.update(data)
            self.size += len(data)


def lies_at(stream: BinaryIO, path: Path) -> bool:
    """Whether an open file still has that name: another process may have renamed it."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False
