"""Print jobs as folders."""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from gateway.adapters.file_drop import FileDrop
from gateway.ports import PrintError, PrintJob, PrintRejected, PrintStatus
from storage.folder import FolderStore
from tests.gateway.printing import COVER, HOME, INTERIOR, print_file, print_order, stored

ACCEPTED = PrintJob("order-1", "order-1", PrintStatus.ACCEPTED)


@pytest.fixture
def drop(tmp_path: Path, store: FolderStore) -> FileDrop:
    return FileDrop(tmp_path / "drop", stored(store))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "drop" / "order-1"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_job_is_a_complete_folder(drop: FileDrop, folder: Path) -> None:
    assert drop.submit(print_order()) == ACCEPTED
    assert names(folder) == ["cover.pdf", "full_book.pdf", "job.json", "ticket.txt"]
    assert names(folder.parent) == ["order-1"]
    assert (folder / "full_book.pdf").read_bytes() == INTERIOR
    assert (folder / "cover.pdf").read_bytes() == COVER
    assert folder.parent.stat().st_mode & 0o077 == 0


def test_the_job_tells_machines_what_to_do(drop: FileDrop, folder: Path) -> None:
    drop.submit(print_order())
    text = (folder / "job.json").read_text()
    job = json.loads(text)
    assert job["interior"] == {
        "file": "full_book.pdf",
        "md5": hashlib.md5(INTERIOR, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(INTERIOR).hexdigest(),
        "size_bytes": len(INTERIOR),
    }
    assert job["ship_to"]["name"] == "Ánh Nguyễn"
    assert (job["quantity"], job["pages"], job["shipping_level"]) == (1, 38, "MAIL")
    assert "signature" not in text


def test_the_ticket_tells_people_what_to_do(drop: FileDrop, folder: Path) -> None:
    drop.submit(print_order())
    ticket = (folder / "ticket.txt").read_text()
    assert "  Ánh Nguyễn\n  Holstenstraße 48\n  23552 Lübeck\n  DE\n  Phone +49" in ticket
    for name in ("full_book.pdf", "cover.pdf"):
        assert f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}" in ticket


def test_the_tickets_checksums_are_what_sha256sum_takes(drop: FileDrop, folder: Path) -> None:
    drop.submit(print_order())
    lines = [
        line.strip()
        for line in (folder / "ticket.txt").read_text().splitlines()
        if line.endswith(".pdf") and len(line.strip().split("  ")[0]) == 64
    ]
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict"], input="\n".join(lines), text=True, cwd=folder
    )
    assert checked.returncode == 0
    assert len(lines) == 2


def test_an_address_cant_add_lines_to_the_ticket(drop: FileDrop, folder: Path) -> None:
    sly = replace(HOME, name="Mia\nCopies     99\r\u2028x\u202e\x00", line1="\t")
    drop.submit(print_order(ship_to=sly, title="A\nB"))
    lines = (folder / "ticket.txt").read_text().splitlines()
    assert [line for line in lines if line.startswith("Copies")] == ["Copies     1"]
    assert "  Mia Copies 99 x" in lines
    assert "Title      A B" in lines


def test_the_same_job_is_written_once(drop: FileDrop, folder: Path) -> None:
    drop.submit(print_order())
    before = stamps(folder)
    assert drop.submit(print_order(title="Another")) == ACCEPTED
    assert stamps(folder) == before


def test_a_job_that_isnt_there_is_none(drop: FileDrop) -> None:
    assert drop.find("order-1") is None
    assert drop.state("order-1") is None
    assert not drop.cancel("order-1")


def test_an_empty_folder_is_no_job(drop: FileDrop, folder: Path) -> None:
    folder.mkdir(parents=True)
    assert drop.find("order-1") is None
    assert drop.submit(print_order()) == ACCEPTED


@pytest.mark.parametrize("name", ["../order", ".part-x", "", "a/b", "x" * 129, "ö", "a\n"])
def test_a_name_that_leads_elsewhere_is_rejected(drop: FileDrop, tmp_path: Path, name: str) -> None:
    assert drop.find(name) is None
    with pytest.raises(PrintRejected) as caught:
        drop.submit(print_order(name))
    assert list(caught.value.faults) == ["external_id"]
    assert not (tmp_path / "drop").exists()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (replace(print_file("books/order-1/cover.pdf", COVER), sha256="0" * 64), "checksum"),
        (replace(print_file("books/order-1/cover.pdf", COVER), size_bytes=4), "ObjectTooLarge"),
        (print_file("books/order-1/none.pdf", COVER), "ObjectNotFound"),
    ],
)
def test_with_another_file_than_was_ordered_nothing_is_dropped(
    drop: FileDrop, folder: Path, broken: object, reason: str
) -> None:
    with pytest.raises(PrintError, match=reason):
        drop.submit(print_order(cover=broken))
    assert names(folder.parent) == []


def test_a_drop_that_cant_be_written_to_is_an_error(tmp_path: Path, store: FolderStore) -> None:
    (tmp_path / "drop").write_text("a file")
    with pytest.raises(PrintError, match="drop folder failed"):
        FileDrop(tmp_path / "drop", stored(store)).submit(print_order())


def test_threads_that_drop_the_same_job_write_it_once(drop: FileDrop, folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: drop.submit(print_order()), range(16)))
    assert jobs == [ACCEPTED] * 16
    assert names(folder.parent) == ["order-1"]


def _submit(directory: str, objects: str) -> str:
    drop = FileDrop(Path(directory), FolderStore(Path(objects)))
    return drop.submit(print_order()).vendor_id


