"""The books on offer, the art their pages are made of, the appearances a child may have."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from books.appearances import Appearance
from books.library import load_books
from books.model import Book, Page
from contract.job import ObjectRef
from contract.keys import TEMPLATE_ASSETS, TemplateAsset, template_key
from gateway.errors import Problem
from gateway.ports import ObjectStore
from storage.errors import ObjectNotFound, ObjectTooLarge

STYLES: Final = ("watercolour",)
"""Every book is painted in one style so far; the first one is the default."""


class ArtMissing(Exception):
    """A page is said to have art, and a file of it isn't there. The message names the file."""


class Catalogue:
    """Books by id, with the sha256 of every piece of art as it lies in ``directory``:
    ``<book id>/page_NN/<asset>.png``. Appearances by id."""

    def __init__(
        self,
        books: Mapping[str, Book],
        directory: Path,
        appearances: Mapping[str, Appearance],
    ) -> None:
        """Hash the art of ``books``.

        Raises:
            ArtMissing: a file of the art can't be read.
        """
        self._books = dict(books)
        self._directory = directory
        self._appearances = dict(appearances)
        self._sha256 = {key: _sha256(path) for key, path in self._art()}

    @classmethod
    def open(cls, directory: Path, appearances: Mapping[str, Appearance]) -> "Catalogue":
        """Read the books of a directory and hash their art.

        Raises:
            books.library.BookError: a book can't be used.
            ArtMissing: a file of the art can't be read.
        """
        return cls(load_books(directory), directory, appearances)

    def all(self) -> list[Book]:
        """The books on offer, in the order they are shown."""
        return list(self._books.values())

    def book(self, book_id: str) -> Book:
        """Return a book.

        Raises:
            Problem: ``book_unknown``.
        """
        try:
            return self._books[book_id]
        except KeyError:
            raise Problem("book_unknown") from None

    def appearances(self) -> list[Appearance]:
        """The appearances that a parent may choose from, in the order they are shown."""
        return list(self._appearances.values())

    def appearance(self, appearance_id: str) -> Appearance:
        """Return an appearance.

        Raises:
            Problem: ``appearance_unknown``.
        """
        try:
            return self._appearances[appearance_id]
        except KeyError:
            raise Problem("appearance_unknown") from None

    def asset(self, book_id: str, page_number: int, asset: TemplateAsset) -> ObjectRef:
        """Return where a page's art lies in the object store, and its sha256."""
        key = template_key(book_id, page_number, asset)
        return ObjectRef(key=key, sha256=self._sha256[key])

    def publish(self, store: ObjectStore) -> list[str]:
        """Put art into ``store`` that isn't there or is there with other bytes. Blocks.

        Returns the keys that were written.

        Raises:
            storage.errors.StoreError: the store failed.
        """
        written = []
        for key, path in self._art():
            data = path.read_bytes()
            if not _holds(store, key, data):
                store.put(key, data, "image/png")
                written.append(key)
        return written

    def _art(self) -> Iterator[tuple[str, Path]]:
        for book in self._books.values():
            for page in book.pages:
                if page.art:
                    yield from self._art_of(book.id, page)

    def _art_of(self, book_id: str, page: Page) -> Iterator[tuple[str, Path]]:
        folder = self._directory / book_id / f"page_{page.page_number:02d}"
        for asset in TEMPLATE_ASSETS:
            yield template_key(book_id, page.page_number, asset), folder / f"{asset}.png"


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ArtMissing(f"{path}: {error.strerror}; `python -m books draw` makes it") from None


def _holds(store: ObjectStore, key: str, data: bytes) -> bool:
    try:
        return store.get(key, len(data)) == data
    except (ObjectNotFound, ObjectTooLarge):
        return False
