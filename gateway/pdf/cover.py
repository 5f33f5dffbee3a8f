"""The cover: back, spine and front side by side, on one sheet.

Front and back are panels of the trimmed size; on boards they are larger by an overhang at the three
open sides. Beyond them the sheet has an edge: bleed that is trimmed, or paper that is folded in.
"""

from dataclasses import dataclass
from typing import BinaryIO

from gateway.pdf.canvas import Colour
from gateway.pdf.content import BookContent, Ink
from gateway.pdf.document import Document
from gateway.pdf.errors import CoverSizeUnknown, TextDoesNotFit
from gateway.pdf.fonts import FontSet
from gateway.pdf.geometry import PT, Rect, Sheet
from gateway.pdf.pictures import edge_colour
from gateway.pdf.typesetting import SetText, fit
from gateway.print_profiles import PrintProfile, SpineFormula, TextSizes

_TITLE = TextSizes(largest_pt=60, smallest_pt=12)
_TITLE_LEADING = 1.15
_BLURB = TextSizes(largest_pt=17, smallest_pt=10)
_SPINE_LARGEST_PT, _SPINE_SMALLEST_PT = 18.0, 7.0
_SPINE_MARGIN_IN = 0.0625
"""What spines drift by in binding."""


@dataclass(frozen=True)
class CoverLayout:
    """The parts of a cover's sheet, in points. bleed of the sheet is all of it."""

    sheet: Sheet
    back: Rect
    spine: Rect
    front: Rect


@dataclass(frozen=True)
class CoverTexts:
    """Every text of the cover, set; no spine's title where the spine is too narrow for it."""

    title: SetText
    blurb: SetText
    spine: SetText | None


def cover_layout(
    profile: PrintProfile, pages: int, size_in: tuple[float, float] | None = None
) -> CoverLayout:
    """Where the cover's parts lie, for an interior of so many pages.

    size_in is the vendor's word on width and height of the whole sheet, in inches; it goes before
    the profile's formula. Raises CoverSizeUnknown.
    """
    cover = profile.cover
    width = (profile.trim_width_in + cover.overhang_in) * PT
    height = (profile.trim_height_in + 2 * cover.overhang_in) * PT
    if size_in:
        edge = (size_in[1] * PT - height) / 2
        spine = size_in[0] * PT - 2 * (edge + width)
        if edge < 0 or spine < 0:
            raise CoverSizeUnknown(f"{profile.id}: the vendor's cover is too small for the book")
    elif isinstance(cover.spine, SpineFormula):
        edge = cover.edge_in * PT
        spine = (cover.spine.per_page_in * pages + cover.spine.boards_in) * PT
    else:
        raise CoverSizeUnknown(f"{profile.id}: the vendor has to say how large the cover is")
    media = Rect(0, 0, 2 * (edge + width) + spine, height + 2 * edge)
    trim = media.inset(edge)
    return CoverLayout(
        Sheet(media, trim, media, trim.inset(profile.safety_in * PT)),
        back=Rect(edge, edge, width, height),
        spine=Rect(edge + width, edge, spine, height),
        front=Rect(edge + width + spine, edge, width, height),
    )


def _back_circle(layout: CoverLayout, profile: PrintProfile) -> Rect:
    """The square around the back's round picture."""
    safe = layout.back.inset(profile.safety_in * PT)
    side = 0.38 * min(safe.width, safe.height)
    return Rect(safe.left + (safe.width - side) / 2, safe.top - side, side, side)


def _blurb_area(book: BookContent, layout: CoverLayout, profile: PrintProfile) -> Rect:
    """The back, but for its picture and its foot, where printers put their bar codes."""
    safe = layout.back.inset(profile.safety_in * PT)
    margin, foot = 0.08 * safe.width, safe.bottom + 0.2 * safe.height
    top = safe.top
    if book.cover.back_picture:
        top = _back_circle(layout, profile).bottom - 0.02 * safe.height
    return Rect(safe.left + margin, foot, safe.width - 2 * margin, top - foot)


