"""The pictures of a preview that a parent sees: made once of each completed page, and kept.
A page of a paid book has one without a mark, all others one with it."""

import logging
from collections.abc import Callable

import anyio
import anyio.to_thread
from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute

from contract.keys import clean_image_key, preview_image_key
from contract.status import PageStatus
from gateway.records import AS_PAINTED, Page, Preview, reading, writing
from gateway.services import Services
from gateway.unlocked import takes_in_book, unlocking_order
from gateway.watermark import UnreadablePage, unmarked, watermarked
from storage.errors import ObjectNotFound, ObjectTooLarge, StoreError

logger = logging.getLogger(__name__)

_MAX_PAGE_BYTES = 32 * 1024 * 1024


async def prepare(services: Services, preview_id: str) -> None:
    """Make the pictures that are missing, so that nobody waits for them later. Best effort: what
    can't be made now is made when the preview is looked at."""
    try:
        await anyio.to_thread.run_sync(make_missing, services, preview_id)
    except StoreError as error:
        logger.warning(
            "preview pictures can't be stored yet",
            extra={"preview_id": preview_id, "reason": type(error).__name__},
        )


def make_missing(services: Services, preview_id: str) -> None:
    """Make and record the pictures of completed pages that have none. Blocks.

    A page that can't be read is left without one. Of an erased preview nothing is made.

    Raises:
        StoreError: the object store failed.
    """
    with reading(services.engine) as session:
        preview = session.get(Preview, preview_id)
        if preview is None or preview.erased_at is not None:
            return
        in_book = takes_in_book(session, unlocking_order(session, preview_id))
        pages = session.scalars(
            select(Page).where(
                Page.preview_id == preview_id,
                Page.variant == AS_PAINTED,
                Page.status == PageStatus.COMPLETED,
            )
        ).all()
    for page in pages:
        paid = in_book.get(page.page_number) == page.take
        if paid and page.clean_key is None:
            key = clean_image_key(preview_id, page.page_number, page.take)
            _make(services, page, Page.clean_key, key, unmarked)
        elif not paid and page.preview_key is None:
            key = preview_image_key(preview_id, page.page_number, page.take)
            _make(services, page, Page.preview_key, key, watermarked)


def _make(
    services: Services,
    page: Page,
    column: InstrumentedAttribute[str | None],
    key: str,
    picture: Callable[[bytes], bytes],
) -> None:
    try:
        jpeg = picture(services.store.get(page.key, _MAX_PAGE_BYTES))
    except (UnreadablePage, ObjectNotFound, ObjectTooLarge):
        logger.error("a stored page can't be read", extra={"key": page.key})
        return
    services.store.put(key, jpeg, "image/jpeg")
    with writing(services.engine) as session:
        erased = session.get_one(Preview, page.preview_id, with_for_update=True).erased_at
        session.execute(
            update(Page)
            .where(
                Page.preview_id == page.preview_id,
                Page.page_number == page.page_number,
                Page.take == page.take,
                Page.variant == page.variant,
                # A newer run may have stored another picture meanwhile: that one comes next.
                Page.sha256 == page.sha256,
            )
            .values({column: key})
        )
    if erased is not None:
        # It was erased while this was made: perhaps nobody comes back for the file.
        services.store.delete(key)
