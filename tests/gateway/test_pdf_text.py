"""Text in a PDF: every letter there or refused, fonts cut to size, lines that fit."""

import io
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
import uharfbuzz as hb
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.pdf import (
    CharacterUnprintable,
    FontFiles,
    FontMissing,
    TextBox,
    TextDoesNotFit,
    check_texts,
    load_fonts,
)
from gateway.pdf.typesetting import LEADING, fit
from gateway.print_profiles import TextSizes
from tests.gateway.pdf_book import (
    BOX,
    LONGEST_STORY,
    NAME,
    book,
    fonts,
    interior,
    profile,
    rendered,
    text_of,
)

SIZES = TextSizes(largest_pt=21, smallest_pt=12)
LETTERS = "".join(
    chr(point)
    for block in (range(0x20, 0x7F), range(0xA0, 0x180), range(0x1A0, 0x1B1), range(0x1EA0, 0x1EFA))
    for point in block
    if chr(point) not in "\u00ad\u0149"
)  # Latin and Vietnamese; without the soft hyphen and a letter that Unicode gave up


def with_story(text: str, box: TextBox = BOX) -> bytes:
    pages = book().pages
    return interior(book(pages=(replace(pages[0], text=text, box=box), *pages[1:])), profile())


@pytest.mark.parametrize(
    "name",
    [
        NAME,
        "Zoë-Åsa O’Connor",
        "Maximiliana Alexandrina-Wilhelmina Gräfi",
        "Şükrü Łucja Čeněk",
        "Ìyábọ̀dé b\u0301o",
        "Αθηνά",
        "Аня",
        "<b>{name}</b> & (Bo) \\ 100 %",
    ],
)
def test_a_name_is_found_as_it_was_written(name: str) -> None:
    assert f"There was {name} again." in text_of(with_story(f"There was {name} again."), 2)


def test_a_name_in_pieces_is_put_together() -> None:
    pieces = unicodedata.normalize("NFD", NAME)
    assert pieces != NAME
    assert with_story(f"Hello {pieces}!") == with_story(f"Hello {NAME}!")


def test_both_fonts_have_every_latin_and_vietnamese_letter_themselves() -> None:
    for typeface in (fonts().regular, fonts().bold):
        assert [run for _, run in typeface.runs(LETTERS, "here")] == [LETTERS]


def test_a_letter_that_the_font_lacks_comes_from_the_other_one() -> None:
    regular = fonts().regular
    assert list(regular.runs("für ♥ und", "here")) == [
        (regular.main, "für "),
        (regular.fallback, "♥"),
        (regular.main, " und"),
    ]


def test_a_word_has_one_font_though_the_first_one_has_some_of_its_letters() -> None:
    regular = fonts().regular
    assert regular.main.has("δ")
    assert [face for face, _ in regular.runs("Σαδ", "here")] == [regular.fallback]


@pytest.mark.parametrize(
    ("name", "code_point"),
    [
        ("小明", "U+5C0F"),
        ("Bo 🦊", "U+1F98A"),
        ("שרה", "U+05E9"),
        ("محمد", "U+0645"),
        ("Bo\u202e", "U+202E"),
        ("Bo\x07", "U+0007"),
        ("Bo\u2028", "U+2028"),
        ("Bo\ud800", "U+D800"),
        ("Bo\ue000", "U+E000"),
    ],
)
def test_what_cant_be_printed_is_refused_by_its_code_point(name: str, code_point: str) -> None:
    with pytest.raises(CharacterUnprintable) as refused:
        check_texts(book(title=f"The Fox and {name}"), profile(), fonts())
    assert refused.value.code_point == code_point
    assert str(refused.value).startswith(f"cover title: {code_point} can't be printed")
    assert "Bo" not in str(refused.value)


@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_no_text_at_all_is_printed_as_boxes(text: str) -> None:
    """Either it is refused, or no glyph of it is the font's sign for a missing character."""
    try:
        shaped = fonts().regular.shape(unicodedata.normalize("NFC", text), "here")
    except CharacterUnprintable:
        return
    clusters = [cluster for _, run in shaped for cluster in run]
    assert all(glyph.gid for cluster in clusters for glyph in cluster.glyphs)


def test_fonts_are_embedded_cut_to_size_and_legible_for_machines() -> None:
    document = pikepdf.open(io.BytesIO(with_story("♥ and ậ")))
    used = {
        str(font.BaseFont): font
        for page in document.pages
        for font in page.Resources.Font.as_dict().values()
    }
    assert {name.partition("+")[2] for name in used} == {
        "Andika-Regular",
        "Andika-Bold",
        "DejaVuSans",
    }
    for name, font in used.items():
        assert re.match("/[A-Z]{6}[+]", name)
        assert font.Encoding == "/Identity-H"
        assert b"beginbfchar" in font.ToUnicode.read_bytes()
        descendant = pikepdf.Array(font.DescendantFonts)[0]
        file = descendant.FontDescriptor.FontFile2.read_bytes()
        assert len(file) < 40_000
        assert hb.Face(file).glyph_count > 100  # it is a font, and its glyphs have their numbers


