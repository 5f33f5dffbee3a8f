"""Deleting files for good, and writing down that they are gone.

Files are deleted first, and only then a row of ``removals`` says so: whoever dies in between, or
finds the store away, leaves no such row, and ``gateway.retention`` does it again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from contract.keys import (
    BOOK_PARTS,
    book_key,
    clean_image_key,
    embedding_key,
    preview_image_key,
)
from gateway.order_records import Order, Removal
from gateway.ports import Clock, ObjectStore
from gateway.records import AS_PAINTED, Page, Photo, Preview, reading, writing


class Reason(StrEnum):
    """Why something was removed. ``LATE`` is what came back after it was."""

    EXPIRED = "expired"
    REQUESTED = "requested"
    LATE = "late"


@dataclass(frozen=True)
class Removals:
    """Deletes files. Methods block; doing it again is harmless."""

    engine: Engine
    clock: Clock
    store: ObjectStore

    def remove_buried(self, preview_id: str) -> int:
        """Delete the files of a buried preview, and write down that they are gone; return how many
        there were.

        Raises:
            StoreError: the store failed; nothing is written down.
        """
        with reading(self.engine) as session:
            preview = session.get_one(Preview, preview_id)
            keys = keys_of_preview(session, preview_id)
        # What a parent asked for came before the preview's end.
        asked = preview.erased_at is not None and preview.erased_at <= preview.expires_at
        reason = Reason.REQUESTED if asked else Reason.EXPIRED
        deleted = self.delete_all(keys)
        with writing(self.engine) as session:
            session.get_one(Preview, preview_id, with_for_update=True)
            if not was_removed(session, "preview", preview_id):
                session.add(
                    Removal(
                        at=self.clock.now(),
                        kind="preview",
                        subject=preview_id,
                        reason=reason,
                        objects=deleted,
                    )
                )
                for page in session.scalars(select(Page).where(Page.preview_id == preview_id)):
                    page.preview_key = page.clean_key = None
        return deleted

    def remove_photo(self, photo_id: str, reason: Reason) -> int:
        """Delete a photo and the embedding of its face, and write that down; return how many files
        there were.

        Raises:
            StoreError: the store failed; nothing is written down.
        """
        with reading(self.engine) as session:
            key = session.get_one(Photo, photo_id).key
        deleted = self.delete_all([key, embedding_key(photo_id)])
        now = self.clock.now()
        with writing(self.engine) as session:
            photo = session.get_one(Photo, photo_id, with_for_update=True)
            if photo.removed_at is None:
                photo.removed_at = now
                photo.expires_at = min(photo.expires_at, now)
                photo.sha256 = ""
                session.add(
                    Removal(at=now, kind="photo", subject=photo_id, reason=reason, objects=deleted)
                )
        return deleted

    def delete_all(self, keys: Iterable[str]) -> int:
        """Delete the objects under these keys; return how many there were.

        Raises:
            StoreError: the store failed; those before it are gone.
        """
        deleted = 0
        for key in keys:
            if self.store.exists(key):
                self.store.delete(key)
                deleted += 1
        return deleted


def keys_of_preview(session: Session, preview_id: str) -> list[str]:
    """The keys of all files that may have been made for a preview."""
    pages = session.scalars(select(Page).where(Page.preview_id == preview_id)).all()
    orders = session.scalars(select(Order.order_id).where(Order.preview_id == preview_id)).all()
    keys = [page.key for page in pages]
    for page in pages:
        if page.variant == AS_PAINTED:
            keys.append(preview_image_key(preview_id, page.page_number, page.take))
            keys.append(clean_image_key(preview_id, page.page_number, page.take))
    return keys + [book_key(order_id, part) for order_id in orders for part in BOOK_PARTS]


def was_removed(session: Session, kind: str, subject: str) -> bool:
    """Whether it is written down that this is gone."""
    found = select(Removal.removal_id).where(Removal.kind == kind, Removal.subject == subject)
    return session.scalar(found.limit(1)) is not None
