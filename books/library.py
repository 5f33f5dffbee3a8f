"""Reads books from folders: `<directory>/<any folder>/book.json`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from books.model import Book

OWN_BOOKS = Path(__file__).parent
"""Where the books of this package lie."""


_T = TypeVar("_T")


class BookError(Exception):
    """A file of this package's data that can't be used: which file, which field, why."""

    def __init__(self, path: Path, field: str, reason: str) -> None:
        super().__init__(f"{path}: {field}: {reason}")
        self.path = path
        self.field = field
        self.reason = reason


def load_book(path: Path) -> Book:
    """Reads one book.json (UTF-8). Raises BookError if it is missing, broken or inconsistent."""
    return read_data(path, Book.model_validate_json, whole="book")


def read_data(path: Path, parse: Callable[[str], _T], *, whole: str) -> _T:
    """Reads a UTF-8 file and parses it with pydantic.

    Raises BookError; `whole` is its field where no single field is at fault.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BookError(path, "file", str(error)) from error
    try:
        return parse(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or whole
        raise BookError(path, field, first["msg"]) from error


def load_books(directory: Path) -> dict[str, Book]:
    """All books of a directory by id, in the order of their folders' names.

    Raises BookError for a directory without books, a bad file, or an id used twice.
    """
    books: dict[str, Book] = {}
    for path in sorted(directory.glob("*/book.json")):
        book = load_book(path)
        if book.id in books:
            raise BookError(path, "id", f"{book.id} is already the id of another book")
        books[book.id] = book
    if not books:
        raise BookError(directory, "directory", "holds no */book.json")
    return books
