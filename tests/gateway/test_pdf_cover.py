"""The cover: its parts' places, its size, its texts; by formula and by the vendor's word."""

import io
from dataclasses import replace

import numpy as np
import pikepdf
import pytest

from gateway.pdf import (
    BookContent,
    CoverSizeUnknown,
    TextDoesNotFit,
    check_texts,
    cover_layout,
)
from gateway.pdf.pictures import srgb_profile
from gateway.print_profiles import PageCountOutOfRange
from tests.gateway.pdf_book import (
    BOX,
    NAME,
    book,
    cover,
    fonts,
    picture,
    png,
    profile,
    rendered,
    text_of,
)

TITLE = f"{NAME} and the Moonlit Fox"


def coloured(colour: tuple[int, int, int], **changes: object) -> BookContent:
    whole = book(35)
    front = replace(whole.cover, picture=picture(png(colour)))
    return replace(whole, cover=replace(front, **changes))  # type: ignore[arg-type]  # any field


def test_a_spread_is_back_spine_and_front_with_bleed_around() -> None:
    layout = cover_layout(profile("square_10"), 38)
    spine = (38 * 0.0045 + 0.03) * 72
    assert layout.sheet.media.width == pytest.approx(2 * 720 + 18 + spine)
    assert layout.sheet.media.height == pytest.approx(738)
    assert layout.sheet.trim.array() == layout.sheet.media.inset(9).array()
    assert (layout.back.left, layout.back.width) == (9, 720)
    assert layout.spine.left == 729
    assert layout.spine.width == pytest.approx(spine)
    assert layout.front.left == pytest.approx(729 + spine)
    assert layout.front.right == pytest.approx(layout.sheet.media.width - 9)


def test_a_hardcovers_boards_are_larger_than_its_pages_and_paper_goes_around_them() -> None:
    layout = cover_layout(profile("square_10_hardcover"), 40)
    assert layout.sheet.media.height == pytest.approx((10 + 2 * 0.125 + 2 * 0.75) * 72)
    assert layout.front.width == layout.back.width == pytest.approx(10.125 * 72)
    assert layout.spine.width == pytest.approx((40 * 0.0045 + 0.2) * 72)
    assert layout.back.left == pytest.approx(0.75 * 72)


def test_the_vendors_word_goes_before_everything() -> None:
    layout = cover_layout(profile("lulu_8_5"), 38, (17.36, 8.75))
    assert layout.spine.width == pytest.approx(0.11 * 72)
    assert layout.sheet.media.width == pytest.approx(17.36 * 72)
    wide = cover_layout(profile("square_10"), 38, (21, 10.25))
    assert wide.spine.width == pytest.approx(0.75 * 72)


@pytest.mark.parametrize("size_in", [None, (17.0, 8.75), (20.0, 8.0)])
def test_a_size_that_is_unknown_or_too_small_is_refused(
    size_in: tuple[float, float] | None,
) -> None:
    with pytest.raises(CoverSizeUnknown):
        cover_layout(profile("lulu_8_5"), 38, size_in)


def test_the_file_is_one_sound_page_with_its_boxes() -> None:
    document = pikepdf.open(io.BytesIO(cover(book(35), profile("lulu_8_5"), (17.5, 8.75))))
    assert document.check_pdf_syntax() == []
    assert len(document.pages) == 1
    page = document.pages[0]
    boxes = [[float(side) for side in pikepdf.Array(box)] for box in (page.MediaBox, page.TrimBox)]
    assert boxes == [[0, 0, 1260, 630], [9, 9, 1251, 621]]
    assert page.BleedBox == page.MediaBox
    assert str(document.docinfo.Title) == TITLE
    intent = pikepdf.Array(document.Root.OutputIntents)[0]
    assert intent.DestOutputProfile.read_bytes() == srgb_profile()


def test_the_ground_lies_under_the_picture_so_that_no_hairline_shows_between() -> None:
    document = pikepdf.open(io.BytesIO(cover(book(35), profile("lulu_8_5"), (17.5, 8.75))))
    lines = []
    for step in pikepdf.parse_content_stream(document.pages[0]):
        lines += [[float(side) for side in step.operands]] if str(step.operator) in "ml" else []
        if str(step.operator) == "f":
            break
    xs, ys = zip(*lines, strict=True)
    assert (min(xs), max(xs), min(ys), max(ys)) == (0, 1260, 0, 630)


