"""Requests through a shop's own domain: who they are from is believed only if Shopify signed it."""

from typing import Any

import anyio
import httpx2
import pytest
from starlette.requests import Request

from gateway.errors import Problem
from gateway.http.shopify_proxy import verified_customer
from gateway.shopify_signing import proxy_is_signed
from gateway.shops import Shop, add_shop
from tests.gateway import fake_shopify
from tests.gateway.fake_shopify import DOMAIN, proxied
from tests.gateway.fakes import MovableClock
from tests.gateway.rendering import Stage


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"SHOPIFY_CLIENT_SECRETS": f"shpss_new {fake_shopify.SECRET}"}


@pytest.fixture(autouse=True)
def shop(stage: Stage) -> None:
    shop = Shop(shop_id="acme", name="Acme", shopify_domain=DOMAIN, approval=False)
    add_shop(stage.services.engine, stage.services.clock, shop)


def query(stage: Stage, **changes: str) -> dict[str, str]:
    fields = {
        "shop": DOMAIN,
        "path_prefix": "/apps/books",
        "timestamp": str(int(stage.services.clock.now().timestamp())),
        "logged_in_customer_id": "8000000000000000017",
    }
    return fields | changes


def ping(stage: Stage, sent: Any) -> httpx2.Response:
    return stage.client.get("/proxy/ping", params=sent)


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_shopify_s_own_example_is_signed() -> None:
    given = [
        ("extra", "1"),
        ("extra", "2"),
        ("shop", "shop-name.myshopify.com"),
        ("logged_in_customer_id", "1"),
        ("path_prefix", "/apps/awesome_reviews"),
        ("timestamp", "1317327555"),
        ("signature", "4c68c8624d737112c91818c11017d24d334b524cb5c2b8ba08daa056f7395ddb"),
    ]
    assert proxy_is_signed(["hush"], given)
    assert proxy_is_signed(["other", "hush"], given)
    assert not proxy_is_signed(["other"], given)
    assert not proxy_is_signed([], given)
    assert not proxy_is_signed(["hush"], [*given, ("extra", "3")])
    assert not proxy_is_signed(["hush"], [*given, given[-1]])


def test_a_signed_request_is_let_in(stage: Stage) -> None:
    answer = ping(stage, proxied(query(stage)))
    assert (answer.status_code, answer.json()) == (200, {"shop_id": "acme", "logged_in": True})


def test_nobody_may_be_logged_in(stage: Stage) -> None:
    answer = ping(stage, proxied(query(stage, logged_in_customer_id="")))
    assert answer.json() == {"shop_id": "acme", "logged_in": False}


def test_the_old_secret_counts_during_rotation(stage: Stage) -> None:
    assert ping(stage, proxied(query(stage), "shpss_new")).status_code == 200


@pytest.mark.parametrize("signature", ["", "00", "zz", "é" * 64, "0" * 64])
def test_a_request_that_is_not_signed_is_refused(stage: Stage, signature: str) -> None:
    assert code(ping(stage, query(stage))) == (401, "invalid_signature")
    sent = query(stage, signature=signature)
    assert code(ping(stage, sent)) == (401, "invalid_signature")


def test_another_customer_cannot_be_put_in(stage: Stage) -> None:
    sent = proxied(query(stage)) | {"logged_in_customer_id": "1"}
    assert code(ping(stage, sent)) == (401, "invalid_signature")
    twice = [*proxied(query(stage)).items(), ("logged_in_customer_id", "1")]
    assert code(ping(stage, twice)) == (401, "invalid_signature")


@pytest.mark.parametrize(("age_s", "status"), [(299, 200), (301, 401), (-299, 200), (-301, 401)])
def test_a_request_counts_for_five_minutes(
    stage: Stage, clock: MovableClock, age_s: float, status: int
) -> None:
    sent = proxied(query(stage))
    clock.move(seconds=age_s)
    assert ping(stage, sent).status_code == status


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1e9", "٣", "9" * 400])
def test_a_malformed_time_is_refused(stage: Stage, timestamp: str) -> None:
    sent = proxied(query(stage, timestamp=timestamp))
    assert code(ping(stage, sent)) == (401, "invalid_signature")


def test_a_shop_that_is_not_ours_is_refused(stage: Stage) -> None:
    sent = proxied(query(stage, shop="other.myshopify.com"))
    assert code(ping(stage, sent)) == (404, "shop_unknown")


def test_a_route_learns_the_customer(stage: Stage) -> None:
    customer = anyio.run(verified_customer, request(stage, query(stage)))
    assert customer == ("acme", "8000000000000000017")


@pytest.mark.parametrize("customer_id", ["", "x", "../1", "9" * 40])
def test_a_route_learns_that_nobody_is_logged_in(stage: Stage, customer_id: str) -> None:
    with pytest.raises(Problem, match="customer_required"):
        anyio.run(
            verified_customer, request(stage, query(stage, logged_in_customer_id=customer_id))
        )


def request(stage: Stage, sent: dict[str, str]) -> Request:
    """A request as a route gets it."""
    text = str(httpx2.QueryParams(proxied(sent)))
    scope = {"type": "http", "query_string": text.encode(), "headers": [], "app": stage.client.app}
    return Request(scope)
