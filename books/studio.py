"""Draws the books of this package into template folders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from books.atelier.paper import ByteImage
from books.atelier.scene import PageArt, Scene, paint_page
from books.library import OWN_BOOKS, BookError, load_books
from books.model import Book
from books.moonlit_fox.pages import SCENES as MOONLIT_FOX

SCENES: dict[str, dict[int, Scene]] = {"moonlit-fox": MOONLIT_FOX}
"""Book id → page number → what is to be seen there."""


def draw_page(book: Book, page_number: int) -> PageArt:
    """Paints one page. Raises KeyError for a page without art."""
    page = book.page(page_number)
    if page.face is None:
        raise KeyError(f"{book.id} has no art on page {page_number}")
    return paint_page(SCENES[book.id][page_number], page.face, book.size_px)


def draw_book(book_id: str, out: Path) -> list[Path]:
    """Writes `<out>/<book id>/book.json` and page_NN/{background,character,person_mask}.png.

    Returns the page folders. Raises BookError for an unknown book, OSError when a file can't
    be written.
    """
    books = load_books(OWN_BOOKS)
    if book_id not in books:
        raise BookError(OWN_BOOKS, "id", f"there is no book {book_id}; known are {sorted(books)}")
    book = books[book_id]
    folder = out / book_id
    folder.mkdir(parents=True, exist_ok=True)
    source = OWN_BOOKS / book_id.replace("-", "_") / "book.json"
    (folder / "book.json").write_bytes(source.read_bytes())
    folders = []
    for page in book.pages:
        if page.art:
            folders.append(folder / f"page_{page.page_number:02d}")
            _write(draw_page(book, page.page_number), folders[-1])
    return folders


def _write(art: PageArt, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, picture in (
        ("background", art.background[:, :, ::-1]),
        ("character", art.character[:, :, ::-1]),
        ("person_mask", art.person_mask),
    ):
        (folder / f"{name}.png").write_bytes(_png(np.ascontiguousarray(picture)))


def _png(picture: ByteImage) -> bytes:
    """PNG bytes of a BGR or grey picture, without any metadata."""
    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not done:
        raise OSError("the picture could not be encoded as PNG")
    return data.tobytes()
