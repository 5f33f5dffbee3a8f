"""Links to stored objects: made here, for a while, for one object."""

from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from gateway.links import Links
from gateway.services import Services
from storage.folder import FolderStore
from tests.gateway.fakes import MovableClock

KEY = "previews/abc/page_01.take_1.jpg"


@pytest.fixture
def stored(store: FolderStore) -> str:
    store.put(KEY, b"picture", "image/jpeg")
    return KEY


def test_a_link_serves_its_object(client: TestClient, services: Services, stored: str) -> None:
    response = client.get(services.links.url(stored))
    assert (response.status_code, response.content) == (200, b"picture")
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["cache-control"] == "private, no-store"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_head_tells_the_same_without_the_object(
    client: TestClient, services: Services, stored: str
) -> None:
    response = client.head(services.links.url(stored))
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == "7"


def test_a_link_starts_at_the_public_url(services: Services) -> None:
    link = urlsplit(services.links.url(KEY))
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"http://gateway.test/files/{KEY}"


def test_a_link_expires(
    client: TestClient, services: Services, stored: str, clock: MovableClock
) -> None:
    link = services.links.url(stored)
    clock.move(seconds=899)
    assert client.get(link).status_code == 200
    clock.move(seconds=1)
    response = client.get(link)
    assert (response.status_code, response.json()["code"]) == (410, "link_expired")


def test_a_changed_link_leads_nowhere(
    client: TestClient, services: Services, stored: str, store: FolderStore
) -> None:
    store.put("photos/other/original.jpg", b"another child", "image/jpeg")
    link = urlsplit(services.links.url(stored))
    query = parse_qs(link.query)
    expires, signature = query["expires"][0], query["signature"][0]
    for path, params in (
        ("/files/photos/other/original.jpg", {"expires": expires, "signature": signature}),
        (link.path, {"expires": str(int(expires) + 1), "signature": signature}),
        (link.path, {"expires": expires, "signature": signature[:-1]}),
        (link.path, {"expires": expires, "signature": "é"}),
        (link.path, {"expires": "²", "signature": signature}),
        (link.path, {"expires": "9" * 5000, "signature": signature}),
        (link.path, {}),
    ):
        response = client.get(path, params=params)
        assert (response.status_code, response.json()["code"]) == (404, "link_invalid")


def test_another_gateways_secret_makes_no_links(clock: MovableClock, services: Services) -> None:
    foreign = urlsplit(Links("http://gateway.test", ["another secret" * 3], 900, clock).url(KEY))
    query = parse_qs(foreign.query)
    with pytest.raises(Exception, match="link_invalid"):
        services.links.check(KEY, query["expires"][0], query["signature"][0])


def test_an_object_that_is_gone_is_not_found(client: TestClient, services: Services) -> None:
    response = client.get(services.links.url("previews/abc/page_09.take_1.jpg"))
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("key", ["../gateway.db", "photos//x.jpg", ".hidden"])
def test_even_a_signed_unsafe_key_is_not_found(
    client: TestClient, services: Services, key: str
) -> None:
    query = urlsplit(services.links.url(key)).query
    response = client.get(f"/files/{key.replace('.', '%2E').replace('/', '%2F')}?{query}")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_file_of_unknown_kind_is_only_bytes(
    client: TestClient, services: Services, store: FolderStore
) -> None:
    store.put("pages/abc/note.html", b"<script>", "text/html")
    response = client.get(services.links.url("pages/abc/note.html"))
    assert response.headers["content-type"] == "application/octet-stream"
