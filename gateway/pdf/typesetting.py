"""A text into lines: broken, fitted to a width and a height, and evened out. Pure."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.pdf.errors import TextDoesNotFit
from gateway.pdf.fonts import Typeface
from gateway.print_profiles import TextSizes

LEADING = 1.4
"""From one baseline to the next, em: loose, for those who are learning to read."""
ASCENT, DESCENT = 0.98, 0.30
"""What a line takes above and below its baseline, em: Vietnamese capitals bear two marks."""
_STEP_PT = 0.5
_SPACES = re.compile("[ \t]+")  # no-break spaces are no place to break
_AFTER_DASH = re.compile("(?<=[–—])(?=[^–—])")  # but not behind a hyphen: names have them


@dataclass(frozen=True)
class SetLine:
    """A line and its width in em."""

    text: str
    width: float


@dataclass(frozen=True)
class SetText:
    """Lines of one size. where is for messages."""

    lines: tuple[SetLine, ...]
    size_pt: float
    typeface: Typeface
    where: str
    leading: float = LEADING

    @property
    def height(self) -> float:
        """From the top of the first line to the bottom of the last, pt."""
        return _height(len(self.lines), self.leading) * self.size_pt

    @property
    def width(self) -> float:
        """The longest line, pt."""
        return max((line.width for line in self.lines), default=0.0) * self.size_pt


def _height(lines: int, leading: float) -> float:
    return (lines - 1) * leading + ASCENT + DESCENT if lines else 0.0


@dataclass(frozen=True)
class _Part:
    """What isn't broken: its width in em, and whether a space stands before it."""

    text: str
    width: float
    spaced: bool


def fit(
    text: str,
    typeface: Typeface,
    width_pt: float,
    height_pt: float,
    sizes: TextSizes,
    where: str,
    leading: float = LEADING,
) -> SetText:
    """The text in the largest size in which it fits; its lines are about equally long.

    Newlines are kept. Raises TextDoesNotFit and CharacterUnprintable.
    """
    paragraphs = [_parts(line, typeface, where) for line in text_lines(text)]
    space = typeface.width(" ", where)
    for size in _descending(sizes):
        width = width_pt / size
        broken = [_break(parts, width, space) for parts in paragraphs]
        count = sum(len(lines) for lines in broken)
        widest = max((line.width for lines in broken for line in lines), default=0.0)
        if widest <= width and _height(count, leading) * size <= height_pt:
            even = [line for parts in paragraphs for line in _even(parts, width, space)]
            return SetText(tuple(even), size, typeface, where, leading)
    raise TextDoesNotFit(where, sizes.smallest_pt)


def text_lines(text: str) -> list[str]:
    """A text's own lines as they are set: NFC, without spaces around it."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").strip(" \t\n")).split("\n")


def _descending(sizes: TextSizes) -> Iterator[float]:
    size = sizes.largest_pt
    while size > sizes.smallest_pt:
        yield size
        size -= _STEP_PT
    yield sizes.smallest_pt


def _parts(line: str, typeface: Typeface, where: str) -> list[_Part]:
    """Words; where dashes join some, they are cut behind these."""
    parts = []
    for word in _SPACES.split(line.strip(" \t")):
        for number, piece in enumerate(_AFTER_DASH.split(word)):
            parts.append(_Part(piece, typeface.width(piece, where), number == 0))
    return parts


def _break(parts: list[_Part], width: float, space: float) -> list[SetLine]:
    """Each line as full as it goes; a part that is wider than a line has one for itself."""
    lines: list[SetLine] = []
    text, used = "", 0.0
    for part in parts:
        gap = space if part.spaced and text else 0.0
        if text and used + gap + part.width > width:
            lines.append(SetLine(text, used))
            text, used = part.text, part.width
        else:
            text += (" " if gap else "") + part.text
            used += gap + part.width
    return [*lines, SetLine(text, used)]


def _even(parts: list[_Part], width: float, space: float) -> list[SetLine]:
    """As many lines as it takes, and as narrow as so many lines can be."""
    lines = _break(parts, width, space)
    low, high = max(part.width for part in parts), width
    for _ in range(12):
        middle = (low + high) / 2
        tried = _break(parts, middle, space)
        if len(tried) > len(lines):
            low = middle
        else:
            lines, high = tried, middle
    return lines
