"""A small book for the PDF tests, and a reader that has nothing to do with how PDFs are written."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pypdfium2
from PIL import Image

from gateway.pdf import (
    BookContent,
    CoverContent,
    FontSet,
    PageContent,
    Picture,
    TextBox,
    load_fonts,
    write_cover,
    write_customer_copy,
    write_interior,
)
from gateway.print_profiles import PrintProfile, load_profiles

NAME = "Nguyễn Thị Hồng Ánh"
LONGEST_STORY = (
    "The balloon came down where the snow begins. There were no footprints, only one long bright "
    "scratch across the white, as if someone had struck a very large match. “This way,” said the "
    f"fox, and {NAME} followed the glow between the trees."
)
BOX = TextBox(120, 80, 784, 200)


@cache
def fonts() -> FontSet:
    """Debian's fonts, loaded once."""
    return load_fonts()


def profile(name: str = "square_10", **changes: object) -> PrintProfile:
    """One of our own profiles, with changes."""
    own = load_profiles()[name].model_dump()
    return PrintProfile.model_validate(own | changes)


def png(
    colour: tuple[int, ...] = (200, 220, 240), size: tuple[int, int] = (64, 64), mode: str = "RGB"
) -> bytes:
    """A PNG of one colour."""
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, "PNG")
    return out.getvalue()


def picture(data: bytes, name: str = "a picture") -> Picture:
    """A picture out of bytes."""
    return Picture(name, lambda: io.BytesIO(data))


def book(stories: int = 23, **changes: object) -> BookContent:
    """A book of so many pages, each with a colour of its own."""
    pages = tuple(
        PageContent(
            picture(png((200, 220, 10 * number % 256)), f"page {number}"),
            f"This is story {number} of {NAME}.",
            BOX,
        )
        for number in range(1, stories + 1)
    )
    whole = BookContent(
        title=f"{NAME} and the Moonlit Fox",
        author="The Painter",
        language="en",
        made_at=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
        pages=pages,
        cover=CoverContent(pages[0].picture, BOX, "What the fox saw."),
        imprint="Printed for one child.",
        dedication="For you",
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # any field


def interior(of: BookContent, by: PrintProfile) -> bytes:
    """The interior's bytes."""
    out = io.BytesIO()
    write_interior(of, by, fonts(), out)
    return out.getvalue()


def cover(of: BookContent, by: PrintProfile, size_in: tuple[float, float] | None = None) -> bytes:
    """The cover's bytes."""
    out = io.BytesIO()
    write_cover(of, by, fonts(), out, size_in)
    return out.getvalue()


def customer_copy(of: BookContent, by: PrintProfile) -> bytes:
    """The customer's copy's bytes."""
    out = io.BytesIO()
    write_customer_copy(of, by, fonts(), out)
    return out.getvalue()


class OnlyForward(io.RawIOBase, BinaryIO):
    """A file that can be read or written from its beginning to its end, and nothing else."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__()
        self._left = io.BytesIO(content)
        self.written = bytearray()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        return self._left.read(size)

    def write(self, data: bytes) -> int:  # type: ignore[override]  # bytes are all that comes
        """Appends."""
        self.written += data
        return len(data)


def text_of(pdf: bytes, page: int) -> str:
    """What a reader finds on a page, with its line breaks as spaces."""
    with pypdfium2.PdfDocument(pdf) as document:
        found = document[page].get_textpage().get_text_bounded()
    return " ".join(found.split())


def rendered(pdf: bytes, page: int, dots_per_inch: int = 36) -> npt.NDArray[np.uint8]:
    """A page as pixels, rows by columns by RGB."""
    with pypdfium2.PdfDocument(pdf) as document:
        image = document[page].render(scale=dots_per_inch / 72).to_pil().convert("RGB")
    return np.asarray(image, dtype=np.uint8)
