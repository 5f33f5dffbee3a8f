"""POST /api/upload-photo, over HTTP, with real SQLite and a real folder store."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from starlette.testclient import TestClient

from contract.keys import embedding_key, photo_key
from gateway.app import create_app
from gateway.records import Photo, reading
from gateway.services import Services
from gateway.settings import Settings
from gateway.uploads import remove
from storage.errors import StoreFull
from storage.folder import FolderStore
from tests.gateway import pictures
from tests.gateway.fakes import FakeFaces, MovableClock

PORTRAIT = pictures.encoded(pictures.portrait(), "JPEG", quality=95)


def upload(client: TestClient, data: bytes, name: str = "child.jpg", field: str = "file"):  # type: ignore[no-untyped-def]  # the client's own response type isn't exported
    return client.post("/api/upload-photo", files={field: (name, data, "image/jpeg")})


def code(client: TestClient, data: bytes, name: str = "child.jpg") -> tuple[int, str]:
    response = upload(client, data, name)
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def photos_kept(services: Services) -> int:
    with reading(services.engine) as session:
        return session.scalar(select(func.count()).select_from(Photo)) or 0


def objects_kept(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "objects").glob("photos/**/*") if path.is_file()]


def test_a_portrait_is_taken_in(
    seeing_client: TestClient, services: Services, clock: MovableClock
) -> None:
    response = upload(seeing_client, PORTRAIT)
    answer = response.json()
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert answer["success"] is True
    assert answer["face_detected"] is True
    assert answer["face_confidence"] > 0.8
    assert 10 < answer["face_area_percent"] < 40
    assert (answer["width"], answer["height"]) == (230, 230)
    with reading(services.engine) as session:
        record = session.get_one(Photo, answer["photo_id"])
    assert record.key == photo_key(answer["photo_id"])
    assert record.expires_at == clock.now() + timedelta(days=7)
    kept = services.store.get(record.key, 10_000_000)
    assert len(kept) == record.size_bytes


def test_the_answers_link_shows_the_rebuilt_photo(seeing_client: TestClient) -> None:
    sent = pictures.with_exif(pictures.portrait())
    link = upload(seeing_client, sent).json()["photo_url"]
    shown = seeing_client.get(link)
    assert shown.status_code == 200
    assert shown.headers["content-type"] == "image/jpeg"
    assert b"Secret" not in shown.content
    assert b"Exif" not in shown.content


def test_the_same_photo_twice_gets_two_ids(client: TestClient) -> None:
    ids = {upload(client, PORTRAIT).json()["photo_id"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (pictures.heic(pictures.portrait()), "IMG_0001.HEIC"),
        (pictures.encoded(pictures.portrait().convert("CMYK"), "JPEG"), "print.jpg"),
        (pictures.encoded(pictures.portrait(), "WEBP"), "photo.webp"),
        (pictures.encoded(pictures.portrait(), "PNG"), "wrongly-named.gif"),
    ],
)
def test_a_face_is_found_in_every_type(seeing_client: TestClient, data: bytes, name: str) -> None:
    assert upload(seeing_client, data, name).status_code == 200


def test_a_lying_portrait_is_turned_before_the_face_is_looked_for(
    seeing_client: TestClient,
) -> None:
    lying = pictures.portrait().rotate(90, expand=True)
    answer = upload(seeing_client, pictures.with_exif(lying, orientation=6)).json()
    assert answer["face_confidence"] > 0.8


def test_a_small_passer_by_does_not_matter(seeing_client: TestClient) -> None:
    data = pictures.encoded(pictures.passer_by(), "JPEG")
    assert upload(seeing_client, data).status_code == 200


@pytest.mark.parametrize(
    ("data", "status", "expected"),
    [
        (pictures.encoded(pictures.scenery(), "JPEG"), 400, "no_face"),
        (pictures.encoded(pictures.two_faces(), "JPEG"), 400, "several_faces"),
        (pictures.encoded(pictures.astronaut(), "JPEG"), 400, "face_too_small"),
        (pictures.png_that_claims(30_000, 30_000), 400, "photo_too_many_pixels"),
        (pictures.animated("PNG"), 400, "photo_animated"),
        (pictures.animated("WEBP"), 400, "photo_animated"),
        (pictures.animated("GIF"), 415, "photo_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "photo_type"),
        (b"GIF89a/*\0*/=1;alert(1)", 415, "photo_type"),
        (PORTRAIT[:2000], 400, "photo_broken"),
        (b"", 400, "photo_broken"),
    ],
)
def test_a_bad_photo_is_refused_and_nothing_is_kept(
    seeing_client: TestClient,
    services: Services,
    tmp_path: Path,
    data: bytes,
    status: int,
    expected: str,
) -> None:
    assert code(seeing_client, data) == (status, expected)
    assert photos_kept(services) == 0
    assert objects_kept(tmp_path) == []


def test_a_photo_of_too_many_bytes_is_refused(services: Services, settings: Settings) -> None:
    small = settings.model_copy(update={"photo_max_bytes": 5000})
    with TestClient(create_app(replace(services, settings=small))) as client:
        assert code(client, PORTRAIT) == (413, "photo_too_large")


def test_a_body_far_over_the_limit_is_refused_unread(client: TestClient) -> None:
    response = client.post(
        "/api/upload-photo",
        content=b"",
        headers={
            "content-type": "multipart/form-data; boundary=x",
            "content-length": "11000000",
        },
    )
    assert (response.status_code, response.json()["code"]) == (413, "photo_too_large")


def test_a_request_without_the_field_is_told_so(client: TestClient) -> None:
    response = upload(client, PORTRAIT, field="picture")
    assert (response.status_code, response.json()["code"]) == (400, "photo_missing")


def test_a_text_field_is_no_photo(client: TestClient) -> None:
    response = client.post("/api/upload-photo", data={"file": "text"}, files={"x": b"y"})
    assert (response.status_code, response.json()["code"]) == (400, "photo_missing")


def test_two_files_are_one_too_many(client: TestClient) -> None:
    response = client.post("/api/upload-photo", files=[("file", PORTRAIT), ("file", PORTRAIT)])
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("content_type", ["application/json", "image/jpeg", ""])
def test_another_content_type_is_refused(client: TestClient, content_type: str) -> None:
    response = client.post(
        "/api/upload-photo", content=PORTRAIT, headers={"content-type": content_type}
    )
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_content_type")


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_malformed_form_is_refused(client: TestClient, content_type: str) -> None:
    response = client.post(
        "/api/upload-photo", content=b"not a form", headers={"content-type": content_type}
    )
    assert response.status_code in (400, 422)
    assert response.json()["code"] in ("invalid_request", "photo_missing")


def test_a_full_store_is_told_and_leaves_no_record(services: Services, tmp_path: Path) -> None:
    class FullStore(FolderStore):
        def put(self, key: str, data: bytes, content_type: str) -> None:
            if key.startswith("photos/"):
                raise StoreFull("no space left")

    with TestClient(create_app(replace(services, store=FullStore(tmp_path)))) as client:
        assert code(client, PORTRAIT) == (507, "store_full")
    assert photos_kept(services) == 0


def test_a_lost_database_leaves_no_photo_behind(
    client: TestClient, services: Services, tmp_path: Path
) -> None:
    with services.engine.begin() as connection:
        connection.execute(text("ALTER TABLE photos RENAME TO photos_elsewhere"))
    assert code(client, PORTRAIT) == (503, "database_unavailable")
    assert objects_kept(tmp_path) == []


def test_a_photo_goes_with_the_embedding_of_its_face(services: Services) -> None:
    for key in (photo_key("p1"), embedding_key("p1"), embedding_key("p2")):
        services.store.put(key, b"bytes", "application/octet-stream")
    remove(services, "p1")
    assert not services.store.exists(photo_key("p1"))
    assert not services.store.exists(embedding_key("p1"))
    assert services.store.exists(embedding_key("p2"))


def test_several_faces_are_counted_for_the_parent(services: Services) -> None:
    app = create_app(replace(services, faces=FakeFaces((0.5, 0.4, 0.3, 0.1))))
    with TestClient(app) as client:
        assert "3 faces" in upload(client, PORTRAIT).json()["detail"]
