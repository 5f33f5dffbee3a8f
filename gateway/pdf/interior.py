"""The pages between the covers: title, imprint on its back, the story, blank pages at the end.

The title page is the first right-hand page and the imprint its back, so that the story begins on a
right-hand page. Blank pages that a printer's multiple asks for come last, where binderies
expect them.
"""

from dataclasses import dataclass
from typing import BinaryIO

from gateway.pdf.canvas import PAPER, Canvas
from gateway.pdf.content import BookContent, PageContent, TextBox
from gateway.pdf.document import Document
from gateway.pdf.fonts import FontSet
from gateway.pdf.geometry import Rect, Sheet, print_sheet
from gateway.pdf.typesetting import SetText, fit
from gateway.print_profiles import PrintProfile, TextSizes

_TITLE = TextSizes(largest_pt=44, smallest_pt=12)
_TITLE_LEADING = 1.2
_DEDICATION = TextSizes(largest_pt=16, smallest_pt=9)
_IMPRINT = TextSizes(largest_pt=9.5, smallest_pt=7)
_PANEL_ROUND = 0.4  # of a line's height


@dataclass(frozen=True)
class InteriorTexts:
    """Every text of the interior, set: what may fail fails before a picture is touched."""

    title: SetText
    dedication: SetText | None
    imprint: SetText
    story: tuple[SetText, ...]


def _title_area(sheet: Sheet) -> Rect:
    safe = sheet.safe
    return Rect(safe.left, safe.bottom + 0.74 * safe.height, safe.width, 0.26 * safe.height)


def _vignette_area(sheet: Sheet) -> Rect:
    safe = sheet.safe
    side = 0.54 * min(safe.width, safe.height)
    return Rect(safe.left + (safe.width - side) / 2, safe.bottom + 0.18 * safe.height, side, side)


def _dedication_area(sheet: Sheet) -> Rect:
    safe = sheet.safe
    return Rect(safe.left + 0.05 * safe.width, safe.bottom, 0.9 * safe.width, 0.17 * safe.height)


def _imprint_area(sheet: Sheet) -> Rect:
    safe = sheet.safe
    return Rect(safe.left + 0.15 * safe.width, safe.bottom, 0.7 * safe.width, 0.3 * safe.height)


def _story_area(sheet: Sheet, page: PageContent) -> Rect:
    square = sheet.bleed.covered_by(1, 1)
    return square.place(page.box).within(sheet.safe)


def set_interior(
    book: BookContent, profile: PrintProfile, sheet: Sheet, fonts: FontSet
) -> InteriorTexts:
    """All texts in their places' sizes. Raises TextDoesNotFit and CharacterUnprintable."""

    def into(area: Rect, text: str, sizes: TextSizes, where: str) -> SetText:
        return fit(text, fonts.regular, area.width, area.height, sizes, where)

    area = _title_area(sheet)
    title = fit(
        book.title, fonts.bold, area.width, area.height, _TITLE, "title page", _TITLE_LEADING
    )
    dedication = (
        into(_dedication_area(sheet), book.dedication, _DEDICATION, "dedication")
        if book.dedication.strip()
        else None
    )
    imprint = into(_imprint_area(sheet), book.imprint, _IMPRINT, "imprint")
    story = tuple(
        into(_story_area(sheet, page), page.text, profile.story_text, f"page {number}")
        for number, page in enumerate(book.pages, start=1)
    )
    return InteriorTexts(title, dedication, imprint, story)


def draw_title_page(
    document: Document, sheet: Sheet, book: BookContent, texts: InteriorTexts
) -> None:
    """The title, a round detail of the cover's picture, and the dedication."""
    vignette = document.embed(book.cover.picture)
    with document.page(sheet) as canvas:
        canvas.text(texts.title, _title_area(sheet), "dark")
        canvas.vignette(vignette, _vignette_area(sheet))
        if texts.dedication:
            canvas.text(texts.dedication, _dedication_area(sheet), "dark")


def draw_imprint_page(document: Document, sheet: Sheet, texts: InteriorTexts) -> None:
    """The imprint at the foot of an empty page."""
    area = _imprint_area(sheet)
    with document.page(sheet) as canvas:
        foot = Rect(area.left, area.bottom, area.width, texts.imprint.height)
        canvas.text(texts.imprint, foot, "dark")


def draw_story_page(document: Document, sheet: Sheet, page: PageContent, text: SetText) -> None:
    """The picture up to the end of the bleed, and the story on it."""
    embedded = document.embed(page.picture)
    with document.page(sheet) as canvas:
        canvas.picture(embedded, sheet.bleed)
        _draw_boxed_text(canvas, text, _story_area(sheet, page), page.box)


def _draw_boxed_text(canvas: Canvas, text: SetText, area: Rect, box: TextBox) -> None:
    """A story in its box, on a panel if the box has one."""
    ink = box.ink
    if box.panel:
        margin = _PANEL_ROUND * text.size_pt * text.leading
        panel = area.centred(text.width, text.height).inset(-margin)
        canvas.fill(panel, PAPER, radius=margin)
        ink = "dark"
    canvas.text(text, area, ink)


def write_interior(book: BookContent, profile: PrintProfile, fonts: FontSet, out: BinaryIO) -> int:
    """The interior for the printer; returns its number of pages.

    Memory is bounded by one picture. ``out`` need not be seekable; what is in it after an error is
    no PDF. Raises PdfError, and PageCountOutOfRange.
    """
    pages = profile.pages_for(len(book.pages))
    sheet = print_sheet(profile)
    texts = set_interior(book, profile, sheet, fonts)
    document = Document(out, profile.image_encoding)
    draw_title_page(document, sheet, book, texts)
    draw_imprint_page(document, sheet, texts)
    for page, text in zip(book.pages, texts.story, strict=True):
        draw_story_page(document, sheet, page, text)
    while document.page_count < pages:
        with document.page(sheet):
            pass
    document.finish(book, "TwoPageRight")
    return pages