def _front_square(layout: CoverLayout) -> Rect:
    """Where the front's picture lies: over the panel and the edge at its three open sides, and
    as far under the spine, where it is cut off."""
    edge = layout.front.bottom
    return layout.front.inset(-edge).covered_by(1, 1)


def _title_area(book: BookContent, layout: CoverLayout, profile: PrintProfile) -> Rect:
    safe = layout.front.inset(profile.safety_in * PT)
    return _front_square(layout).place(book.cover.title_box).within(safe)


def set_cover(
    book: BookContent, profile: PrintProfile, layout: CoverLayout, fonts: FontSet
) -> CoverTexts:
    """All texts in their places' sizes. Raises TextDoesNotFit and CharacterUnprintable."""
    back = _blurb_area(book, layout, profile)
    title = set_cover_title(book, _title_area(book, layout, profile), fonts)
    blurb = fit(book.cover.blurb, fonts.regular, back.width, back.height, _BLURB, "cover blurb")
    return CoverTexts(title, blurb, _spine_title(book, profile, layout, fonts))


def set_cover_title(book: BookContent, area: Rect, fonts: FontSet) -> SetText:
    """The title as large as its area allows. Raises TextDoesNotFit and CharacterUnprintable."""
    return fit(
        book.title, fonts.bold, area.width, area.height, _TITLE, "cover title", _TITLE_LEADING
    )


def _spine_title(
    book: BookContent, profile: PrintProfile, layout: CoverLayout, fonts: FontSet
) -> SetText | None:
    if layout.spine.width < profile.cover.spine_text_from_in * PT:
        return None
    across = layout.spine.width - 2 * _SPINE_MARGIN_IN * PT
    largest = max(_SPINE_SMALLEST_PT, min(_SPINE_LARGEST_PT, across / 1.28))
    sizes = TextSizes(largest_pt=largest, smallest_pt=_SPINE_SMALLEST_PT)
    along = layout.spine.height - 2 * profile.safety_in * PT
    line = " ".join(book.title.split())
    try:
        return fit(line, fonts.bold, along, across, sizes, "spine")
    except TextDoesNotFit:
        return None  # a book can do without; one that nobody can read is no title


def _legible_ink(ground: Colour) -> tuple[Colour, Ink]:
    """A ground for text near this colour, and the ink to go with it: at least 4.5:1 (WCAG 2)."""
    light = _luminance(ground)
    if light > 0.4:
        return ground, "dark"
    while 1.05 / (_luminance(ground) + 0.05) < 4.5:
        red, green, blue = (0.95 * part for part in ground)
        ground = red, green, blue
    return ground, "light"


def _luminance(colour: Colour) -> float:
    """Relative luminance as in WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def write_cover(
    book: BookContent,
    profile: PrintProfile,
    fonts: FontSet,
    out: BinaryIO,
    size_in: tuple[float, float] | None = None,
) -> None:
    """The cover for the printer, as one page; size_in as in ``cover_layout``.

    The back and the spine have the colour of the picture's edge. Raises PdfError, and
    PageCountOutOfRange.
    """
    layout = cover_layout(profile, profile.pages_for(len(book.pages)), size_in)
    texts = set_cover(book, profile, layout, fonts)
    ground, ink = _legible_ink(edge_colour(book.cover.picture))
    document = Document(out, profile.image_encoding)
    picture = document.embed(book.cover.picture)
    detail = document.embed(book.cover.back_picture) if book.cover.back_picture else None
    media, front = layout.sheet.media, layout.front
    with document.page(layout.sheet) as canvas:
        canvas.fill(media, ground)  # under the picture too, so that no hairline shows between
        canvas.picture(
            picture,
            _front_square(layout),
            Rect(front.left, 0, media.width - front.left, media.height),
        )
        canvas.text(texts.title, _title_area(book, layout, profile), book.cover.title_box.ink)
        canvas.text(texts.blurb, _blurb_area(book, layout, profile), ink)
        if detail:
            canvas.vignette(detail, _back_circle(layout, profile))
        if texts.spine:
            canvas.text(texts.spine, layout.spine, ink, turn="downwards")
    document.finish(book, "SinglePage")
