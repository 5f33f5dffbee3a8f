"""Taking in a photo: check it, rebuild it, find the face, keep it, record it."""

import logging
from datetime import timedelta

from contract.keys import embedding_key, photo_key
from gateway.errors import Problem
from gateway.faces import PortraitFace, portrait_face
from gateway.ids import new_id
from gateway.photos import RebuiltPhoto, rebuild
from gateway.records import Photo, writing
from gateway.services import Services
from storage.errors import StoreError

logger = logging.getLogger(__name__)


def take_in(services: Services, data: bytes, consent: str | None = None) -> Photo:
    """Check an uploaded file and keep it as a photo; return its record. Blocks for seconds.

    ``consent`` is the version of the text that the parent agreed to, if one was named.

    The object is written first and the record after: a record always has its object. When the
    record can't be written the object is removed again.

    Raises:
        Problem: ``consent_required``; or the file isn't a photo of one large face: see
            ``gateway.photos.rebuild`` and ``gateway.faces.portrait_face``.
        StoreError: the object store failed.
    """
    settings = services.settings
    if consent != settings.consent_version and (consent or settings.consent_required):
        raise Problem("consent_required", f"The present version is {settings.consent_version}.")
    if len(data) > settings.photo_max_bytes:
        raise Problem("photo_too_large", f"At most {settings.photo_max_bytes} bytes are taken.")
    photo = rebuild(data, max_pixels=settings.photo_max_pixels)
    face = portrait_face(
        services.faces.detect(photo.rgb),
        width=photo.width,
        height=photo.height,
        min_area_percent=settings.face_min_area_percent,
    )
    record = _record(services, photo, face, consent)
    services.store.put(record.key, photo.jpeg, "image/jpeg")
    try:
        with writing(services.engine) as session:
            session.add(record)
    except BaseException:
        remove(services, record.photo_id)
        raise
    logger.info("photo taken in", extra={"photo_id": record.photo_id})
    return record


def _record(
    services: Services, photo: RebuiltPhoto, face: PortraitFace, consent: str | None
) -> Photo:
    photo_id = new_id()
    now = services.clock.now()
    return Photo(
        photo_id=photo_id,
        key=photo_key(photo_id),
        sha256=photo.sha256,
        width=photo.width,
        height=photo.height,
        size_bytes=len(photo.jpeg),
        face_confidence=face.confidence,
        face_area_percent=face.area_percent,
        consent=consent,
        created_at=now,
        expires_at=now + timedelta(days=services.settings.preview_life_days),
    )


def remove(services: Services, photo_id: str) -> None:
    """Remove a photo from the store, and the embedding of its face with it. Best effort: what
    stays behind is logged."""
    for key in (photo_key(photo_id), embedding_key(photo_id)):
        try:
            services.store.delete(key)
        except StoreError:
            logger.exception("an object without a record stays behind", extra={"key": key})
