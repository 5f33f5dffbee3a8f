"""The command line of the books."""

from pathlib import Path

import pytest

from books.__main__ import main


def test_an_unknown_book_ends_with_status_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["draw", "--out", str(tmp_path), "--book", "sunlit-owl"]) == 2
    assert "there is no book sunlit-owl" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_ends_with_status_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder", encoding="utf-8")
    assert main(["draw", "--out", str(in_the_way)]) == 2
    assert "error:" in capsys.readouterr().err
