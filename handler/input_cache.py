"""Inputs that many jobs share, decoded, on the worker's own disk."""

import hashlib
import logging
import os
import tempfile
from pathlib import Path
from typing import Final

from contract.job import ObjectRef

_FORMAT: Final = "1"
"""Counts the changes of what decoding makes of a file: entries of another format are never read."""

_PREFIX: Final = "templates/"
_DIGEST_BYTES: Final = hashlib.sha256().digest_size

log = logging.getLogger(__name__)


class InputCache:
    """Decoded template art by the SHA-256 of the file that it was decoded from.

    Only objects below ``templates/`` whose reference names their SHA-256 are kept: never a photo
    or an embedding, and never by name, so that no two can take each other's place. Holds at most
    ``max_bytes`` bytes; what wasn't used for the longest time goes first. Several workers may
    share a folder. An entry is its content's own SHA-256, then the content; one that disagrees is
    dropped. Failures cost time and nothing else: they are logged.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def get(self, ref: ObjectRef) -> bytes | None:
        """Return the decoded form of an object, or None if it isn't there."""
        path = self._path(ref)
        if path is None:
            return None
        try:
            entry = path.read_bytes()
            os.utime(path)  # its last use
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("input cache not read: %s", error.strerror)
            return None
        data = entry[_DIGEST_BYTES:]
        if hashlib.sha256(data).digest() != entry[:_DIGEST_BYTES]:
            log.warning("an entry of the input cache is corrupt: dropped")
            _remove(path)
            return None
        return data

    def put(self, ref: ObjectRef, data: bytes) -> None:
        """Keep the decoded form of an object whose bytes have been found to be those of ``ref``."""
        path = self._path(ref)
        if path is None or _DIGEST_BYTES + len(data) > self._max_bytes:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_atomically(path, hashlib.sha256(data).digest() + data)
            self._shrink()
        except OSError as error:
            log.warning("input cache not written: %s", error.strerror)

    def _path(self, ref: ObjectRef) -> Path | None:
        if ref.sha256 is None or not ref.key.startswith(_PREFIX):
            return None
        return self._folder / f"{ref.sha256}.{_FORMAT}"

    def _shrink(self) -> None:
        """Remove the oldest files until the rest fits. Half-written ones that a dead worker left
        are files, too."""
        entries = []
        for path in self._folder.iterdir():
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # another worker was here
            entries.append((status.st_mtime_ns, status.st_size, path))
        excess = sum(size for _, size, _ in entries) - self._max_bytes
        for _, size, path in sorted(entries):
            if excess <= 0:
                break
            _remove(path)
            excess -= size


def _write_atomically(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("an entry of the input cache can't be removed: %s", error.strerror)
