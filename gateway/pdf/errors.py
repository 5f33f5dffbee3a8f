"""Errors of making a PDF. No message repeats a text: it may hold a child's name.

PdfError
├── FontMissing            a font file isn't there, or is no font
├── CharacterUnprintable   no font has the character, or its script isn't supported
├── TextDoesNotFit         a text is too long for its box even in the smallest size
├── PictureUnreadable      a picture is no whole picture
└── CoverSizeUnknown       the vendor has to say how large the cover is, or said nonsense

A book with too few or too many pages is ``gateway.print_profiles.PageCountOutOfRange``.
"""

from pathlib import Path


class PdfError(Exception):
    """A PDF can't be made. A try with the same input fails in the same way."""


class FontMissing(PdfError):
    """A font file isn't there, or is no font."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"there is no usable font at {path}")
        self.path = path


class CharacterUnprintable(PdfError):
    """A character that would come out as a box, in the wrong order, or not at all."""

    def __init__(self, character: str, where: str, reason: str) -> None:
        self.code_point = f"U+{ord(character):04X}"
        self.where = where
        super().__init__(f"{where}: {self.code_point} can't be printed: {reason}")


class TextDoesNotFit(PdfError):
    """A text is too long for its box even in the smallest size."""

    def __init__(self, where: str, smallest_pt: float) -> None:
        super().__init__(f"{where}: the text doesn't fit its box, not even at {smallest_pt:g} pt")
        self.where = where


class PictureUnreadable(PdfError):
    """A picture is no whole picture of a kind that we can read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: the picture can't be read: {reason}")
        self.name = name


class CoverSizeUnknown(PdfError):
    """The vendor has to say how large the cover is, or what it said leaves no room for a spine."""
