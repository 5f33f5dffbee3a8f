"""The models folder is written once, file by file, and never by half."""

from pathlib import Path

import pytest

from tests.tiny_weights.folder import make


class Writer:
    """Writes what it is told, and counts."""

    def __init__(self, content: str = "weights") -> None:
        self.content = content
        self.calls = 0

    def __call__(self, path: Path) -> None:
        self.calls += 1
        path.write_text(self.content)


def cut_short(path: Path) -> None:
    path.write_text("wei")
    raise OSError("no space left")


def test_every_file_is_written_once(tmp_path: Path) -> None:
    vae, unet = Writer(), Writer()
    for _ in range(2):
        make(tmp_path, {"vae/a.pt": vae, "unet/b.pt": unet})
    assert (vae.calls, unet.calls) == (1, 1)
    assert (tmp_path / "vae" / "a.pt").read_text() == "weights"


def test_a_missing_file_is_written_again_alone(tmp_path: Path) -> None:
    files = {"vae/a.pt": Writer(), "unet/b.pt": Writer()}
    make(tmp_path, files)
    (tmp_path / "vae" / "a.pt").unlink()
    make(tmp_path, files)
    assert [writer.calls for writer in files.values()] == [2, 1]


def test_files_of_another_version_are_written_anew(tmp_path: Path) -> None:
    make(tmp_path, {"vae/a.pt": Writer("old")})
    (tmp_path / ".version").write_text("0")
    make(tmp_path, {"vae/a.pt": Writer("new")})
    assert (tmp_path / "vae" / "a.pt").read_text() == "new"


def test_a_file_cut_short_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no space"):
        make(tmp_path, {"vae/a.pt": cut_short})
    assert not (tmp_path / "vae" / "a.pt").exists()
    make(tmp_path, {"vae/a.pt": Writer()})
    assert (tmp_path / "vae" / "a.pt").read_text() == "weights"
