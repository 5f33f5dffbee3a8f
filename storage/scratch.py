"""Folders for files that must not outlive the process which needs them: a child's pages on
their way into a book, say.

Who is killed can't clean up. So each folder is locked for as long as its process lives (by
``flock``, which ends with it), and whoever sweeps removes the folders that nobody holds.
"""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PREFIX: Final = "foxetales-scratch-"
_TRIES: Final = 10


@contextmanager
def scratch(purpose: str) -> Iterator[Path]:
    """Make a folder in the machine's temporary one, and remove it with all it has at the end.

    ``purpose``, a word, stands in its name. Only this process's user may enter it.

    Raises:
        OSError: the disk won't have it, or knows no locks.
    """
    folder, lock = _made(lambda: tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep_scratch() -> int:
    """Remove the scratch folders whose processes are gone; return how many there were.

    What belongs to another user, or is swept by somebody else at this moment, is left.
    """
    root = Path(tempfile.gettempdir())
    return sum(_swept(folder) for folder in sorted(root.glob(f"{_PREFIX}*")))


def _made(make: Callable[[], str]) -> tuple[Path, int]:
    for _ in range(_TRIES):
        folder = Path(make())
        lock = _locked(folder)
        if lock is not None:
            return folder, lock
        # Mostly somebody swept it in the moment before it was locked.
        shutil.rmtree(folder, ignore_errors=True)
    raise OSError(errno.ENOLCK, "folders can't be locked here", tempfile.gettempdir())


def _swept(folder: Path) -> bool:
    lock = _locked(folder)
    if lock is None:
        return False
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
    return not folder.exists()


def _locked(folder: Path) -> int | None:
    """Lock a folder; None if somebody else holds it, or it isn't there, or isn't ours."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), folder.stat()):
            return lock
    except OSError:
        pass
    os.close(lock)
    return None
