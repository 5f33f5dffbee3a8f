"""A process that is killed while it writes into a folder of objects."""

import subprocess
import sys
from pathlib import Path

import psutil

from storage.folder import FolderStore
from tests.handler.conftest import REPOSITORY
from tests.sandbox.waiting import eventually

WRITER = """
import sys
from pathlib import Path
from storage.folder import FolderStore
FolderStore(Path(sys.argv[1])).put_new("pages/o1/page_01.png", bytes(400_000_000), "image/png")
"""


def test_a_killed_writer_leaves_no_object_and_no_part_of_one(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=REPOSITORY)
    process = psutil.Process(writer.pid)

    def writing() -> bool:
        links = Path(f"/proc/{process.pid}/fd").iterdir()
        return any(str(link.readlink()).startswith(f"{tmp_path}/pages/") for link in links)

    eventually(writing)
    writer.kill()
    writer.wait()
    assert not store.exists("pages/o1/page_01.png")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert store.put_new("pages/o1/page_01.png", b"whole", "image/png")
