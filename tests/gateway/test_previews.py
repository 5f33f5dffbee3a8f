"""Books and previews over HTTP: what is asked, what is refused, what a parent sees."""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from sqlalchemy import func, select

from contract.errors import ErrorCode
from contract.keys import page_key
from gateway.previews import create_preview
from gateway.records import Job, Preview, reading
from gateway.schema import PreviewRequest
from gateway.services import Services
from gateway.shops import DEFAULT_SHOP
from tests.gateway.fakes import FakeEndpoint, MovableClock
from tests.gateway.rendering import BOOK, Stage, result


def body(stage: Stage, **changes: Any) -> dict[str, Any]:
    wanted = {"photo_id": stage.photo(), "book_id": BOOK, "child_name": "Ada", **changes}
    return {name: value for name, value in wanted.items() if value is not None}


def finished(stage: Stage, **fields: Any) -> Any:
    job = stage.order(**fields)
    stage.dispatch()
    stage.finish(stage.endpoint.submitted[-1])
    return job


def test_books_are_listed_with_price_and_page_counts(stage: Stage) -> None:
    answer = stage.client.get("/api/books")
    (book,) = answer.json()["books"]
    assert (book["id"], book["preview_pages"]) == (BOOK, [1, 2, 3])
    assert (book["total_pages"], book["locked_pages_count"]) == (35, 32)
    assert book["purchase"]["price_formatted"] == "$39.00"
    assert book["draft"] is False
    assert "watercolour" in book["styles"]


def test_the_list_of_books_isnt_sent_twice(stage: Stage) -> None:
    etag = stage.client.get("/api/books").headers["etag"]
    again = stage.client.get("/api/books", headers={"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag


def test_appearances_are_listed_with_their_labels_alone(stage: Stage) -> None:
    answer = stage.client.get("/api/appearances")
    listed = answer.json()["appearances"]
    assert {"id": "vietnamese_asian", "label": "Vietnamese"} in listed
    assert all(set(row) == {"id", "label"} for row in listed)
    assert answer.headers["cache-control"] == "public, max-age=60"
    again = {"If-None-Match": answer.headers["etag"]}
    assert stage.client.get("/api/appearances", headers=again).status_code == 304


def test_every_listed_appearance_may_be_asked_for(stage: Stage) -> None:
    for row in stage.client.get("/api/appearances").json()["appearances"]:
        assert stage.ask(body(stage, appearance=row["id"])).status_code == 202
    assert stage.ask({**body(stage), "appearance": None}).status_code == 202


def test_asking_for_a_preview_tells_where_to_follow_it(stage: Stage) -> None:
    answer = stage.ask(body(stage))
    told = answer.json()
    assert (answer.status_code, told["status"], told["draft"]) == (202, "queued", False)
    assert answer.headers["location"] == told["status_url"]
    assert told["status_url"].endswith(f"/api/preview-status/{told['job_id']}")
    assert told["events_url"] == f"{told['status_url']}/events"
    assert int(answer.headers["retry-after"]) >= 1
    assert told["estimated_time_seconds"] > 0


def test_theme_is_another_name_of_book_id(stage: Stage) -> None:
    assert stage.ask(body(stage, book_id=None, theme=BOOK)).status_code == 202


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Zoë", "Zoë"),
        ("Nguyễn Thị Ánh", "Nguyễn Thị Ánh"),
        ("  O’Brien-Smith Jr. ", "O’Brien-Smith Jr."),
        ("Zoe\u0308", "Zoë"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("अनुष्का", "अनुष्का"),
        ("小明", "小明"),
        ("D'Arcy", "D'Arcy"),
    ],
)
def test_names_of_all_scripts_are_welcome(stage: Stage, given: str, kept: str) -> None:
    job = stage.order(child_name=given)
    preview = stage.preview(job)
    assert preview["child_name"] == kept
    assert kept in preview["story_title"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "<b>",
        "Ada<script>",
        "Ada\n",
        "A\x00da",
        "Ada\u202e",
        "a" * 41,
        "a" * 200,
        "a" * 100_000,
        "123",
        "Ada7",
        "-Ada",
        "Ada  Lovelace",
        "{name}",
        "😀",
        7,
        None,
    ],
)
def test_what_is_no_name_is_refused(stage: Stage, name: object) -> None:
    wanted = {"photo_id": stage.photo(), "book_id": BOOK, "child_name": name}
    answer = stage.ask(wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == ["child_name"]
    if isinstance(name, str) and len(name) > 2:
        assert name not in answer.text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"child_age": 15}, "child_age"),
        ({"child_age": -1}, "child_age"),
        ({"child_age": "5"}, "child_age"),
        ({"child_gender": "robot"}, "child_gender"),
        ({"colour": "red"}, "colour"),
        ({"photo_id": "../../etc"}, "photo_id"),
        ({"theme": BOOK}, "theme"),
        ({"session_id": "a b"}, "session_id"),
        ({"appearance": "a b"}, "appearance"),
        ({"appearance": ["east_asian"]}, "appearance"),
    ],
)
def test_wrong_and_unknown_fields_are_named(
    stage: Stage, changes: dict[str, Any], field: str
) -> None:
    answer = stage.ask(body(stage, **changes))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert field in [error["field"] for error in answer.json()["errors"]]


