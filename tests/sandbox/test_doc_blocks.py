"""A page's generated blocks are what their commands print now."""

from pathlib import Path

import pytest

from sandbox.doc_blocks import CommandFailed, filled, main
from sandbox.reference import PARTS

COMMAND = "python -m sandbox.reference object_store"
STALE = f"# Page\n\n<!-- {COMMAND} -->\nsomething old\n<!-- end -->\n\nProse stays.\n"


def test_a_block_is_filled_and_the_prose_kept() -> None:
    page = filled(STALE)
    assert page.startswith(f"# Page\n\n<!-- {COMMAND} -->\n| variable | default | meaning |")
    assert page.endswith("\n<!-- end -->\n\nProse stays.\n")
    assert "something old" not in page
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert rows == [each.name for each in PARTS["object_store"]]
    assert filled(page) == page


def test_a_stale_page_is_told_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(STALE)
    monkeypatch.setattr("sys.argv", ["doc_blocks", "--check", str(page)])
    assert main() == 1
    assert "is stale" in capsys.readouterr().err
    assert page.read_text() == STALE
    monkeypatch.setattr("sys.argv", ["doc_blocks", str(page)])
    assert main() == 0
    monkeypatch.setattr("sys.argv", ["doc_blocks", "--check", str(page)])
    assert main() == 0


def test_a_command_that_fails_is_named() -> None:
    with pytest.raises(CommandFailed, match=r"sandbox\.reference nothing"):
        filled(STALE.replace("object_store", "nothing"))
