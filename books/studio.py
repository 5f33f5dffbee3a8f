"""Draws the books of this package into template folders."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import skia

from books.atelier.paper import ByteImage
from books.atelier.scene import PageArt, Scene, paint_page
from books.library import OWN_BOOKS, BookError, load_books
from books.model import Book
from books.moonlit_fox.pages import SCENES as MOONLIT_FOX

SCENES: dict[str, dict[int, Scene]] = {"moonlit-fox": MOONLIT_FOX}
"""Book id → page number → what is to be seen there."""

_RECORD = "drawn.json"
"""Folder of a page → what it was made from and the SHA-256 of its files."""


def draw_page(book: Book, page_number: int) -> PageArt:
    """Paints one page. Raises KeyError for a page without art."""
    page = book.page(page_number)
    if page.face is None:
        raise KeyError(f"{book.id} has no art on page {page_number}")
    boxes = [page.text_box]
    if page_number == book.cover_page and book.cover_title_box not in boxes:
        boxes.append(book.cover_title_box)
    return paint_page(SCENES[book.id][page_number], page.face, boxes, book.size_px)


def draw_book(book_id: str, out: Path, pages: Iterable[int] | None = None) -> list[Path]:
    """Writes `<out>/<book id>/book.json` and page_NN/{background,character,person_mask}.png.

    pages: page numbers; all with art by default. A page whose files lie there as this code and
    these libraries made them is left alone; the others are drawn in as many processes as there
    are processors. Returns the folders of the pages that were drawn.

    Raises BookError for an unknown book, KeyError for a page without art, OSError when a file
    can't be written.
    """
    books = load_books(OWN_BOOKS)
    if book_id not in books:
        raise BookError(OWN_BOOKS, "id", f"there is no book {book_id}; known are {sorted(books)}")
    book = books[book_id]
    folder = out / book_id
    folder.mkdir(parents=True, exist_ok=True)
    source = OWN_BOOKS / book_id.replace("-", "_") / "book.json"
    (folder / "book.json").write_bytes(source.read_bytes())
    numbers = [page.page_number for page in book.pages if page.art] if pages is None else [*pages]
    record = _read_record(folder)
    hand = _hand()
    wanted = {_page_folder(folder, n): _made_from(hand, book, n) for n in numbers}
    stale = {
        at: number
        for (at, digest), number in zip(wanted.items(), numbers, strict=True)
        if record.get(at.name) != _entry(at, digest)
    }
    if stale:
        processes = min(len(stale), os.cpu_count() or 1)
        # Fresh processes: a forked one could inherit a lock that a library's thread holds.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            list(pool.map(_draw_into, stale, [book] * len(stale), stale.values()))
    record |= {at.name: _entry(at, digest) for at, digest in wanted.items()}
    (folder / _RECORD).write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
    return list(stale)


def _page_folder(folder: Path, page_number: int) -> Path:
    return folder / f"page_{page_number:02d}"


def _draw_into(folder: Path, book: Book, page_number: int) -> None:
    cv2.setNumThreads(1)
    folder.mkdir(exist_ok=True)
    art = draw_page(book, page_number)
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


def _hand() -> str:
    """A digest of the code that paints and of the libraries that it paints with."""
    digest = hashlib.sha256(f"{skia.__version__} {cv2.__version__} {np.__version__}".encode())
    for path in sorted(OWN_BOOKS.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _made_from(hand: str, book: Book, page_number: int) -> str:
    page = book.page(page_number)
    if page.face is None:
        raise KeyError(f"{book.id} has no art on page {page_number}")
    data = [page.face.model_dump_json(), page.text_box.model_dump_json()]
    if page_number == book.cover_page:
        data.append(book.cover_title_box.model_dump_json())
    return hashlib.sha256("\n".join([hand, str(book.size_px), *data]).encode()).hexdigest()


def _entry(folder: Path, made_from: str) -> dict[str, str]:
    """What the record says of a page; a file that isn't there has no digest."""
    files = sorted(folder.glob("*.png"))
    return {"made_from": made_from} | {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def _read_record(folder: Path) -> dict[str, dict[str, str]]:
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
