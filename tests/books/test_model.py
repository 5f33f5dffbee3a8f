"""Books are data: what a good file gives, and what each mistake is called."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from books.library import OWN_BOOKS, BookError, load_book, load_books
from books.model import Book, FaceOpening

Change = Callable[[dict[str, Any]], None]


def _changed(folder: Path, change: Change) -> Path:
    data = json.loads((OWN_BOOKS / "moonlit_fox" / "book.json").read_text(encoding="utf-8"))
    change(data)
    path = folder / "some_book" / "book.json"
    path.parent.mkdir()
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def _set_text(data: dict[str, Any]) -> None:
    data["pages"][3]["story_text"] = "{nmae} laughed."


def _set_scene(data: dict[str, Any]) -> None:
    data["pages"][1]["scene"] = "{name} with a {pet}"


def _open_brace(data: dict[str, Any]) -> None:
    data["pages"][0]["story_text"] = "{name laughed."


def _format_spec(data: dict[str, Any]) -> None:
    data["pages"][0]["story_text"] = "{name:>900000000} laughed."


def _reach_into(data: dict[str, Any]) -> None:
    data["title_template"] = "{name.__class__} and the Fox"


def _drop_page(data: dict[str, Any]) -> None:
    del data["pages"][2]


def _face_outside(data: dict[str, Any]) -> None:
    data["pages"][0]["face"]["center_x"] = 1000


def _no_face(data: dict[str, Any]) -> None:
    del data["pages"][0]["face"]


def _preview_locked(data: dict[str, Any]) -> None:
    data["pages"][8]["art"] = False
    data["preview_pages"] = [1, 2, 9]


def _text_too_low(data: dict[str, Any]) -> None:
    data["pages"][0]["text_box"] |= {"top": 900, "height": 80}


def _text_at_the_edge(data: dict[str, Any]) -> None:
    data["pages"][0]["text_box"]["left"] = 59


def _text_too_wide(data: dict[str, Any]) -> None:
    data["pages"][0]["text_box"] |= {"left": 100, "width": 865}


def _text_on_the_face(data: dict[str, Any]) -> None:
    data["pages"][0]["text_box"] |= {"top": 300, "height": 160}


def _no_text_box(data: dict[str, Any]) -> None:
    del data["pages"][0]["text_box"]


def _red_ink(data: dict[str, Any]) -> None:
    data["cover_title_box"]["ink"] = "red"


def _blurb(data: dict[str, Any]) -> None:
    data["blurb"] = "A book about {child}."


def _cover_missing(data: dict[str, Any]) -> None:
    data["cover_page"] = 36


def _ages_fall(data: dict[str, Any]) -> None:
    data["age_range"] = [8, 3]


def _free(data: dict[str, Any]) -> None:
    data["price"]["amount"] = 0


def _same_workflow(data: dict[str, Any]) -> None:
    data["draft_workflow"] = data["workflow"]


def _workflow_name(data: dict[str, Any]) -> None:
    data["identity_workflow"]["name"] = "../identity"


def _workflow_version(data: dict[str, Any]) -> None:
    data["draft_workflow"]["version"] = 0


def _unknown_field(data: dict[str, Any]) -> None:
    data["pages"][0]["colour"] = "blue"


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        (_set_text, "pages.3.story_text", "unknown placeholder {nmae}"),
        (_set_scene, "pages.1.scene", "unknown placeholder {pet}"),
        (_open_brace, "pages.0.story_text", "expected '}'"),
        (_format_spec, "pages.0.story_text", "unknown placeholder"),
        (_reach_into, "title_template", "unknown placeholder {name.__class__}"),
        (_drop_page, "pages", "without a gap"),
        (_face_outside, "book", "face of page 1 reaches outside"),
        (_no_face, "pages.0", "needs a face opening"),
        (_preview_locked, "book", "preview_pages names pages without art: [9]"),
        (_cover_missing, "book", "cover_page names pages without art: [36]"),
        (_text_too_low, "pages.0.text_box", "too high: it ends beyond 964 px"),
        (_text_too_wide, "pages.0.text_box", "too wide: it ends beyond 964 px"),
        (_text_at_the_edge, "pages.0.text_box.left", "greater than or equal to 60"),
        (_text_on_the_face, "pages.0", "the text box covers the face opening"),
        (_no_text_box, "pages.0.text_box", "required"),
        (_red_ink, "cover_title_box.ink", "'dark' or 'light'"),
        (_blurb, "blurb", "unknown placeholder {child}"),
        (_ages_fall, "age_range", "must rise"),
        (_free, "price.amount", "greater than 0"),
        (_same_workflow, "book", "workflow and draft_workflow are both storybook_page"),
        (_workflow_name, "identity_workflow.name", "pattern"),
        (_workflow_version, "draft_workflow.version", "greater than or equal to 1"),
        (_unknown_field, "pages.0.colour", "not permitted"),
    ],
)
def test_a_mistake_is_reported_with_its_file_and_field(
    tmp_path: Path, change: Change, field: str, reason: str
) -> None:
    path = _changed(tmp_path, change)
    with pytest.raises(BookError) as caught:
        load_books(tmp_path)
    assert caught.value.path == path
    assert caught.value.field == field
    assert reason in caught.value.reason
    assert str(path) in str(caught.value)


def test_a_missing_file_is_a_book_error(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="file"):
        load_book(tmp_path / "book.json")


def test_a_file_that_is_not_json_is_a_book_error(tmp_path: Path) -> None:
    path = tmp_path / "book.json"
    path.write_bytes(b"{")
    with pytest.raises(BookError, match="Invalid JSON"):
        load_book(path)


def test_a_file_in_another_encoding_is_a_book_error(tmp_path: Path) -> None:
    path = tmp_path / "book.json"
    path.write_bytes(b'{"id": "\xff"}')
    with pytest.raises(BookError, match="file"):
        load_book(path)


def test_an_empty_library_is_a_book_error(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="holds no"):
        load_books(tmp_path)


def test_two_books_of_one_id_are_a_book_error(tmp_path: Path) -> None:
    path = _changed(tmp_path, lambda data: None)
    twin = tmp_path / "twin" / "book.json"
    twin.parent.mkdir()
    twin.write_bytes(path.read_bytes())
    with pytest.raises(BookError, match="already the id of another book"):
        load_books(tmp_path)


@pytest.mark.parametrize("name", ["Zoë", "Nguyễn Thị Ánh", "{name}", "O’Brien {0}", "%s"])
def test_any_name_fills_every_text(book: Book, name: str) -> None:
    assert book.title_for(name) == f"{name} and the Moonlit Fox"
    assert name in book.blurb_for(name)
    texts = [page.text_for(name) for page in book.pages]
    assert sum(name in text for text in texts) >= 20
    for text in texts:
        assert text.replace(name, "").count("{") == 0


def test_the_book_tells_35_pages_and_shows_three(book: Book) -> None:
    assert [page.page_number for page in book.pages] == list(range(1, 36))
    assert book.preview_pages == (1, 2, 3)
    assert all(page.art for page in book.pages)


def test_words_are_few_enough_to_be_read_aloud_on_one_page(book: Book) -> None:
    for page in book.pages:
        assert len(page.story_text) <= 180


def test_the_book_names_its_workflows(book: Book) -> None:
    assert (book.workflow.name, book.workflow.version) == ("storybook_page", 1)
    assert book.identity_workflow
    assert book.identity_workflow.name == "identity"
    assert book.draft_workflow
    assert book.draft_workflow.name == "storybook_page_draft"


def test_a_book_may_do_without_identity_and_draft(tmp_path: Path) -> None:
    def plain(data: dict[str, Any]) -> None:
        del data["identity_workflow"], data["draft_workflow"]

    book = load_book(_changed(tmp_path, plain))
    assert (book.identity_workflow, book.draft_workflow) == (None, None)


def test_an_unknown_page_is_a_key_error(book: Book) -> None:
    for number in (0, 36, -1):
        with pytest.raises(KeyError):
            book.page(number)


def test_a_turned_opening_reaches_further_across() -> None:
    upright = FaceOpening(center_x=500, center_y=500, width=160, height=200)
    turned = FaceOpening(center_x=500, center_y=500, width=160, height=200, angle=8)
    assert upright.reach() == (80, 100)
    assert turned.reach()[0] > 80
    assert turned.reach()[1] < 100


def test_reading_books_needs_no_paint() -> None:
    code = (
        "import sys, books.library, books.model\n"
        "print(sorted({'skia', 'cv2', 'numpy'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
