"""What comes from outside, on every route: ids that lead elsewhere, addresses, and webhooks that
are cut off, too large, or no text."""

import hmac
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from contract.signing import sign
from gateway.order_records import InboxItem
from gateway.records import reading
from tests.gateway.clerk import Clerk
from tests.gateway.rendering import Job, Stage

DATABASES = ("sqlite", "postgresql")

HUGE = b" " * 10_000_000
LULU_SECRET = "secret-of-lulu"
ELSEWHERE = (
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fgateway.db",
    "a%00b",
    "%ff",
    "é",
    "x" * 5000,
    "'%20OR%201=1;%20--",
    "{preview_id}",
    "http:%2f%2f169.254.169.254%2flatest",
)


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {
        "PRINT_VENDOR": "lulu",
        "PRINT_PROFILE": "lulu_8_5",
        "LULU_CLIENT_KEY": "key",
        "LULU_CLIENT_SECRET": LULU_SECRET,
        "PRINT_CONTACT_EMAIL": "books@foxetales.example",
        "RATE_PREVIEWS": "off",
        "RATE_CHECKOUTS": "off",
        "RATE_READS": "off",
    }


def paths_with_ids(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every method and path that has an id in it."""
    for path, methods in document["paths"].items():
        if "{" in path:
            yield from ((method, path) for method in methods)


def bearers(stage: Stage, job: Job) -> list[dict[str, str]]:
    """Nobody, a parent, and an operator."""
    clerk = Clerk(stage.services, stage.client)
    return [{}, job.headers, {"Authorization": f"Bearer {clerk.token}"}]


def test_an_id_in_a_path_leads_nowhere_else(stage: Stage, database: str) -> None:
    application = stage.client.app
    assert isinstance(application, Starlette)
    callers = bearers(stage, stage.order())
    asked = 0
    for method, path in paths_with_ids(application.state.openapi):
        for strange in ELSEWHERE:
            url = re.sub(r"\{[^}]+\}", lambda _, to=strange: to, path)  # type: ignore[misc]
            for headers in callers:
                body: object = {} if method == "post" else None
                answer = stage.client.request(method, url, headers=headers, json=body)
                asked += 1
                assert 400 <= answer.status_code < 500, (method, url, answer.status_code)
                assert "root:" not in answer.text
    assert asked >= 20 * len(ELSEWHERE) * len(callers)


def test_a_web_socket_cannot_be_asked_for_it_either(stage: Stage, database: str) -> None:
    token = stage.order().token
    path = f"/api/preview-status/a%00b/ws?access_token={token}"
    with pytest.raises(WebSocketDisconnect), stage.client.websocket_connect(path):
        raise AssertionError("it was let in")


def test_no_caller_can_name_an_address(stage: Stage) -> None:
    """Nothing that is sent to us makes us fetch something from where the sender likes."""
    application = stage.client.app
    assert isinstance(application, Starlette)
    document = application.state.openapi
    fields = set()
    for methods in document["paths"].values():
        for operation in methods.values():
            fields |= _fields(document, operation.get("requestBody", {}))
            fields |= {parameter["name"] for parameter in operation.get("parameters", ())}
    assert {"photo_id", "dedication", "email"} <= fields
    assert [name for name in fields if re.search(r"url|uri|href|link|host|callback", name)] == []


def _fields(document: dict[str, Any], part: Any) -> set[str]:
    """The names of all fields of a schema and of those that it refers to."""
    if isinstance(part, list):
        return set().union(*(_fields(document, item) for item in part))
    if not isinstance(part, dict):
        return set()
    found = set(part.get("properties", ()))
    if "$ref" in part:
        name = part["$ref"].rsplit("/", 1)[1]
        found |= _fields(document, document["components"]["schemas"][name])
    return found.union(*(_fields(document, item) for item in part.values()))


def recorded(stage: Stage) -> int:
    with reading(stage.services.engine) as session:
        return session.scalar(select(func.count()).select_from(InboxItem)) or 0


def from_lulu(client: TestClient, body: bytes, signed: bytes | None = None) -> tuple[int, str]:
    digest = hmac.new(LULU_SECRET.encode(), signed or body, sha256).hexdigest()
    answer = client.post("/webhooks/lulu", content=body, headers={"Lulu-HMAC-SHA256": digest})
    return answer.status_code, answer.json()["code"]


def test_the_printer_s_webhook_has_its_bounds(stage: Stage) -> None:
    shipped = b'{"id": 1, "status": {"name": "SHIPPED"}}'
    whole = b'{"topic": "PRINT_JOB_STATUS_CHANGED", "data": %b}' % shipped
    assert from_lulu(stage.client, whole[:-9], whole) == (401, "invalid_signature")
    assert from_lulu(stage.client, whole[:-9]) == (422, "invalid_message")
    assert from_lulu(stage.client, b'{"topic": "\xc3\x28"}') == (422, "invalid_message")
    assert from_lulu(stage.client, whole + HUGE) == (413, "body_too_large")
    assert recorded(stage) == 0


def test_a_callback_that_was_cut_off_is_refused(stage: Stage) -> None:
    job = stage.order()
    stage.dispatch()
    body = b'{"type": "result", "job_id": "' + job.job_id.encode() + b'", "pages": []}'
    secret = stage.services.settings.callback_secrets[0]
    headers = sign(secret, "msg_1", body, datetime.now(UTC))
    cut = stage.client.post("/webhooks/runpod/status", content=body[:-3], headers=headers)
    assert (cut.status_code, cut.json()["code"]) == (401, "invalid_signature")
    signed = stage.post_signed(body[:-3])
    assert (signed.status_code, signed.json()["code"]) == (422, "invalid_message")
    assert stage.status(job)["status"] != "completed"


@pytest.mark.parametrize(
    ("body", "status"), [(b"\xff\xfe", 200), (b'{"id": "cut', 200), (HUGE, 413)]
)
def test_of_runpod_s_own_webhook_nothing_is_read(stage: Stage, body: bytes, status: int) -> None:
    job = stage.order()
    stage.dispatch()
    token = stage.services.settings.runpod_webhook_token.get_secret_value()
    url = f"/webhooks/runpod/job/{token}/{job.job_id}"
    assert stage.client.post(url, content=body).status_code == status
    assert stage.status(job)["status"] != "completed"
