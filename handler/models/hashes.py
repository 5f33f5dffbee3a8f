"""SHA-256 hashes of model files, kept so that a file is read through once."""

import hashlib
import json
import logging
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_SHA256: Final = re.compile(r"[0-9a-f]{64}")

log = logging.getLogger(__name__)


class HashCache:
    """SHA-256 hashes of files, kept in a file of their own by path, size and time of change.

    Files below the folder of that file are kept by their path from there, so that a volume may be
    mounted elsewhere without being read through again. Several workers may share it: it is replaced
    whole, and the worst that a lost entry costs is reading a file once more. A folder that can't be
    written to costs the same at each start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def known(self, file: Path) -> str | None:
        """The hash of ``file`` as it is now, if it was computed before."""
        return self._of(self._read(), file)

    def sha256(self, file: Path) -> str:
        """The hash of ``file``, computed by reading it through if it isn't known.

        Raises:
            OSError: the file can't be read.
        """
        with self._lock:
            known = self.known(file)
            if known is not None:
                return known
            stamp = _stamp(file)
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            self._write({**self._read(), self._key(file): [*stamp, digest]})
        return digest

    def remember(self, file: Path, digest: str) -> None:
        """Keep the hash of a file that was computed while it was written.

        Raises:
            OSError: there is no such file.
        """
        with self._lock:
            self._write({**self._read(), self._key(file): [*_stamp(file), digest]})

    def _key(self, file: Path) -> str:
        folder = self._path.parent
        return str(file.relative_to(folder) if file.is_relative_to(folder) else file)

    def _of(self, entries: Mapping[str, Any], file: Path) -> str | None:
        entry = entries.get(self._key(file))
        if not isinstance(entry, list) or len(entry) != 3:
            return None
        *stamp, digest = entry
        try:
            same = stamp == _stamp(file)
        except OSError:
            return None
        return digest if same and _SHA256.fullmatch(str(digest)) else None

    def _read(self) -> dict[str, Any]:
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def _write(self, entries: Mapping[str, Any]) -> None:
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        try:
            part.write_text(json.dumps(entries, indent=1, sort_keys=True), encoding="utf-8")
            part.replace(self._path)
        except OSError as error:
            log.warning("hashes of model files can't be kept: %s", error.strerror)
            part.unlink(missing_ok=True)


def _stamp(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]
