"""One drawing of the sample book for all tests of this folder."""

from pathlib import Path

import pytest

from books.library import OWN_BOOKS, load_books
from books.model import Book
from books.studio import draw_book


@pytest.fixture(scope="session")
def book() -> Book:
    return load_books(OWN_BOOKS)["moonlit-fox"]


@pytest.fixture(scope="session")
def drawn(request: pytest.FixtureRequest) -> Path:
    """The folder the sample book is drawn into; what is current there isn't drawn again."""
    assert request.config.cache is not None
    out = request.config.cache.mkdir("books")
    draw_book("moonlit-fox", out)
    return out / "moonlit-fox"
