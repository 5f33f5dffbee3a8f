"""The fenced blocks of a page: running them, and comparing what is shown with what came."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANYTHING = "…"
MARK = "===== end of an example ====="


@dataclass(frozen=True)
class Block:
    """A block and the line of the page on which it begins."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Example:
    """A block that is run, and what the page shows as its output: None if it shows nothing."""

    block: Block
    shown: Block | None


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page that name their language, in its order."""
    text = page.read_text()
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 1)
        for match in _BLOCK.finditer(text)
    ]


def examples(page: Path, language: str) -> list[Example]:
    """The blocks of one language, each with the ``json`` or ``text`` block right behind it."""
    found = blocks(page)
    followers = [*found[1:], None]
    return [
        Example(block, after if after and after.language in ("json", "text") else None)
        for block, after in zip(found, followers, strict=True)
        if block.language == language
    ]


def script(chosen: Sequence[Example], end: str) -> str:
    """One program of all blocks; ``end`` is the statement that prints MARK behind each."""
    return "".join(f"{example.block.text}\n{end}\n" for example in chosen)


def assert_shown(chosen: Sequence[Example], output: str) -> None:
    """What each block printed has the form that the page shows."""
    parts = output.split(f"{MARK}\n")
    assert len(parts) == len(chosen) + 1, f"stopped after: {parts[-2:]}"
    for example, printed in zip(chosen, parts, strict=False):
        if example.shown is None:
            continue
        where = f"line {example.shown.line}"
        if example.shown.language == "json":
            assert_like(json.loads(example.shown.text), json.loads(printed), where)
        else:
            assert_lines(example.shown.text, printed, where)


def assert_like(shown: Any, came: Any, where: str) -> None:
    """``came`` has the shape of ``shown``: the same keys (further ones where a key is ``…``) and
    types, and words that are shown word for word, unless they are ``…``."""
    if isinstance(shown, dict):
        assert isinstance(came, dict), f"{where}: {came}"
        more = ANYTHING in shown
        named = set(shown) - {ANYTHING}
        assert named <= set(came) if more else named == set(came), f"{where}: {sorted(came)}"
        for key in named:
            assert_like(shown[key], came[key], f"{where}: {key}")
    elif isinstance(shown, list):
        assert isinstance(came, list), f"{where}: {came}"
        assert came, f"{where} is empty"
        assert_like(shown[0], came[0], f"{where}[0]")
    elif isinstance(shown, str):
        assert isinstance(came, str), f"{where}: {came}"
        assert _pattern(shown).fullmatch(came), f"{where}: {came}"
    elif isinstance(shown, bool) or shown is None:
        assert came is shown, f"{where}: {came}"
    else:
        assert isinstance(came, int | float), f"{where}: {came}"
        assert not isinstance(came, bool), f"{where}: {came}"


def assert_lines(shown: str, came: str, where: str) -> None:
    """The lines that are shown come one after another among those that came."""
    rest = iter(came.splitlines())
    for line in shown.splitlines():
        pattern = _pattern(line)
        assert any(pattern.fullmatch(each) for each in rest), f"{where}: no {line!r} in {came!r}"


def _pattern(shown: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, shown.split(ANYTHING))))
