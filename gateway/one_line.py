"""What people typed, made fit for one line of a letter, a header or a job ticket."""

import unicodedata

_BREAKS = frozenset({"Cc", "Zl", "Zp", "Cs"})
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They reorder what stands after them, too. Right-to-left scripts don't need them."""


def one_line(text: str) -> str:
    """Return ``text`` in NFC as one line: without control characters, line breaks, lone surrogates
    and direction overrides, and with single spaces. Letters of every script, their marks, joiners
    and emoji stay."""
    kept = (
        " " if unicodedata.category(character) in _BREAKS else character
        for character in unicodedata.normalize("NFC", text)
        if character not in _OVERRIDES
    )
    return " ".join("".join(kept).split())
