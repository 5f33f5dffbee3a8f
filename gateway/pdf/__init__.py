"""The printed book's PDFs: interior, cover and the customer's copy. Pure but for the files given.

A book's content (``content``) and a print profile go in; a PDF goes to a binary file, page by page.
"""

from gateway.pdf.content import BookContent, CoverContent, PageContent, Picture, TextBox
from gateway.pdf.cover import cover_layout, write_cover
from gateway.pdf.customer import check_texts, write_customer_copy
from gateway.pdf.errors import (
    CharacterUnprintable,
    CoverSizeUnknown,
    FontMissing,
    PdfError,
    PictureUnreadable,
    TextDoesNotFit,
)
from gateway.pdf.fonts import FontFiles, FontSet, load_fonts
from gateway.pdf.interior import write_interior

__all__ = [
    "BookContent",
    "CharacterUnprintable",
    "CoverContent",
    "CoverSizeUnknown",
    "FontFiles",
    "FontMissing",
    "FontSet",
    "PageContent",
    "PdfError",
    "Picture",
    "PictureUnreadable",
    "TextBox",
    "TextDoesNotFit",
    "check_texts",
    "cover_layout",
    "load_fonts",
    "write_cover",
    "write_customer_copy",
    "write_interior",
]
