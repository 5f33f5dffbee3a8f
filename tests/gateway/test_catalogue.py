"""The books on offer, their art, and the appearances."""

import hashlib
import shutil
from pathlib import Path

import pytest

from books.appearances import OWN_APPEARANCES, load_appearances
from contract.keys import TEMPLATE_ASSETS, template_key
from gateway.catalogue import ArtMissing, Catalogue
from gateway.errors import Problem
from storage.folder import FolderStore
from tests.gateway.rendering import BOOK

APPEARANCES = load_appearances(OWN_APPEARANCES)
ART = 3 * len(TEMPLATE_ASSETS)


@pytest.fixture
def folder(books_dir: Path, tmp_path: Path) -> Path:
    """A copy of the books that a test may spoil."""
    return Path(shutil.copytree(books_dir, tmp_path / "books"))


def test_an_asset_is_named_with_the_hash_of_its_file(folder: Path) -> None:
    asset = Catalogue.open(folder, APPEARANCES).asset(BOOK, 2, "character")
    data = (folder / BOOK / "page_02" / "character.png").read_bytes()
    assert asset.key == template_key(BOOK, 2, "character")
    assert asset.sha256 == hashlib.sha256(data).hexdigest()


def test_art_is_published_once(folder: Path, store: FolderStore) -> None:
    books = Catalogue.open(folder, APPEARANCES)
    assert len(books.publish(store)) >= ART
    assert books.publish(store) == []


def test_art_that_changed_is_published_again(folder: Path, store: FolderStore) -> None:
    Catalogue.open(folder, APPEARANCES).publish(store)
    art = folder / BOOK / "page_01" / "background.png"
    art.write_bytes(art.read_bytes() + b"more")
    key = template_key(BOOK, 1, "background")
    assert Catalogue.open(folder, APPEARANCES).publish(store) == [key]
    assert store.get(key, 10**6) == art.read_bytes()


def test_missing_art_is_named(folder: Path) -> None:
    (folder / BOOK / "page_03" / "person_mask.png").unlink()
    with pytest.raises(ArtMissing, match=r"page_03/person_mask\.png"):
        Catalogue.open(folder, APPEARANCES)


def test_an_unknown_book_is_a_problem(folder: Path) -> None:
    with pytest.raises(Problem) as caught:
        Catalogue.open(folder, APPEARANCES).book("no-such-book")
    assert caught.value.code == "book_unknown"


def test_appearances_keep_their_order(folder: Path) -> None:
    books = Catalogue.open(folder, APPEARANCES)
    assert books.appearances() == list(APPEARANCES.values())
    assert books.appearance("east_asian").label == "East Asian"


def test_an_unknown_appearance_is_a_problem(folder: Path) -> None:
    with pytest.raises(Problem) as caught:
        Catalogue.open(folder, APPEARANCES).appearance("martian")
    assert caught.value.code == "appearance_unknown"