def test_processes_that_drop_the_same_job_write_it_once(
    drop: FileDrop, folder: Path, tmp_path: Path
) -> None:
    places = (str(tmp_path / "drop"), str(tmp_path / "objects"))
    with get_context("spawn").Pool(2) as pool:
        assert pool.starmap(_submit, [places] * 8) == ["order-1"] * 8
    assert names(folder.parent) == ["order-1"]


class Overtaken(FolderStore):
    """A store so slow that meanwhile another process drops the job."""

    def __init__(self, root: Path, faster: FileDrop, folder: Path) -> None:
        super().__init__(root)
        self.faster, self.folder = faster, folder
        self.seen: dict[str, tuple[int, int]] = {}

    def get_file(self, key: str, path: Path, max_bytes: int) -> None:
        super().get_file(key, path, max_bytes)
        self.faster.submit(print_order())
        self.seen = stamps(self.folder)


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in folder.iterdir()}


def test_a_job_that_is_there_is_never_touched_by_a_slower_writer(
    drop: FileDrop, folder: Path, tmp_path: Path
) -> None:
    store = Overtaken(tmp_path / "objects", drop, folder)
    assert FileDrop(folder.parent, store).submit(print_order()) == ACCEPTED
    assert stamps(folder) == store.seen
    assert names(folder.parent) == ["order-1"]


def test_what_a_killed_writer_left_is_removed_and_the_job_is_written(
    drop: FileDrop, folder: Path
) -> None:
    left = folder.parent / ".part-order-1-01234567"
    left.mkdir(parents=True)
    (left / "job.json").write_text("{}")
    assert drop.submit(print_order()) == ACCEPTED
    assert names(folder.parent) == ["order-1"]


def test_a_writer_that_is_at_work_is_left_in_peace(drop: FileDrop, folder: Path) -> None:
    busy = folder.parent / ".part-order-1-01234567"
    busy.mkdir(parents=True)
    handle = os.open(busy, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        drop.submit(print_order())
    finally:
        os.close(handle)
    assert names(folder.parent) == [".part-order-1-01234567", "order-1"]


_DIES_AFTER_THE_BOOK = """
import os, signal, sys
from pathlib import Path
from gateway.adapters.file_drop import FileDrop
from storage.folder import FolderStore
from tests.gateway.printing import print_order

class Store(FolderStore):
    def get_file(self, key, path, max_bytes):
        if key.endswith("cover.pdf"):
            os.kill(os.getpid(), signal.SIGKILL)
        super().get_file(key, path, max_bytes)

FileDrop(Path(sys.argv[1]), Store(Path(sys.argv[2]))).submit(print_order())
"""


def test_a_process_that_is_killed_leaves_no_job_and_the_next_one_writes_it(
    drop: FileDrop, folder: Path, tmp_path: Path
) -> None:
    places = [str(tmp_path / "drop"), str(tmp_path / "objects")]
    died = subprocess.run([sys.executable, "-c", _DIES_AFTER_THE_BOOK, *places])
    assert died.returncode == -9
    assert drop.find("order-1") is None
    (left,) = folder.parent.iterdir()
    assert names(left) == ["full_book.pdf"]
    assert drop.submit(print_order()) == ACCEPTED
    assert names(folder.parent) == ["order-1"]


def test_the_printers_word_is_the_jobs_state(drop: FileDrop, folder: Path) -> None:
    drop.submit(print_order())
    status = {
        "status": "Shipped",
        "tracking_urls": ["https://carrier.example/1", "javascript:alert(1)"],
        "carrier": "Post\nman",
        "message": "on its way",
        "clerk": "unknown fields are fine",
    }
    (folder / "status.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(status).encode())
    assert drop.state("order-1") == PrintJob(
        "order-1",
        "order-1",
        PrintStatus.SHIPPED,
        ("https://carrier.example/1",),
        "Post man",
        "on its way",
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("in_production", PrintStatus.IN_PRODUCTION),
        (" In production", PrintStatus.IN_PRODUCTION),
        ("in-production", PrintStatus.IN_PRODUCTION),
        ("canceled", PrintStatus.CANCELLED),
        ("DELIVERED", PrintStatus.DELIVERED),
        ("rejected", PrintStatus.REJECTED),
    ],
)
def test_a_state_is_taken_as_people_write_it(
    drop: FileDrop, folder: Path, word: str, status: PrintStatus
) -> None:
    drop.submit(print_order())
    (folder / "status.json").write_text(json.dumps({"status": word}))
    job = drop.state("order-1")
    assert job
    assert job.status is status


@pytest.mark.parametrize("text", ["", "{", "[]", '{"status": "eaten"}', '{"status": 1}', "\x00"])
def test_a_state_that_makes_no_sense_is_an_error(drop: FileDrop, folder: Path, text: str) -> None:
    drop.submit(print_order())
    (folder / "status.json").write_text(text)
    with pytest.raises(PrintError, match=r"status\.json of print job order-1"):
        drop.state("order-1")


def test_a_job_can_be_called_back_before_the_printer_says_anything(
    drop: FileDrop, folder: Path
) -> None:
    drop.submit(print_order())
    assert drop.cancel("order-1")
    assert drop.cancel("order-1")
    assert drop.submit(print_order()).status is PrintStatus.CANCELLED
    assert "status.json" in names(folder)
    assert not [name for name in names(folder) if name.startswith(".")]


def test_a_job_that_the_printer_began_cant_be_called_back(drop: FileDrop, folder: Path) -> None:
    drop.submit(print_order())
    (folder / "status.json").write_text('{"status": "in_production"}')
    assert not drop.cancel("order-1")
    state = drop.state("order-1")
    assert state
    assert state.status is PrintStatus.IN_PRODUCTION


def test_the_cover_is_left_to_the_print_profile(drop: FileDrop) -> None:
    size: object = drop.cover_size_in("square_10", 38)  # type: ignore[func-returns-value]  # None is its answer
    assert size is None
