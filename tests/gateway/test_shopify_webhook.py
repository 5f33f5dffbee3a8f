"""Shopify's webhooks: true ones are recorded once, all others change nothing."""

import httpx2
import pytest
from sqlalchemy import select

from gateway.http.shopify_webhook import TOPICS
from gateway.order_records import InboxItem
from gateway.records import reading
from gateway.shops import Shop, add_shop
from tests.gateway import fake_shopify
from tests.gateway.fake_shopify import DOMAIN, headers, line, order
from tests.gateway.rendering import Stage

PAID = "/webhooks/shopify/order-paid"
BODY = fake_shopify.text(order(line("0" * 32)))


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"SHOPIFY_CLIENT_SECRETS": f"shpss_new {fake_shopify.SECRET}"}


@pytest.fixture(autouse=True)
def shop(stage: Stage) -> Shop:
    shop = Shop(shop_id="acme", name="Acme", shopify_domain=DOMAIN, approval=False)
    add_shop(stage.services.engine, stage.services.clock, shop)
    return shop


def post(stage: Stage, body: bytes, sent: dict[str, str], path: str = PAID) -> httpx2.Response:
    return stage.client.post(path, content=body, headers=sent)


def recorded(stage: Stage) -> list[InboxItem]:
    with reading(stage.services.engine) as session:
        return list(session.scalars(select(InboxItem)))


def refused(answer: httpx2.Response, stage: Stage) -> tuple[int, str]:
    assert recorded(stage) == []
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(("path", "topic"), TOPICS.items())
def test_each_topic_is_recorded_as_it_came(stage: Stage, path: str, topic: str) -> None:
    sent = headers(BODY, topic)
    answer = post(stage, BODY, sent, path)
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    (item,) = recorded(stage)
    assert (item.source, item.topic, item.shop_domain) == ("shopify", topic, DOMAIN)
    assert item.message_id == sent["X-Shopify-Webhook-Id"]
    assert item.second_id == sent["X-Shopify-Event-Id"]
    assert item.body == BODY.decode()


def test_a_webhook_that_comes_twice_is_recorded_once(stage: Stage) -> None:
    sent = headers(BODY, "orders/paid")
    assert [post(stage, BODY, sent).status_code for _ in range(3)] == [200, 200, 200]
    assert len(recorded(stage)) == 1


def test_both_secrets_count_during_rotation(stage: Stage) -> None:
    for secret in ("shpss_new", fake_shopify.SECRET):
        assert post(stage, BODY, headers(BODY, "orders/paid", secret=secret)).status_code == 200


def test_a_forged_webhook_is_refused(stage: Stage) -> None:
    answer = post(stage, BODY, headers(BODY, "orders/paid", secret="other"))
    assert refused(answer, stage) == (401, "invalid_signature")


@pytest.mark.parametrize("path", TOPICS)
def test_every_path_wants_a_signature(stage: Stage, path: str) -> None:
    answer = post(stage, BODY, {"X-Shopify-Topic": TOPICS[path]}, path)
    assert refused(answer, stage) == (401, "invalid_signature")


@pytest.mark.parametrize("signature", ["", "=", "abc", "ä" * 44, "A" * 43 + "="])
def test_a_malformed_signature_is_refused(stage: Stage, signature: str) -> None:
    sent = headers(BODY, "orders/paid")
    sent["X-Shopify-Hmac-Sha256"] = signature.encode("latin-1")  # type: ignore[assignment]
    assert refused(post(stage, BODY, sent), stage) == (401, "invalid_signature")


def test_a_truncated_or_changed_webhook_is_refused(stage: Stage) -> None:
    sent = headers(BODY, "orders/paid")
    for body in (BODY[:-1], BODY.replace(b"39.00", b"00.01")):
        assert refused(post(stage, body, sent), stage) == (401, "invalid_signature")


def test_a_topic_on_another_s_path_is_refused(stage: Stage) -> None:
    """A cancellation isn't taken for a payment."""
    answer = post(stage, BODY, headers(BODY, "orders/cancelled"))
    assert refused(answer, stage) == (422, "invalid_message")


@pytest.mark.parametrize("domain", ["other.myshopify.com", "", "acme.myshopify.com.evil.test"])
def test_a_shop_that_is_not_ours_is_refused(stage: Stage, domain: str) -> None:
    answer = post(stage, BODY, headers(BODY, "orders/paid", domain=domain))
    assert refused(answer, stage) == (404, "shop_unknown")


def test_the_domain_s_case_does_not_matter(stage: Stage) -> None:
    sent = headers(BODY, "orders/paid", domain="ACME.myshopify.com")
    assert post(stage, BODY, sent).status_code == 200


@pytest.mark.parametrize("name", ["X-Shopify-Webhook-Id", "X-Shopify-Event-Id"])
@pytest.mark.parametrize("value", ["", "a b", "x" * 256])
def test_a_webhook_without_its_ids_is_refused(stage: Stage, name: str, value: str) -> None:
    answer = post(stage, BODY, headers(BODY, "orders/paid") | {name: value})
    assert refused(answer, stage) == (422, "invalid_message")


@pytest.mark.parametrize("body", [b"\xff\xfe", b'{"id": "\xc3\x28"}', b"{\0}"])
def test_a_body_that_is_no_text_is_refused(stage: Stage, body: bytes) -> None:
    answer = post(stage, body, headers(body, "orders/paid"))
    assert refused(answer, stage) == (400, "malformed_json")


def test_a_large_order_is_taken_and_ten_megabytes_are_not(stage: Stage) -> None:
    huge = BODY + b" " * 10_000_000
    answer = post(stage, huge, headers(huge, "orders/paid"))
    assert refused(answer, stage) == (413, "body_too_large")
    large = BODY + b" " * 1_900_000
    assert post(stage, large, headers(large, "orders/paid")).status_code == 200