@pytest.mark.parametrize(
    ("spine_in", "text"),
    [(0.2, f"{TITLE} What the fox saw."), (0.5, f"{TITLE} What the fox saw. {TITLE}")],
)
def test_a_spine_has_the_title_if_it_is_wide_enough(spine_in: float, text: str) -> None:
    pdf = cover(book(35), profile("square_10"), (20.25 + spine_in, 10.25))
    assert text_of(pdf, 0) == text


def test_a_title_that_no_spine_can_take_is_left_out_there() -> None:
    long = " ".join(["moon"] * 60)
    pdf = cover(book(35, title=long), profile("square_10"), (20.5, 10.25))
    assert text_of(pdf, 0).count("moon") == 60


def test_the_spines_title_reads_downwards_inside_the_spine() -> None:
    whole = coloured((10, 20, 60), blurb="")
    wide = cover(whole, profile("square_10"), (20.25 + 0.5, 10.25))
    page = rendered(wide, 0, 72).astype(int)
    spine = page[:, 729 : 729 + 36].min(axis=2) > 150
    rows, columns = spine.nonzero()
    assert 4 <= columns.min() < columns.max() <= 32
    assert 45 <= rows.min() < rows.max() <= 738 - 45
    assert rows.max() - rows.min() > 10 * (columns.max() - columns.min())


@pytest.mark.parametrize(
    ("colour", "ink"),
    [((10, 20, 60), 255), ((250, 240, 220), 0), ((90, 140, 150), 255), ((230, 120, 60), 255)],
)
def test_back_and_spine_go_with_the_picture_and_their_text_can_be_read(
    colour: tuple[int, int, int], ink: int
) -> None:
    page = rendered(cover(coloured(colour), profile("square_10")), 0, 72)
    ground = page[700, 100] / 255
    back = page[50:690, 50:690].reshape(-1, 3)
    assert (np.abs(back.astype(int) - ink).max(axis=1) < 12).sum() > 50
    linear = np.where(ground <= 0.04045, ground / 12.92, ((ground + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    lighter, darker = max(luminance, ink / 255), min(luminance, ink / 255)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_the_front_is_the_picture_up_to_the_edge_and_not_on_the_spine() -> None:
    whole = coloured((230, 120, 60), blurb="")
    page = rendered(cover(whole, profile("square_10")), 0, 72).astype(int)
    layout = cover_layout(profile("square_10"), 38)
    front = round(layout.front.left)
    for row, column in ((1, front + 3), (736, front + 3), (700, page.shape[1] - 3)):
        assert np.abs(page[row, column] - (230, 120, 60)).max() <= 2
    assert np.abs(page[700, front - 3] - (230, 120, 60)).max() > 20


def test_the_foot_of_the_back_stays_free_for_a_bar_code() -> None:
    whole = coloured((250, 240, 220), blurb="A word about foxes. " * 40)
    page = rendered(cover(whole, profile("square_10")), 0, 72)
    foot = page[738 - 9 - 130 :, : 9 + 720]
    assert (foot == foot[-1, 0]).all()
    assert (page[: -9 - 130, : 9 + 720].max(axis=2) < 80).any()


def test_the_backs_picture_is_a_circle_above_the_text() -> None:
    whole = coloured((250, 240, 220), back_picture=picture(png((200, 0, 0))))
    page = rendered(cover(whole, profile("square_10")), 0, 72).astype(int)
    red = (np.abs(page - (200, 0, 0)).max(axis=2) < 10)[:, :729]
    rows, columns = red.nonzero()
    across, down = np.ptp(columns) + 1, np.ptp(rows) + 1
    assert abs(across - down) <= 2
    assert red.sum() == pytest.approx(np.pi / 4 * across * down, rel=0.02)
    texts = page[rows.max() + 3 :, :729].max(axis=2) < 80
    assert texts.any()


def test_what_doesnt_fit_is_refused_by_its_place() -> None:
    with pytest.raises(TextDoesNotFit, match="cover blurb"):
        cover(coloured((0, 0, 0), blurb="word " * 900), profile("square_10"))
    narrow = replace(BOX, width=100, height=40)
    with pytest.raises(TextDoesNotFit, match="cover title"):
        cover(coloured((0, 0, 0), title_box=narrow), profile("square_10"))


def test_a_book_that_the_printer_doesnt_take_has_no_cover() -> None:
    with pytest.raises(PageCountOutOfRange):
        cover(book(12), profile("square_10"))


def test_the_same_book_gives_the_same_cover() -> None:
    assert cover(book(35), profile("square_10")) == cover(book(35), profile("square_10"))
    check_texts(book(35), profile("square_10"), fonts())
