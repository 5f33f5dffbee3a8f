"""The pages for people load nothing from elsewhere and run nothing inline."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.retention import EMBEDDING_LIFE
from gateway.services import Services

PAGES = ["/", "/docs"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_html_under_a_strict_policy(client: TestClient, path: str) -> None:
    response = client.get(path)
    policy = response.headers["content-security-policy"]
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http://gateway.test" in policy  # pictures come by links to the public address


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_nothing_inline_and_nothing_foreign(client: TestClient, path: str) -> None:
    html = client.get(path).text
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert "<style" not in html
    assert not re.search(r"\son\w+=", html)
    assert " style=" not in html
    for link in re.findall(r'(?:src|href)="([^"]+)"', html):
        assert link.startswith(("/", "#"))


@pytest.mark.parametrize("path", PAGES)
def test_what_a_page_loads_is_there(client: TestClient, path: str) -> None:
    html = client.get(path).text
    for link in re.findall(r'"(/static/[^"]+)"', html):
        assert client.get(link).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_links_within_a_page_lead_somewhere(client: TestClient, path: str) -> None:
    html = client.get(path).text
    ids = set(re.findall(r'id="([^"]+)"', html))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= ids


@pytest.mark.parametrize("name", ["home", "bought"])
def test_the_scripts_find_their_elements(client: TestClient, name: str) -> None:
    html, script = client.get("/").text, client.get(f"/static/{name}.js").text
    ids = set(re.findall(r'id="([^"]+)"', html))
    assert set(re.findall(r'byId\("([^"]+)"\)', script)) <= ids


def test_the_form_labels_every_field(client: TestClient) -> None:
    html = client.get("/").text
    assert '<html lang="en">' in html
    for field in re.findall(r'<(?:input|select) id="([^"]+)"', html):
        assert f'for="{field}"' in html


def test_the_docs_name_every_path_and_problem(client: TestClient) -> None:
    html = client.get("/docs").text
    assert "/api/preview-status/{job_id}" in html
    assert "photo_too_many_pixels" in html


def test_static_files_do_not_lead_out_of_their_folder(client: TestClient) -> None:
    for path in ("/static/../settings.py", "/static/%2e%2e/settings.py", "/static/"):
        assert client.get(path).status_code == 404


def home_with(services: Services, **changes: object) -> str:
    changed = replace(services, settings=services.settings.model_copy(update=changes))
    return TestClient(create_app(changed), base_url="http://gateway.test").get("/").text


def test_a_parent_is_asked_for_consent_in_its_present_version(services: Services) -> None:
    html = home_with(services, consent_version="2030-01", preview_life_days=3.0)
    assert re.search(r'<input id="consent"[^>]+type="checkbox" value="2030-01" required>', html)
    assert "the photo after 3 days" in html
    assert "measured is removed after a day" in html
    assert timedelta(days=1) == EMBEDDING_LIFE


def test_the_operators_own_words_of_consent_are_text(services: Services) -> None:
    html = home_with(services, consent_text="I agree <b>& so on</b>")
    assert '<label for="consent">I agree &lt;b&gt;&amp; so on&lt;/b&gt;</label>' in html