def test_a_glyph_keeps_its_width() -> None:
    document = pikepdf.open(io.BytesIO(with_story("mmmiii")))
    font = next(iter(document.pages[2].Resources.Font.as_dict().values()))
    row = list(pikepdf.Array(pikepdf.Array(font.DescendantFonts)[0].W))
    widths = {
        int(gid): float(pikepdf.Array(width)[0])
        for gid, width in zip(row[::2], row[1::2], strict=True)
    }
    face = fonts().regular.main
    assert widths == {gid: pytest.approx(1000 * face.advance(gid), abs=1e-3) for gid in widths}


def test_a_mark_that_has_no_letter_of_its_own_stands_above_its_letter() -> None:
    """b with an acute accent isn't in Unicode: the accent is moved there by the font's anchors."""
    plain, marked = (
        rendered(with_story(text, TextBox(100, 100, 800, 60)), 2, 144).max(axis=2) < 80
        for text in ("bbb", "b\u0301bb")
    )
    extra = marked & ~plain
    columns, above = plain.any(axis=0).nonzero()[0], plain.any(axis=1).nonzero()[0].min()
    rows, where = extra.nonzero()
    assert len(rows) > 5
    assert rows.min() < above
    assert columns.min() - 2 <= where.min() <= where.max() < columns.min() + 30


def test_a_short_text_has_the_largest_size_and_a_long_one_as_much_as_fits() -> None:
    short = fit("The fox slept.", fonts().regular, 500, 120, SIZES, "here")
    long = fit(LONGEST_STORY, fonts().regular, 500, 120, SIZES, "here")
    assert short.size_pt == 21
    assert 12 <= long.size_pt < 21
    assert long.width <= 500
    assert long.height <= 120
    half_a_point_more = TextSizes(largest_pt=long.size_pt + 0.5, smallest_pt=long.size_pt + 0.5)
    with pytest.raises(TextDoesNotFit):
        fit(LONGEST_STORY, fonts().regular, 500, 120, half_a_point_more, "here")


@given(
    words=st.lists(st.text("abcäệ–-", min_size=1, max_size=9), min_size=1, max_size=40),
    width=st.floats(120, 500),
    height=st.floats(30, 300),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_set_lies_in_its_box_whole_and_in_order(
    words: list[str], width: float, height: float
) -> None:
    text = " ".join(words)
    try:
        made = fit(text, fonts().regular, width, height, SIZES, "here")
    except TextDoesNotFit:
        return
    assert made.width <= width + 1e-6
    assert made.height <= height + 1e-6
    assert "".join(line.text for line in made.lines).replace(" ", "") == "".join(words)
    for line in made.lines:
        # Between parts of a line nothing is kerned, since breaking came first.
        assert line.width == pytest.approx(fonts().regular.width(line.text, "here"), abs=0.05)


def test_lines_are_about_equally_long() -> None:
    made = fit(LONGEST_STORY, fonts().regular, 500, 200, SIZES, "here")
    assert len(made.lines) > 2
    assert min(line.width for line in made.lines) > 0.7 * max(line.width for line in made.lines)


def test_a_name_isnt_broken_at_its_hyphen_and_newlines_are_kept() -> None:
    made = fit("For\nAnna-Maria-Magdalena–and Bo", fonts().regular, 150, 400, SIZES, "here")
    assert made.lines[0].text == "For"
    assert "Anna-Maria-Magdalena–" in [line.text for line in made.lines]
    assert made.leading == LEADING


@pytest.mark.parametrize("content", [None, b"", b"no font at all"])
def test_a_missing_font_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "Lost.ttf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FontMissing, match=r"Lost\.ttf"):
        load_fonts(FontFiles(bold=path))


def test_texts_are_checked_without_a_picture() -> None:
    def nothing() -> io.BytesIO:
        raise AssertionError("no picture is opened")

    whole = book()
    lost = replace(whole.pages[0].picture, open=nothing)
    whole = replace(
        whole,
        pages=tuple(replace(page, picture=lost) for page in whole.pages),
        cover=replace(whole.cover, picture=lost),
    )
    check_texts(whole, profile(), fonts())
    with pytest.raises(TextDoesNotFit, match="dedication"):
        check_texts(replace(whole, dedication="word " * 400), profile(), fonts())
    with pytest.raises(CharacterUnprintable, match="cover blurb"):
        check_texts(replace(whole, cover=replace(whole.cover, blurb="小")), profile(), fonts())
