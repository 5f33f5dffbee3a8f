"""What a book is made of, for all of its PDFs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

Ink = Literal["dark", "light"]


@dataclass(frozen=True)
class Picture:
    """A picture: its name in messages, and how it is opened, which may happen more than once.

    A picture that is used twice is embedded once if it is the same object.
    """

    name: str
    open: Callable[[], BinaryIO]

    @classmethod
    def at(cls, path: Path) -> Picture:
        """The picture in a file."""
        return cls(path.name, lambda: path.open("rb"))


@dataclass(frozen=True)
class TextBox:
    """Where a text stands, in pixels from the upper left of a picture that is of_px wide.

    The picture itself may have been enlarged since. With a panel, an opaque rounded one in paper
    colour lies beneath the text, whose ink is then dark.
    """

    left: float
    top: float
    width: float
    height: float
    ink: Ink = "dark"
    of_px: float = 1024
    panel: bool = False


@dataclass(frozen=True)
class PageContent:
    """A page of the story: the picture, which fills it, and the text on it."""

    picture: Picture
    text: str
    box: TextBox


@dataclass(frozen=True)
class CoverContent:
    """The cover: the front's picture, where the title stands on it, and the back's text.

    A detail of back_picture, if there is one, stands in a circle above the back's text.
    """

    picture: Picture
    title_box: TextBox
    blurb: str
    back_picture: Picture | None = None


@dataclass(frozen=True)
class BookContent:
    """A personalised book. language is its BCP 47 tag. made_at (aware) is the date in the file.

    imprint and dedication may have several lines; a dedication may be empty.
    """

    title: str
    author: str
    language: str
    made_at: datetime
    pages: tuple[PageContent, ...]
    cover: CoverContent
    imprint: str
    dedication: str = ""
