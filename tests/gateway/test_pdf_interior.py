"""The interior and the customer's copy, read by two other PDF libraries."""

import io
import re
from dataclasses import replace

import numpy as np
import pikepdf
import pytest
from PIL import Image

from gateway.pdf import PageContent, Picture, TextBox, TextDoesNotFit, write_interior
from gateway.pdf.pictures import srgb_profile
from gateway.print_profiles import PageCountOutOfRange
from tests.gateway.pdf_book import (
    BOX,
    LONGEST_STORY,
    NAME,
    OnlyForward,
    book,
    customer_copy,
    fonts,
    interior,
    picture,
    png,
    profile,
    rendered,
    text_of,
)


def opened(data: bytes) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(data))


def floats(box: pikepdf.Object) -> list[float]:
    return [float(side) for side in pikepdf.Array(box)]


def test_the_file_is_sound() -> None:
    assert opened(interior(book(), profile())).check_pdf_syntax() == []


@pytest.mark.parametrize(
    ("name", "story", "pages"),
    [("square_10", 35, 38), ("square_8_5", 35, 40), ("lulu_8_5", 30, 32)],
)
def test_title_imprint_story_and_blank_pages_come_in_this_order(
    name: str, story: int, pages: int
) -> None:
    pdf = interior(book(story), profile(name))
    texts = [text_of(pdf, number) for number in range(pages)]
    assert len(opened(pdf).pages) == pages
    assert texts[0] == f"{NAME} and the Moonlit Fox For you"
    assert texts[1] == "Printed for one child."
    assert texts[2 : 2 + story] == [
        f"This is story {number} of {NAME}." for number in range(1, story + 1)
    ]
    assert texts[2 + story :] == [""] * (pages - story - 2)


def test_it_says_how_many_pages_it_has() -> None:
    assert write_interior(book(35), profile("square_8_5"), fonts(), io.BytesIO()) == 40


def test_a_book_without_dedication_has_none() -> None:
    pdf = interior(book(dedication="  "), profile())
    assert text_of(pdf, 0) == f"{NAME} and the Moonlit Fox"


def test_every_page_tells_where_it_is_cut() -> None:
    pages = opened(interior(book(), profile("lulu_8_5", min_pages=24))).pages
    for page in pages:
        assert floats(page.MediaBox) == floats(page.BleedBox) == [0, 0, 630, 630]
        assert floats(page.TrimBox) == [9, 9, 621, 621]


def test_a_picture_reaches_the_end_of_the_bleed_and_its_text_stays_in_the_box() -> None:
    pages = [PageContent(picture(png((200, 220, 240))), LONGEST_STORY, BOX)] * 23
    page = rendered(interior(book(pages=tuple(pages)), profile()), 2).astype(int)
    assert page.shape == (369, 369, 3)
    written = np.abs(page - (200, 220, 240)).max(axis=2) > 60
    rows, columns = np.nonzero(written)
    scale = 369 / 1024
    assert len(rows) > 500
    assert BOX.top * scale <= rows.min() < rows.max() <= (BOX.top + BOX.height) * scale + 1
    assert BOX.left * scale <= columns.min() < columns.max() <= (BOX.left + BOX.width) * scale + 1
    plain = np.ones_like(written)
    plain[rows.min() - 3 : rows.max() + 4, columns.min() - 3 : columns.max() + 4] = False
    assert (np.abs(page - (200, 220, 240)).max(axis=2)[plain] <= 1).all()


def test_a_box_that_reaches_too_far_is_cut_at_the_safety_margin() -> None:
    pages = list(book().pages)
    pages[0] = PageContent(picture(png((200, 220, 240))), "The fox slept.", TextBox(0, 0, 250, 125))
    page = rendered(interior(book(pages=tuple(pages)), profile()), 2, 72).astype(int)
    rows, columns = np.nonzero(page.max(axis=2) < 120)
    assert rows.min() >= 45  # bleed and safety, pt
    assert columns.min() >= 45


def test_light_ink_is_bare_paper_and_a_panel_makes_it_dark() -> None:
    night = picture(png((10, 20, 60)))
    box = replace(BOX, ink="light")
    pages = [PageContent(night, LONGEST_STORY, box)]
    pages += [PageContent(night, LONGEST_STORY, replace(box, panel=True))] * 22
    pdf = interior(book(pages=tuple(pages)), profile())
    bare, panel = rendered(pdf, 2, 72), rendered(pdf, 3, 72)
    assert bare.max() == 255
    middle = panel[100:150, 200:500].reshape(-1, 3)
    paper = np.median(middle, axis=0)
    assert (paper > 230).all()
    assert middle.min() < 40


def test_a_story_on_an_enlarged_picture_stands_in_the_same_place() -> None:
    whole = book()
    enlarged = picture(png((200, 220, 240), (96, 96)))
    pages = tuple(replace(page, picture=enlarged) for page in whole.pages)
    cover = replace(whole.cover, picture=enlarged)
    small = interior(whole, profile())
    large = interior(book(pages=pages, cover=cover), profile())
    documents = [opened(small), opened(large)]
    contents = [document.pages[2].Contents.read_bytes() for document in documents]
    where = [re.findall(rb"[\d. ]+ Tm", content) for content in contents]
    assert where[0] == where[1] != []


