"""A preview as the shop shows it, from the records."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from books.model import Book, Price
from books.model import Page as BookPage
from contract.status import JobStatus, PageStatus
from gateway.catalogue import STYLES
from gateway.looks import Rendering
from gateway.money import WHOLE_CURRENCIES
from gateway.records import Job, Page, Preview
from gateway.schema import BookSummary, LockedPage, PreviewDocument, Purchase, ShownPage
from gateway.takes import shown_pages
from gateway.unlocked import Picture, picture_of

DRAFT_LABEL = (
    "Draft look: painted by a simplified process to show the idea. The printed book is rendered "
    "in full quality."
)

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}


def preview_document(
    preview: Preview,
    job: Job,
    pages: Sequence[Page],
    book: Book,
    *,
    in_book: Mapping[int, int],
    link: Callable[[str], str],
    pdf_url: str | None,
    now: datetime,
) -> PreviewDocument:
    """Return the document of a preview.

    ``job`` is the job of the preview itself; ``pages`` are all takes, ``in_book`` which of them
    are in a book that is paid; ``link`` turns an object key into an expiring URL. An expired
    preview has no pictures.
    """
    expired = preview.expires_at <= now
    pictures = {
        page.page_number: None if expired else picture_of(page.page_number, pages, in_book)
        for page in book.pages
    }
    unlocked = {n for n, picture in pictures.items() if picture and not picture.is_watermarked}
    open_pages = [
        page.page_number
        for page in book.pages
        if page.page_number in book.preview_pages or page.page_number in unlocked
    ]
    shown = shown_pages(pages)
    visible = [_shown_page(book, preview, n, shown.get(n), pictures[n], link) for n in open_pages]
    locked = [
        _locked_page(page, preview) for page in book.pages if page.page_number not in open_pages
    ]
    covers = [page.image_url for page in visible if page.is_cover]
    status = _status(job, visible, expired)
    draft = Rendering.model_validate(job.rendering).is_draft
    return PreviewDocument(
        preview_id=preview.preview_id,
        job_id=job.job_id,
        status=status,
        generation_phase=job.current_step if status == "generating" else status,
        story_title=book.title_for(preview.child_name),
        child_name=preview.child_name,
        book_id=book.id,
        theme=book.id,
        style=preview.style,
        cover_url=covers[0] if covers else "",
        preview_pages=visible,
        locked_pages=locked,
        total_pages=len(book.pages),
        preview_pages_count=len(visible),
        locked_pages_count=len(locked),
        created_at=preview.created_at,
        expires_at=preview.expires_at,
        days_remaining=max(0, math.ceil((preview.expires_at - now).total_seconds() / 86_400)),
        pdf_url=pdf_url,
        purchase=purchase(book.price),
        draft=draft,
        label=DRAFT_LABEL if draft else None,
    )


def book_summary(book: Book, *, draft: bool) -> BookSummary:
    """Return a book as the shop lists it; ``draft`` says that its pages would be drafts now."""
    return BookSummary(
        id=book.id,
        title=book.title,
        description=book.description,
        age_range=book.age_range,
        language=book.language,
        styles=list(STYLES),
        total_pages=len(book.pages),
        preview_pages=list(book.preview_pages),
        preview_pages_count=len(book.preview_pages),
        locked_pages_count=len(book.pages) - len(book.preview_pages),
        purchase=purchase(book.price),
        draft=draft,
    )


def purchase(price: Price) -> Purchase:
    """Return what a book costs, for a program and for a person."""
    whole = price.currency in WHOLE_CURRENCIES
    amount = Decimal(price.amount) if whole else Decimal(price.amount).scaleb(-2)
    sign = _SIGNS.get(price.currency)
    text = f"{amount:,}" if whole else f"{amount:,.2f}"
    return Purchase(
        price=price.amount,
        currency=price.currency,
        price_formatted=f"{sign}{text}" if sign else f"{text} {price.currency}",
    )


def _shown_page(
    book: Book,
    preview: Preview,
    number: int,
    newest: Page | None,
    picture: Picture | None,
    link: Callable[[str], str],
) -> ShownPage:
    page = picture.page if picture else newest
    return ShownPage(
        page_number=number,
        status=page.status if page else PageStatus.PENDING,
        image_url=link(picture.key) if picture else "",
        story_text=book.page(number).text_for(preview.child_name),
        is_watermarked=picture.is_watermarked if picture else True,
        is_locked=False,
        is_cover=number == book.cover_page,
    )


def _locked_page(page: BookPage, preview: Preview) -> LockedPage:
    return LockedPage(
        page_number=page.page_number,
        image_url="",
        story_text=page.text_for(preview.child_name),
        is_watermarked=False,
        is_locked=True,
    )


def _status(
    job: Job, visible: Sequence[ShownPage], expired: bool
) -> Literal["generating", "active", "failed", "expired"]:
    if expired:
        return "expired"
    if all(page.status is PageStatus.COMPLETED for page in visible):
        return "active"
    return "failed" if job.status in (JobStatus.FAILED, JobStatus.CANCELLED) else "generating"
