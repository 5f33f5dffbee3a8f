"""The customer's copy: the book as it looks when it is trimmed, for a screen."""

from typing import BinaryIO

from gateway.pdf.content import BookContent
from gateway.pdf.cover import set_cover_title
from gateway.pdf.document import Document
from gateway.pdf.fonts import FontSet
from gateway.pdf.geometry import Rect, Sheet, screen_sheet
from gateway.pdf.interior import (
    draw_imprint_page,
    draw_story_page,
    draw_title_page,
    set_interior,
)
from gateway.pdf.pictures import Screen
from gateway.pdf.typesetting import text_lines
from gateway.print_profiles import PrintProfile

_SCREEN = Screen(quality=85, longest_px=1200)


def _title_area(book: BookContent, sheet: Sheet) -> Rect:
    return sheet.bleed.covered_by(1, 1).place(book.cover.title_box).within(sheet.safe)


def check_texts(book: BookContent, profile: PrintProfile, fonts: FontSet) -> None:
    """Whether the book can be set at all; to be asked before it is paid, no picture is opened.

    Raises TextDoesNotFit and CharacterUnprintable.
    """
    sheet = screen_sheet(profile)
    set_cover_title(book, _title_area(book, sheet), fonts)
    set_interior(book, profile, sheet, fonts)
    for line in text_lines(book.cover.blurb):
        fonts.regular.shape(line, "cover blurb")


def write_customer_copy(
    book: BookContent, profile: PrintProfile, fonts: FontSet, out: BinaryIO
) -> int:
    """Front cover, title page, story, imprint; returns the number of pages.

    Memory is bounded by one picture. ``out`` need not be seekable; what is in it after an error is
    no PDF. Raises PdfError.
    """
    sheet = screen_sheet(profile)
    area = _title_area(book, sheet)
    title = set_cover_title(book, area, fonts)
    texts = set_interior(book, profile, sheet, fonts)
    document = Document(out, _SCREEN)
    front = document.embed(book.cover.picture)
    with document.page(sheet) as canvas:
        canvas.picture(front, sheet.bleed, clip=sheet.media)
        canvas.text(title, area, book.cover.title_box.ink)
    draw_title_page(document, sheet, book, texts)
    for page, text in zip(book.pages, texts.story, strict=True):
        draw_story_page(document, sheet, page, text)
    draw_imprint_page(document, sheet, texts)
    document.finish(book, "SinglePage")
    return document.page_count
