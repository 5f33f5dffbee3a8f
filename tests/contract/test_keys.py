"""Object keys: their layout, and what is no key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import keys
from contract.types import validate_object_key


def test_keys_follow_the_layout() -> None:
    assert keys.photo_key("p1") == "photos/p1/original.jpg"
    assert keys.embedding_key("p1") == "pulid_emb/p1.safetensors"
    assert keys.template_key("book", 3, "person_mask") == "templates/book/page_03/person_mask.png"
    assert keys.page_key("o1", 12) == "pages/o1/page_12.png"
    assert keys.page_key("o1", 12, take=2) == "pages/o1/page_12.take_2.png"
    assert keys.preview_image_key("v1", 1) == "previews/v1/page_01.take_1.jpg"
    assert keys.book_key("o1") == "books/o1/full_book.pdf"
    assert keys.raw_output_key("raw/j1", "My image_1.png") == "raw/j1/My_image_1.png"


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "a/../b", "..", "a//b", "a/", "./a", "a\\b", "a b", "a\0", "ä", ".a"]
)
def test_what_could_leave_the_store_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="safe object key"):
        validate_object_key(key)


@pytest.mark.parametrize("owner", ["../x", "a/b/../../c", ""])
def test_an_id_cannot_climb_out_of_its_folder(owner: str) -> None:
    for key_of in (keys.photo_key, keys.embedding_key):
        with pytest.raises(ValueError, match="safe object key"):
            key_of(owner)


@given(st.text(max_size=40))
def test_a_valid_key_stays_below_the_root(text: str) -> None:
    try:
        key = validate_object_key(text)
    except ValueError:
        return
    assert not key.startswith("/")
    assert ".." not in key.split("/")


@given(st.integers(0, 999), st.integers(0, 999), st.integers(1, 50), st.integers(1, 50))
def test_two_pages_or_takes_never_share_a_key(a: int, b: int, take_a: int, take_b: int) -> None:
    same = keys.page_key("o", a, take_a) == keys.page_key("o", b, take_b)
    assert same == ((a, take_a) == (b, take_b))


@pytest.mark.parametrize(("page", "take"), [(-1, 1), (1, 0)])
def test_there_is_no_negative_page_and_no_take_zero(page: int, take: int) -> None:
    with pytest.raises(ValueError, match="is"):
        keys.page_key("o", page, take)
