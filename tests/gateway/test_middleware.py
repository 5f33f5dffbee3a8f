"""What surrounds every request: ids, headers, limits, log lines."""

import json
import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from gateway.http.middleware import BodyLimit, Envelope
from gateway.http.problems import EXCEPTION_HANDLERS

LIMIT = 1000


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def fail(request: Request) -> Response:
    raise RuntimeError("Nguyễn's secret")


def app(*, https: bool = False) -> Starlette:
    return Starlette(
        routes=[
            Route("/echo", echo, methods=["GET", "POST"]),
            Route("/photo", echo, methods=["POST"]),
            Route("/fail/{secret}", fail),
        ],
        middleware=[
            Middleware(Envelope, https=https),
            Middleware(BodyLimit, default=LIMIT, limits={"/photo": (5000, "photo_too_large")}),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
    )


@pytest.fixture
def browser() -> Iterator[TestClient]:
    with TestClient(app()) as browser:
        yield browser


@pytest.mark.parametrize("path", ["/echo", "/nowhere", "/fail/x"])
def test_every_answer_has_the_security_headers(browser: TestClient, path: str) -> None:
    headers = browser.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "strict-transport-security" not in headers


def test_https_is_asked_for_where_it_is_spoken() -> None:
    with TestClient(app(https=True)) as browser:
        assert "strict-transport-security" in browser.get("/echo").headers


def test_a_request_gets_an_id_of_its_own(browser: TestClient) -> None:
    ids = {browser.get("/echo").headers["x-request-id"] for _ in range(10)}
    assert len(ids) == 10


def test_a_callers_id_is_kept_if_it_is_harmless(browser: TestClient) -> None:
    kept = browser.get("/echo", headers={"x-request-id": "shop-12345"})
    assert kept.headers["x-request-id"] == "shop-12345"
    for odd in ("short", "with space in it", "x" * 65, "<script>alert</script>"):
        assert browser.get("/echo", headers={"x-request-id": odd}).headers["x-request-id"] != odd


def test_a_body_up_to_the_limit_is_read(browser: TestClient) -> None:
    assert browser.post("/echo", content=b"x" * LIMIT).text == str(LIMIT)


def test_a_larger_body_is_refused(browser: TestClient) -> None:
    response = browser.post("/echo", content=b"x" * (LIMIT + 1))
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


def test_a_larger_body_without_a_length_is_refused_too(browser: TestClient) -> None:
    response = browser.post("/echo", content=(b"x" * 100 for _ in range(20)))
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert response.headers["connection"] == "close"


def test_a_route_may_have_a_limit_of_its_own(browser: TestClient) -> None:
    assert browser.post("/photo", content=b"x" * 5000).status_code == 200
    response = browser.post("/photo", content=b"x" * 5001)
    assert (response.status_code, response.json()["code"]) == (413, "photo_too_large")


@pytest.mark.anyio
async def test_a_body_that_lies_about_its_length_is_counted() -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    transport = httpx.ASGITransport(app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.post("/echo", content=body(), headers={"content-length": "10"})
    assert response.json()["code"] == "body_too_large"


def test_an_unforeseen_error_is_a_problem_without_its_text(browser: TestClient) -> None:
    response = browser.get("/fail/x")
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "Nguyễn" not in response.text


def test_unknown_paths_and_methods_are_problems(browser: TestClient) -> None:
    assert browser.get("/nowhere").json()["code"] == "not_found"
    response = browser.delete("/echo")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in response.headers["allow"]


def test_the_log_names_routes_and_never_paths_or_queries(
    browser: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        browser.get("/echo?signature=secret-signature")
        browser.get("/fail/secret-token?access_token=secret-query")
    lines = [vars(record) for record in caplog.records if record.name == "gateway.access"]
    assert {"/echo", "/fail/{secret}"} <= {line["route"] for line in lines}
    ours = [line for line in lines if "route" in line]
    assert "secret-" not in json.dumps(ours, default=str)


@pytest.mark.anyio
async def test_an_answer_that_breaks_off_breaks_the_connection() -> None:
    async def broken(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]  # an ASGI callable
        raise RuntimeError("gone")

    sent = []

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> object:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(RuntimeError, match="gone"):
        await Envelope(broken, https=False)(scope, receive, send)  # type: ignore[arg-type]  # loosely typed on purpose
    assert len(sent) == 1
