"""What lies in the object store."""

from dataclasses import replace
from pathlib import Path

from contract.keys import embedding_key, photo_key
from gateway.records import Preview, reading
from gateway.services import Services
from storage.folder import FolderStore
from tests.gateway.rendering import Job as Asked


def files(tmp_path: Path) -> list[str]:
    """What lies in the store, but for the books' own art."""
    root = tmp_path / "objects"
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(key for key in found if not key.startswith("templates/"))


def give_photo(services: Services, job: Asked) -> str:
    """Put the photo of a preview and its embedding into the store, as they lie there in life."""
    with reading(services.engine) as session:
        photo_id = session.get_one(Preview, job.preview_id).photo_id
    services.store.put(photo_key(photo_id), b"a photo", "image/jpeg")
    services.store.put(embedding_key(photo_id), b"a face", "application/octet-stream")
    return photo_id


def with_store(services: Services, store: FolderStore) -> Services:
    """The same gateway over another store."""
    removals = replace(services.erasure.removals, store=store)
    return replace(services, store=store, erasure=replace(services.erasure, removals=removals))