def test_a_body_that_is_no_json_is_refused(stage: Stage) -> None:
    json_type = {"Content-Type": "application/json"}
    broken = stage.client.post("/api/preview", content=b'{"photo_id": ', headers=json_type)
    assert (broken.status_code, broken.json()["code"]) == (400, "malformed_json")
    form = stage.client.post("/api/preview", data={"photo_id": "x"})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_content_type")
    listed = stage.client.post("/api/preview", content=b"[]", headers=json_type)
    assert listed.status_code == 422


def test_what_is_unknown_is_refused(stage: Stage) -> None:
    assert stage.ask(body(stage, photo_id="nobody")).json()["code"] == "photo_unknown"
    assert stage.ask(body(stage, book_id="no-such-book")).json()["code"] == "book_unknown"
    assert stage.ask(body(stage, style="cubism")).json()["code"] == "style_unknown"
    answer = stage.ask(body(stage, appearance="martian"))
    assert (answer.status_code, answer.json()["code"]) == (422, "appearance_unknown")
    assert "martian" not in answer.text


def test_an_expired_photo_is_unknown(stage: Stage, clock: MovableClock) -> None:
    photo_id = stage.photo(life=timedelta(hours=1))
    clock.move(hours=1)
    answer = stage.ask(body(stage, photo_id=photo_id))
    assert (answer.status_code, answer.json()["code"]) == (404, "photo_unknown")


def test_the_same_key_and_body_get_the_same_answer(stage: Stage) -> None:
    wanted = body(stage)
    first, second = stage.ask(wanted, "key-1"), stage.ask(wanted, "key-1")
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    stage.dispatch()
    assert stage.ask(wanted, "key-1").json() == first.json()
    assert len(stage.endpoint.submitted) == 1


@pytest.mark.parametrize("change", [{"child_name": "Bo"}, {"appearance": "east_asian"}])
def test_the_same_key_with_another_body_is_refused(stage: Stage, change: dict[str, str]) -> None:
    wanted = body(stage)
    stage.ask(wanted, "key-1")
    other = stage.ask({**wanted, **change}, "key-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_another_photo_may_use_the_same_key(stage: Stage) -> None:
    first, second = stage.ask(body(stage), "key-1"), stage.ask(body(stage), "key-1")
    assert first.json()["preview_id"] != second.json()["preview_id"]


@pytest.mark.parametrize("key", ["", "k" * 256, "caf\u00e9"])
def test_a_key_of_another_form_is_refused(stage: Stage, key: str) -> None:
    answer = stage.client.post(
        "/api/preview", json=body(stage), headers={b"Idempotency-Key": key.encode()}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_race_with_one_key_makes_one_preview(stage: Stage, services: Services) -> None:
    wanted = PreviewRequest.model_validate(body(stage))
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: create_preview(services, wanted, "key-1", DEFAULT_SHOP), range(16))
        )
    assert len(set(answers)) == 1
    with reading(services.engine) as session:
        assert session.scalar(select(func.count()).select_from(Preview)) == 1
        assert session.scalar(select(func.count()).select_from(Job)) == 1


def test_a_preview_shows_its_pages_watermarked_and_the_rest_locked(stage: Stage) -> None:
    job = finished(stage, child_name="Zoë", child_age=5, child_gender="female")
    preview = stage.preview(job)
    assert (preview["status"], preview["generation_phase"]) == ("active", "active")
    assert preview["book_id"] == preview["theme"] == BOOK
    assert (preview["preview_pages_count"], preview["locked_pages_count"]) == (3, 32)
    assert preview["total_pages"] == 35
    assert preview["cover_url"] == preview["preview_pages"][0]["image_url"]
    assert [page["is_cover"] for page in preview["preview_pages"]] == [True, False, False]
    assert all(page["is_watermarked"] for page in preview["preview_pages"])
    assert all(page["image_url"] == "" and page["is_locked"] for page in preview["locked_pages"])
    assert all("{" not in page["story_text"] for page in preview["locked_pages"])
    assert "Zoë" in preview["locked_pages"][0]["story_text"]
    assert preview["days_remaining"] == 7
    assert preview["purchase"] == {
        "price": 3900,
        "currency": "USD",
        "price_formatted": "$39.00",
        "checkout_url": None,
    }
    assert (preview["pdf_url"], preview["draft"], preview["label"]) == (None, False, None)


