"""A dedication: a few words beneath the title of a book.

Within these limits it fits the title page of the smallest trim we print, whatever letters of the
Latin alphabet it is written in; what is wider is refused when the book is set before it is sold.
Which characters can be printed is the fonts' matter: see ``gateway.pdf``.
"""

import re
import unicodedata
from typing import Final

CHARACTERS_MAX: Final = 140
LINES_MAX: Final = 4
WORD_MAX: Final = 40
"""A word isn't broken: a longer one might be wider than the page."""

_SPACES: Final = re.compile("[ \t]+")
_BREAKS: Final = re.compile(r"[ \n]")


def clean_dedication(text: str) -> str | None:
    """Return a dedication in NFC, its lines trimmed, with single spaces; None if it is empty.

    Raises:
        ValueError: it is too long, has too many lines, or a word in it is too long.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    lines = [_SPACES.sub(" ", line).strip(" ") for line in text.split("\n")]
    cleaned = "\n".join(lines).strip("\n")
    if len(cleaned) > CHARACTERS_MAX:
        raise ValueError(f"must have at most {CHARACTERS_MAX} characters")
    if cleaned.count("\n") >= LINES_MAX:
        raise ValueError(f"must have at most {LINES_MAX} lines")
    if any(len(word) > WORD_MAX for word in _BREAKS.split(cleaned)):
        raise ValueError(f"may have no word of more than {WORD_MAX} characters")
    return cleaned or None


def told_dedication(text: str) -> tuple[str | None, str | None]:
    """Return the dedication of a book that is paid already, and why it can't be printed, if so.

    One that is refused is kept, so that the desk can mend it, but cut off where it is far too long.
    For NUL, which PostgreSQL doesn't keep, stands U+FFFD, which is never printed.
    """
    text = text.replace("\0", "\ufffd")
    try:
        return clean_dedication(text), None
    except ValueError:
        return text[: 2 * CHARACTERS_MAX], "dedication_refused"
