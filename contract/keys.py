"""The layout of the object store. Nothing else builds a key.

photos/{photo_id}/original.jpg                   the parent's photo, pixels rebuilt
pulid_emb/{photo_id}.safetensors                 the identity embedding made from that photo
templates/{book_id}/page_NN/{asset}.png          background, character, person_mask
pages/{owner_id}/page_NN.png                     a rendered page of a preview or an order
pages/{owner_id}/page_NN.take_2.png              the same page rendered again on request
pages/{owner_id}/print/page_NN.take_1.{width}x{height}.png   that page, enlarged for a print profile
previews/{preview_id}/page_NN.take_1.jpg         what a parent sees: watermarked
previews/{preview_id}/clean/page_NN.take_1.jpg   the same once the book is paid: without a mark
books/{order_id}/full_book.pdf                   the book's pages, as they are printed
books/{order_id}/cover.pdf                       its cover, as it is printed
books/{order_id}/screen_book.pdf                 what a parent downloads
raw/{job_id}/{file}                              what a raw workflow saved, unless it says where
"""

import re
from typing import Literal

from contract.types import validate_object_key

TemplateAsset = Literal["background", "character", "person_mask"]
TEMPLATE_ASSETS: tuple[TemplateAsset, ...] = ("background", "character", "person_mask")
BookPart = Literal["full_book", "cover", "screen_book"]
BOOK_PARTS: tuple[BookPart, ...] = ("full_book", "cover", "screen_book")


def _page(page_number: int) -> str:
    if page_number < 0:
        raise ValueError("a page number is 0 or more")
    return f"page_{page_number:02d}"


def photo_key(photo_id: str) -> str:
    """Where a parent's photo lies."""
    return validate_object_key(f"photos/{photo_id}/original.jpg")


def embedding_key(photo_id: str) -> str:
    """Where the identity embedding of a photo lies. Personal data: it goes when the photo goes."""
    name = validate_object_key(photo_id)  # by itself: here an empty id would leave no empty segment
    return validate_object_key(f"pulid_emb/{name}.safetensors")


def template_key(book_id: str, page_number: int, asset: TemplateAsset) -> str:
    """Where a page's template art lies."""
    return validate_object_key(f"templates/{book_id}/{_page(page_number)}/{asset}.png")


def page_key(owner_id: str, page_number: int, take: int = 1) -> str:
    """Where a rendered page lies; ``take`` counts renderings asked for on purpose, from 1.

    A technical retry keeps the take, and so the key.
    """
    if take < 1:
        raise ValueError("a take is 1 or more")
    suffix = "" if take == 1 else f".take_{take}"
    return validate_object_key(f"pages/{owner_id}/{_page(page_number)}{suffix}.png")


def preview_image_key(preview_id: str, page_number: int, take: int = 1) -> str:
    """Where the watermarked picture of a page lies."""
    return validate_object_key(f"previews/{preview_id}/{_page(page_number)}.take_{take}.jpg")


def clean_image_key(preview_id: str, page_number: int, take: int = 1) -> str:
    """Where the picture of a paid book's page lies: as a parent sees it, without a mark."""
    return validate_object_key(f"previews/{preview_id}/clean/{_page(page_number)}.take_{take}.jpg")


def print_page_key(owner_id: str, page_number: int, take: int, width: int, height: int) -> str:
    """Where a take of a page lies, enlarged to ``width`` by ``height`` pixels."""
    return validate_object_key(
        f"pages/{owner_id}/print/{_page(page_number)}.take_{take}.{width}x{height}.png"
    )


def book_key(order_id: str, part: BookPart = "full_book") -> str:
    """Where a part of the assembled book lies."""
    return validate_object_key(f"books/{order_id}/{part}.pdf")


def raw_output_key(prefix: str, file: str) -> str:
    """Where a file that a raw workflow saved lies: below ``prefix``, or ``raw/{job_id}``.

    A file's name may hold what a key may not, such as a space: that becomes an underscore.
    """
    return validate_object_key(f"{prefix}/{re.sub(r'[^A-Za-z0-9._/-]', '_', file)}")
