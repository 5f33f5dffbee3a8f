"""From an order's finished pages to its PDFs in the object store."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from books.model import PAGE_PX, Book
from books.model import TextBox as PageBox
from contract.keys import BookPart, book_key
from gateway.pdf import (
    BookContent,
    CoverContent,
    FontSet,
    PageContent,
    PdfError,
    Picture,
    TextBox,
    check_texts,
    write_cover,
    write_customer_copy,
    write_interior,
)
from gateway.ports import ObjectStore, PrintError, PrintVendor
from gateway.print_profiles import PageCountOutOfRange, PrintProfile
from gateway.run_errors import StepFailed
from storage.errors import ObjectNotFound, ObjectTooLarge, StoreError
from storage.scratch import scratch

BINDING: Final = 1
"""Counts changes of how books are put together. A larger number assembles orders again that are
under way."""

AUTHOR: Final = "Foxetales"

_MAX_PAGE_BYTES: Final = 128 * 1024 * 1024
_PDF: Final = "application/pdf"


@dataclass(frozen=True)
class Words:
    """What is set in a book: the child's name is in it."""

    title: str
    language: str
    texts: tuple[str, ...]
    blurb: str
    imprint: str
    dedication: str


@dataclass(frozen=True)
class Sheet:
    """A page's pictures in the object store: as painted, and enlarged, with their SHA-256."""

    page_number: int
    painted_key: str
    painted_sha256: str
    print_key: str
    print_sha256: str


@dataclass(frozen=True)
class Contents:
    """All that an order's PDFs are made of. Equal contents make equal files."""

    order_id: str
    book: Book
    profile: PrintProfile
    words: Words
    sheets: tuple[Sheet, ...]
    made_at: datetime

    @property
    def digest(self) -> str:
        """A SHA-256 over everything that has an influence on the files."""
        told = {
            "binding": BINDING,
            "order": self.order_id,
            "profile": self.profile.model_dump(mode="json"),
            "boxes": [page.text_box.model_dump(mode="json") for page in self.book.pages],
            "cover": [self.book.cover_page, self.book.cover_title_box.model_dump(mode="json")],
            "words": asdict(self.words),
            "sheets": [[sheet.painted_sha256, sheet.print_sha256] for sheet in self.sheets],
            "made_at": self.made_at.isoformat(),
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


DRAFT_NOTE: Final = "This is a draft, painted by a simplified process to show the idea."
"""What the imprint of a book in the draft look says, too."""


def words_of(book: Book, child_name: str, dedication: str | None, *, draft: bool) -> Words:
    """Return what is set in ``book`` for a child of that name. A draft is called one."""
    return Words(
        title=book.title_for(child_name),
        language=book.language,
        texts=tuple(page.text_for(child_name) for page in book.pages),
        blurb=book.blurb_for(child_name),
        imprint=f"{book.imprint}\n{DRAFT_NOTE}" if draft else book.imprint,
        dedication=dedication or "",
    )


@dataclass(frozen=True)
class Bookbinder:
    """Makes PDFs. Methods block.

    ``vendor`` is asked how large the cover is; ``profiles`` are the print profiles by id.
    """

    store: ObjectStore
    vendor: PrintVendor
    profiles: Mapping[str, PrintProfile]
    fonts: FontSet

    def check(self, book: Book, profile_id: str, child_name: str, dedication: str | None) -> None:
        """Check that the book can be set, before anything is painted for it.

        Raises:
            StepFailed: a text doesn't fit, or a character can't be printed.
        """
        with _translated():
            words = words_of(book, child_name, dedication, draft=True)
            nowhere = [Picture("none", _no_picture)] * len(book.pages)
            content = _content(book, words, nowhere, datetime.min)
            check_texts(content, self.profiles[profile_id], self.fonts)
            self.profiles[profile_id].pages_for(len(book.pages))

    def bind(self, contents: Contents) -> dict[str, Any]:
        """Make interior, cover and the parent's copy, and store them; return what an order keeps of
        them: for each part its key, MD5, SHA-256 and size in bytes.

        Raises:
            StepFailed: they can't be made; or store or printer are away.
        """
        with _translated(), scratch("book") as folder:
            return self._bind(contents, folder)

    def _bind(self, contents: Contents, folder: Path) -> dict[str, Any]:
        profile = contents.profile
        pages = profile.pages_for(len(contents.sheets))
        size_in = self.vendor.cover_size_in(profile.product, pages)
        printed = [self._fetch(sheet.print_key, folder) for sheet in contents.sheets]
        book = _content(contents.book, contents.words, printed, contents.made_at)
        files = {
            "full_book": self._part(
                contents,
                folder,
                "full_book",
                lambda out: write_interior(book, profile, self.fonts, out),
            ),
            "cover": self._part(
                contents,
                folder,
                "cover",
                lambda out: write_cover(book, profile, self.fonts, out, size_in),
            ),
        }
        painted = [self._fetch(sheet.painted_key, folder) for sheet in contents.sheets]
        screen = _content(contents.book, contents.words, painted, contents.made_at)
        files["screen_book"] = self._part(
            contents,
            folder,
            "screen_book",
            lambda out: write_customer_copy(screen, profile, self.fonts, out),
        )
        return {"contents": contents.digest, "profile": profile.id, "pages": pages, **files}

    def _fetch(self, key: str, folder: Path) -> Picture:
        path = folder / hashlib.sha256(key.encode()).hexdigest()
        self.store.get_file(key, path, _MAX_PAGE_BYTES)
        return Picture.at(path)

    def _part(
        self, contents: Contents, folder: Path, part: BookPart, write: Callable[[BinaryIO], object]
    ) -> dict[str, Any]:
        path = folder / f"{part}.pdf"
        with path.open("wb") as out:
            write(out)
        key = book_key(contents.order_id, part)
        self.store.put_file(key, path, _PDF)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            # The printer wants an MD5 to check its download; it protects nothing.
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return {"key": key, "sha256": sha256, "md5": md5, "size_bytes": path.stat().st_size}


def _content(
    book: Book, words: Words, pictures: Sequence[Picture], made_at: datetime
) -> BookContent:
    pages = tuple(
        PageContent(picture=picture, text=text, box=_box(page.text_box))
        for page, picture, text in zip(book.pages, pictures, words.texts, strict=True)
    )
    return BookContent(
        title=words.title,
        author=AUTHOR,
        language=words.language,
        made_at=made_at,
        pages=pages,
        cover=CoverContent(
            picture=pictures[book.cover_page - 1],
            back_picture=pictures[len(pictures) // 2],
            title_box=_box(book.cover_title_box),
            blurb=words.blurb,
        ),
        imprint=words.imprint,
        dedication=words.dedication,
    )


def _box(box: PageBox) -> TextBox:
    return TextBox(
        left=box.left, top=box.top, width=box.width, height=box.height, ink=box.ink, of_px=PAGE_PX
    )


def _no_picture() -> BinaryIO:
    raise AssertionError("texts are checked without opening a picture")


@contextmanager
def _translated() -> Iterator[None]:
    """What goes wrong, as a step says it. No message here repeats a name."""
    try:
        yield
    except (PdfError, PageCountOutOfRange) as error:
        raise StepFailed(f"book_unprintable: {error}") from None
    except (ObjectNotFound, ObjectTooLarge):
        raise StepFailed("page_missing") from None
    except StoreError as error:
        raise StepFailed(f"store_unavailable: {type(error).__name__}", again=True) from None
    except PrintError:
        raise StepFailed("printer_unavailable", again=True) from None
    except OSError as error:
        raise StepFailed(f"disk: {error.strerror}", again=True) from None
