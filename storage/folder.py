"""Objects as files below a folder: the default store, for one machine."""

import errno
import io
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from contract.types import validate_object_key
from storage.errors import (
    InvalidKey,
    ObjectNotFound,
    ObjectTooLarge,
    StoreFull,
    StoreUnavailable,
)

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PART_PREFIX = ".part-"
_OWNER_ONLY = 0o600


class FolderStore:
    """An object store in a local folder. Writes are atomic and durable: an object is there
    whole or not at all, whatever dies. Only the owner can read them. It needs Linux, and a file
    system that has files without names (O_TMPFILE): ext4, XFS, Btrfs and tmpfs do,
    overlayfs from Linux 6.1 on."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes, content_type: str) -> None:  # noqa: ARG002  # the port has it
        """Write ``data`` under ``key``, replacing what was there.

        ``content_type`` is not kept: a reader of a folder goes by the key's ending.

        Raises:
            StoreFull: no space left; what was under the key is unchanged.
            StoreUnavailable: the file system failed; likewise.
            InvalidKey: the key isn't safe.
        """
        path = self._path(key)
        with self._written(path, io.BytesIO(data)) as link:
            _replace(link, path)

    def put_new(self, key: str, data: bytes, content_type: str) -> bool:  # noqa: ARG002  # as above
        """Write ``data`` under ``key`` unless there is an object; return whether it was written.

        Of several writers at the same time exactly one is told that it wrote.

        Raises:
            StoreFull, StoreUnavailable, InvalidKey: see :meth:`put`.
        """
        path = self._path(key)
        with self._written(path, io.BytesIO(data)) as link:
            try:
                link(path)  # unlike a rename, it replaces nothing
            except FileExistsError:
                return False
        return True

    def put_file(self, key: str, path: Path, content_type: str) -> None:  # noqa: ARG002  # as above
        """Write the bytes of the file at ``path`` under ``key``, replacing what was there. A file
        of any size: it isn't held in memory.

        Raises:
            StoreFull, StoreUnavailable, InvalidKey: see :meth:`put`.
        """
        target = self._path(key)
        with path.open("rb") as source, self._written(target, source) as link:
            _replace(link, target)

    def get_file(self, key: str, path: Path, max_bytes: int) -> None:
        """Write the object under ``key``, of at most ``max_bytes`` bytes, into a file at ``path``.

        Raises:
            ObjectNotFound, ObjectTooLarge, StoreUnavailable, InvalidKey.
            OSError: the file can't be written; what is there of it is of no use.
        """
        with _reading(self._path(key), key) as source, path.open("wb") as target:
            if os.fstat(source.fileno()).st_size > max_bytes:
                raise ObjectTooLarge(key, max_bytes)
            shutil.copyfileobj(source, target)

    def get(self, key: str, max_bytes: int) -> bytes:
        """Return the object under ``key``, of at most ``max_bytes`` bytes.

        Raises:
            ObjectNotFound, ObjectTooLarge, StoreUnavailable, InvalidKey.
        """
        with _translated(), _reading(self._path(key), key) as file:
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise ObjectTooLarge(key, max_bytes)
        return data

    def exists(self, key: str) -> bool:
        """Whether there is an object under ``key``."""
        return self._path(key).is_file()

    def delete(self, key: str) -> None:
        """Remove the object under ``key``; nothing happens if there is none.

        Raises:
            StoreUnavailable, InvalidKey.
        """
        with _translated():
            self._path(key).unlink(missing_ok=True)

    def ping(self) -> None:
        """Check that the folder can be written to.

        Raises:
            StoreFull, StoreUnavailable.
        """
        with _translated():
            self._make_root()
            with tempfile.TemporaryFile(dir=self._root) as file:
                file.write(b"\0")

    @contextmanager
    def _written(self, path: Path, data: BinaryIO) -> Iterator[Callable[[Path], None]]:
        """Write ``data`` into a file without a name beside ``path``, safely on the disk; give what
        links it to a name. What is done inside is made durable. A file that got no name is gone
        with its writer, however that ends."""
        with _translated():
            self._make_root()
            path.parent.mkdir(parents=True, exist_ok=True)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                descriptor = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, _OWNER_ONLY)
                with os.fdopen(descriptor, "wb") as file:
                    shutil.copyfileobj(data, file)
                    file.flush()
                    os.fsync(descriptor)
                    yield partial(_link, descriptor, folder)
                os.fsync(folder)  # a name is an entry of its directory
            finally:
                os.close(folder)

    def _make_root(self) -> None:
        """The root is its owner's only, which closes everything below it."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _path(self, key: str) -> Path:
        try:
            return self._root / validate_object_key(key)
        except ValueError:
            raise InvalidKey(f"not a safe object key: {key!r}") from None


def _replace(link: Callable[[Path], None], path: Path) -> None:
    """Give the file that ``link`` names the name ``path``, in place of what has it."""
    part = path.with_name(f"{_PART_PREFIX}{secrets.token_hex(8)}")
    try:
        link(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _reading(path: Path, key: str) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise ObjectNotFound(key) from None
    except OSError as error:
        raise StoreUnavailable(
            f"the object store's file system failed: {error.strerror}"
        ) from error
    with file:
        yield file


def _link(descriptor: int, folder: int, target: Path) -> None:
    """Give a file without a name a name (open(2), O_TMPFILE). Python follows the link in /proc only
    if it is told of a folder, which an absolute path doesn't need."""
    os.link(f"/proc/self/fd/{descriptor}", target, src_dir_fd=folder, follow_symlinks=True)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise StoreFull("no space left in the object store") from error
        raise StoreUnavailable(
            f"the object store's file system failed: {error.strerror}"
        ) from error