def test_pictures_are_srgb_and_opaque_and_nothing_is_transparent() -> None:
    document = opened(interior(book(), profile()))
    images = [thing for thing in document.objects if isinstance(thing, pikepdf.Stream)]
    images = [thing for thing in images if thing.get("/Subtype") == "/Image"]
    assert len(images) == 23  # the title page's picture is the first page's
    for image in images:
        kind, colours = pikepdf.Array(image.ColorSpace)
        assert str(kind) == "/ICCBased"
        assert colours.read_bytes() == srgb_profile()
    for thing in document.objects:
        if isinstance(thing, pikepdf.Dictionary | pikepdf.Stream):
            assert not {"/SMask", "/Mask", "/ExtGState", "/Group"} & set(thing.keys())


def test_the_output_intent_and_the_metadata_are_told() -> None:
    document = opened(interior(book(), profile()))
    intent = pikepdf.Array(document.Root.OutputIntents)[0]
    assert str(intent.OutputConditionIdentifier) == "sRGB"
    assert intent.DestOutputProfile.read_bytes() == srgb_profile()
    assert str(document.docinfo.Title) == f"{NAME} and the Moonlit Fox"
    assert str(document.docinfo.Author) == "The Painter"
    assert str(document.docinfo.CreationDate) == "D:20260203040506Z"
    assert str(document.Root.Lang) == "en"
    assert document.Root.PageLayout == "/TwoPageRight"


def test_the_same_book_gives_the_same_bytes_and_another_one_another_id() -> None:
    first = interior(book(), profile())
    assert first == interior(book(), profile())
    pages = book().pages
    other = replace(pages[4], picture=picture(png((1, 2, 3))))
    second = interior(book(pages=(*pages[:4], other, *pages[5:])), profile())
    assert opened(first).trailer.ID != opened(second).trailer.ID


def test_it_reads_and_writes_forward_only() -> None:
    def forward(number: int) -> Picture:
        return Picture("a picture", lambda: OnlyForward(png((200, 220, number))))

    whole = book()
    pages = tuple(replace(page, picture=forward(number)) for number, page in enumerate(whole.pages))
    plain = tuple(
        replace(page, picture=picture(png((200, 220, number))))
        for number, page in enumerate(whole.pages)
    )
    out = OnlyForward()
    write_interior(replace(whole, pages=pages), profile(), fonts(), out)
    assert bytes(out.written) == interior(replace(whole, pages=plain), profile())


def test_a_text_that_fits_nowhere_is_refused_before_anything_is_written() -> None:
    pages = list(book().pages)
    pages[6] = replace(pages[6], text=LONGEST_STORY * 4)
    out = io.BytesIO()
    with pytest.raises(TextDoesNotFit, match="page 7") as refused:
        write_interior(book(pages=tuple(pages)), profile(), fonts(), out)
    assert out.getvalue() == b""
    assert "balloon" not in str(refused.value)


def test_a_book_that_the_printer_doesnt_take_isnt_written() -> None:
    with pytest.raises(PageCountOutOfRange):
        interior(book(12), profile())


def test_the_customers_copy_is_trimmed_small_and_has_the_cover_in_front() -> None:
    large = picture(png((200, 220, 240), (1600, 1600)))
    whole = book(3)
    whole = book(pages=(*whole.pages, replace(whole.pages[0], picture=large)))
    pdf = customer_copy(whole, profile())
    document = opened(pdf)
    assert document.check_pdf_syntax() == []
    assert [text_of(pdf, number) for number in (0, 1, 2, 6)] == [
        f"{NAME} and the Moonlit Fox",
        f"{NAME} and the Moonlit Fox For you",
        f"This is story 1 of {NAME}.",
        "Printed for one child.",
    ]
    assert len(document.pages) == 7
    for page in document.pages:
        assert floats(page.MediaBox) == floats(page.TrimBox) == [0, 0, 720, 720]
    image = next(iter(document.pages[5].get_images().values()))
    assert str(image.Filter) == "/DCTDecode"
    assert (int(image.Width), int(image.Height)) == (1200, 1200)


def test_the_customers_copy_shows_no_bleed() -> None:
    """The outer eightieth of the picture is cut away, as the printer's knife does."""
    pixels = np.full((1024, 1024, 3), (200, 220, 240), np.uint8)
    pixels[:10], pixels[-10:], pixels[:, :10], pixels[:, -10:] = (255, 0, 0), 0, 0, 0
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    framed = replace(book().pages[0], picture=picture(out.getvalue()), text="x")
    page = rendered(customer_copy(book(pages=(framed,)), profile()), 2, 72).astype(int)
    frame = np.concatenate([page[0], page[-1], page[:, 0], page[:, -1]])
    assert np.abs(frame - (200, 220, 240)).max() < 40
    print_page = rendered(interior(book(pages=(framed,) * 23), profile()), 2, 72).astype(int)
    assert np.abs(print_page[2, 300] - (255, 0, 0)).max() < 10
