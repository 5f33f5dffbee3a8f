"""What only a folder can do wrong: a full disk, permissions, leftovers."""

import subprocess
import sys
from pathlib import Path

import pytest

from storage.errors import StoreUnavailable
from storage.folder import FolderStore

WRITE_PAST_THE_LIMIT = """
import resource, signal, sys
from pathlib import Path
from storage.errors import StoreFull
from storage.folder import FolderStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    FolderStore(Path(sys.argv[1])).put("a", b"new" * 1000, "text/plain")
except StoreFull:
    sys.exit(42)
"""


def test_a_write_that_the_disk_refuses_half_way_leaves_the_old_object(tmp_path: Path) -> None:
    """The kernel's own file size limit stands in for the end of the disk."""
    store = FolderStore(tmp_path)
    store.put("a", b"old", "text/plain")
    done = subprocess.run([sys.executable, "-c", WRITE_PAST_THE_LIMIT, tmp_path], check=False)
    assert done.returncode == 42
    assert store.get("a", 100) == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_write_that_came_second_leaves_no_file_behind(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    assert [store.put_new("a", data, "text/plain") for data in (b"1", b"2")] == [True, False]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_store_below_a_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        FolderStore(tmp_path / "file").ping()


def test_objects_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    root = tmp_path / "store"
    FolderStore(root).put("photos/p/original.jpg", b"x", "image/jpeg")
    assert root.stat().st_mode & 0o077 == 0
    assert (root / "photos/p/original.jpg").stat().st_mode & 0o077 == 0


def test_an_object_cannot_take_the_place_of_a_folder_of_objects(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a/b", b"x", "text/plain")
    with pytest.raises(StoreUnavailable):
        store.put("a", b"secret", "text/plain")
    assert store.get("a/b", 10) == b"x"