def test_the_pictures_open_by_their_links(stage: Stage, services: Services) -> None:
    job = finished(stage)
    url = urlsplit(stage.preview(job)["preview_pages"][0]["image_url"])
    answer = stage.client.get(f"{url.path}?{url.query}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (64, 64)
    assert answer.content != services.store.get(page_key(job.preview_id, 1), 10**6)


def test_pages_appear_as_they_are_ready(stage: Stage) -> None:
    job = stage.order()
    stage.dispatch()
    sent = stage.endpoint.submitted[0]
    stage.call_back(result(sent, stage.store(sent, [2]), code=ErrorCode.COMFY_DIED))
    preview = stage.preview(job)
    assert preview["status"] == "generating"
    assert [bool(page["image_url"]) for page in preview["preview_pages"]] == [False, True, False]
    assert [page["status"] for page in preview["preview_pages"]] == [
        "pending",
        "completed",
        "pending",
    ]


def test_a_failed_preview_says_so(stage: Stage) -> None:
    job = stage.order()
    stage.dispatch()
    stage.fail(stage.endpoint.submitted[0], ErrorCode.NO_FACE)
    assert stage.preview(job)["status"] == "failed"


def test_an_expired_preview_has_no_pictures(stage: Stage, clock: MovableClock) -> None:
    job = finished(stage)
    clock.move(days=6, hours=12)
    assert stage.preview(job)["days_remaining"] == 1
    clock.move(hours=12)
    preview = stage.preview(job)
    assert (preview["status"], preview["days_remaining"]) == ("expired", 0)
    assert preview["cover_url"] == ""
    assert not any(page["image_url"] for page in preview["preview_pages"])
    again = {"preview_id": job.preview_id, "page_number": 1}
    answer = stage.client.post("/api/generate-page", json=again, headers=job.headers)
    assert answer.json()["code"] == "preview_unknown"


def test_a_stored_page_that_is_broken_isnt_shown(stage: Stage, services: Services) -> None:
    job = stage.order()
    stage.dispatch()
    sent = stage.endpoint.submitted[0]
    told = result(sent, stage.store(sent, [1, 2, 3]))
    services.store.put(page_key(job.preview_id, 1), b"no picture", "image/png")
    services.store.delete(page_key(job.preview_id, 2))
    stage.call_back(told)
    shown = stage.preview(job)["preview_pages"]
    assert [bool(page["image_url"]) for page in shown] == [False, False, True]


def test_another_parents_token_opens_nothing(stage: Stage) -> None:
    mine, theirs = stage.order(), stage.order()
    for method, path, json in (
        ("GET", f"/api/preview/{mine.preview_id}", None),
        ("GET", f"/api/preview-status/{mine.job_id}", None),
        ("GET", f"/api/preview-status/{mine.job_id}/events", None),
        ("POST", f"/api/preview/{mine.job_id}/retry", None),
        ("POST", "/api/generate-page", {"preview_id": mine.preview_id, "page_number": 1}),
    ):
        answer = stage.client.request(method, path, json=json, headers=theirs.headers)
        assert answer.status_code == 404, path
        assert answer.json()["code"] in ("preview_unknown", "job_unknown")
        forged = {"Authorization": f"Bearer {mine.token}x"}
        assert stage.client.request(method, path, json=json, headers=forged).status_code == 404
        bare = stage.client.request(method, path, json=json)
        assert (bare.status_code, bare.json()["code"]) == (401, "token_required")
        assert bare.headers["www-authenticate"].startswith("Bearer")


def test_an_unknown_preview_or_job_is_404(stage: Stage) -> None:
    job = stage.order()
    for path in ("/api/preview/nobody", "/api/preview-status/nobody"):
        assert stage.client.get(path, headers=job.headers).status_code == 404


@pytest.mark.parametrize(
    ("page_number", "code"), [(4, "page_locked"), (10, "page_locked"), (99, "page_unknown")]
)
def test_only_preview_pages_are_rendered_again(stage: Stage, page_number: int, code: str) -> None:
    job = finished(stage)
    wanted = {"preview_id": job.preview_id, "page_number": page_number}
    answer = stage.client.post("/api/generate-page", json=wanted, headers=job.headers)
    assert answer.json()["code"] == code


def test_a_page_request_may_be_repeated_safely(stage: Stage, endpoint: FakeEndpoint) -> None:
    job = finished(stage)
    headers = {**job.headers, "Idempotency-Key": "take-2"}
    wanted = {"preview_id": job.preview_id, "page_number": 3}
    first = stage.client.post("/api/generate-page", json=wanted, headers=headers)
    second = stage.client.post("/api/generate-page", json=wanted, headers=headers)
    assert (first.status_code, second.json()) == (202, first.json())
    other = stage.client.post(
        "/api/generate-page", json={**wanted, "page_number": 1}, headers=headers
    )
    assert other.json()["code"] == "idempotency_key_reused"
    stage.dispatch()
    assert len(endpoint.submitted) == 2


def test_a_preview_ends_with_its_photo(stage: Stage, clock: MovableClock) -> None:
    photo_id = stage.photo(life=timedelta(days=1))
    job = finished(stage, photo_id=photo_id)
    clock.move(days=2)
    wanted = {"preview_id": job.preview_id, "page_number": 3}
    answer = stage.client.post("/api/generate-page", json=wanted, headers=job.headers)
    assert answer.json()["code"] == "preview_unknown"
