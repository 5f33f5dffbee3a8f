"""Scratch folders go with the process that needs them, however it ends."""

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from storage import scratch as module
from storage.scratch import scratch, sweep_scratch

HOLDER = """
import sys
from storage.scratch import scratch
with scratch("book") as folder:
    (folder / "page.png").write_bytes(b"a child")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # else it was chosen already
    return tmp_path


@pytest.fixture
def holder() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def folder_of(holder: "subprocess.Popen[str]") -> Path:
    assert holder.stdout is not None
    return Path(holder.stdout.readline().strip())


def test_a_folder_goes_with_its_block(temporary: Path) -> None:
    with scratch("book") as folder:
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "page.png").write_bytes(b"a child")
    assert list(temporary.iterdir()) == []


def test_a_folder_goes_when_its_block_fails(temporary: Path) -> None:
    with pytest.raises(RuntimeError, match="no book"), scratch("book"):
        raise RuntimeError("no book")
    assert list(temporary.iterdir()) == []


def test_what_a_living_process_needs_is_left(holder: "subprocess.Popen[str]") -> None:
    folder = folder_of(holder)
    with scratch("file") as own:
        assert sweep_scratch() == 0
        assert own.is_dir()
    assert (folder / "page.png").read_bytes() == b"a child"


def test_what_a_killed_process_left_is_swept(
    holder: "subprocess.Popen[str]", temporary: Path
) -> None:
    folder_of(holder)
    holder.kill()
    holder.wait()
    assert len(list(temporary.iterdir())) == 1
    assert sweep_scratch() == 1
    assert list(temporary.iterdir()) == []


def test_nothing_else_is_swept(temporary: Path) -> None:
    for name in ("foxetales-scratch-file", "elsewhere"):
        (temporary / name).write_bytes(b"")
    (temporary / "other").mkdir()
    (temporary / "foxetales-scratch-link").symlink_to(temporary / "other")
    assert sweep_scratch() == 0
    assert len(list(temporary.iterdir())) == 4


def test_a_folder_that_was_swept_before_it_was_locked_is_made_anew(temporary: Path) -> None:
    made: list[str] = []

    def make() -> str:
        made.append(tempfile.mkdtemp(prefix="foxetales-scratch-book-"))
        if len(made) == 1:
            assert sweep_scratch() == 1
        return made[-1]

    folder, lock = module._made(make)
    assert str(folder) == made[1]
    assert sweep_scratch() == 0
    os.close(lock)
    assert sweep_scratch() == 1


def test_where_nothing_can_be_locked_no_folder_is_left(temporary: Path) -> None:
    with ExitStack() as held:

        def make() -> str:
            folder = tempfile.mkdtemp(prefix="foxetales-scratch-book-")
            other = os.open(folder, os.O_RDONLY)
            held.callback(os.close, other)
            fcntl.flock(other, fcntl.LOCK_EX)
            return folder

        with pytest.raises(OSError, match="can't be locked"):
            module._made(make)
    assert list(temporary.iterdir()) == []
