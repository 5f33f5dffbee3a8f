"""The watermarked pictures of a preview: made once for each completed page, kept in the store."""

import logging

import anyio
import anyio.to_thread
from sqlalchemy import select, update

from contract.keys import preview_image_key
from contract.status import PageStatus
from gateway.records import Page, reading, writing
from gateway.services import Services
from gateway.watermark import UnreadablePage, watermarked
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
    """Make and record the watermarked pictures of completed pages that have none. Blocks.

    A page that can't be read is left without one.

    Raises:
        StoreError: the object store failed.
    """
    with reading(services.engine) as session:
        pages = session.scalars(
            select(Page).where(
                Page.preview_id == preview_id,
                Page.status == PageStatus.COMPLETED,
                Page.preview_key.is_(None),
            )
        ).all()
    for page in pages:
        _make(services, page)


def _make(services: Services, page: Page) -> None:
    key = preview_image_key(page.preview_id, page.page_number, page.take)
    try:
        jpeg = watermarked(services.store.get(page.key, _MAX_PAGE_BYTES))
    except (UnreadablePage, ObjectNotFound, ObjectTooLarge):
        logger.error("a stored page can't be read", extra={"key": page.key})
        return
    services.store.put(key, jpeg, "image/jpeg")
    with writing(services.engine) as session:
        session.execute(
            update(Page)
            .where(
                Page.preview_id == page.preview_id,
                Page.page_number == page.page_number,
                Page.take == page.take,
                # A newer run may have stored another picture meanwhile: that one comes next.
                Page.sha256 == page.sha256,
            )
            .values(preview_key=key)
        )
