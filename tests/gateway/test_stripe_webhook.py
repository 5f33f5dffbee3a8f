"""Stripe's webhook: true events are recorded once, all others change nothing."""

from collections.abc import Mapping

import httpx2
import pytest
from sqlalchemy import select

from gateway.order_records import InboxItem, Order
from gateway.records import reading
from tests.gateway import fake_stripe
from tests.gateway.fake_stripe import checkout_session, event, paid, signature
from tests.gateway.rendering import Stage

OLD_SECRET = "whsec_old"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"STRIPE_WEBHOOK_SECRETS": f"{fake_stripe.SECRET} {OLD_SECRET}"}


def paid_event(**changes: object) -> str:
    session = checkout_session("cs_1", preview_id="0" * 32)
    return fake_stripe.text(event("checkout.session.completed", session | paid(session), **changes))


def post(
    stage: Stage, body: str | bytes, headers: Mapping[str, str] | None = None
) -> httpx2.Response:
    if headers is None:
        text = body if isinstance(body, str) else body.decode()
        headers = {"Stripe-Signature": signature(text)}
    return stage.client.post("/webhooks/stripe", content=body, headers=headers)


def recorded(stage: Stage) -> list[InboxItem]:
    with reading(stage.services.engine) as session:
        return list(session.scalars(select(InboxItem)))


def refused(answer: httpx2.Response, stage: Stage) -> tuple[int, str]:
    assert recorded(stage) == []
    return answer.status_code, answer.json()["code"]


def test_a_signed_event_is_recorded_and_nothing_else_is_done(stage: Stage) -> None:
    body = paid_event(id="evt_paid")
    answer = post(stage, body)
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    (item,) = recorded(stage)
    assert (item.source, item.message_id, item.topic) == (
        "stripe",
        "evt_paid",
        "checkout.session.completed",
    )
    assert (item.second_id, item.body) == ("pi_cs_1", body)
    with reading(stage.services.engine) as session:
        assert session.scalar(select(Order)) is None


def test_an_event_that_comes_twice_is_recorded_once(stage: Stage) -> None:
    body = paid_event()
    assert [post(stage, body).status_code for _ in range(3)] == [200, 200, 200]
    assert len(recorded(stage)) == 1


def test_both_secrets_count_during_rotation(stage: Stage) -> None:
    for secret in (fake_stripe.SECRET, OLD_SECRET):
        body = paid_event()
        answer = post(stage, body, {"Stripe-Signature": signature(body, secret)})
        assert answer.status_code == 200


def test_a_header_with_several_signatures_counts(stage: Stage) -> None:
    """So Stripe signs while it rotates a secret."""
    body = paid_event()
    header = signature(body, "whsec_new") + "," + signature(body).partition(",")[2]
    assert post(stage, body, {"Stripe-Signature": header}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1,v1=",
        "v1=abc",
        "t=now,v1=abc",
        f"t={'9' * 5000},v1=abc",
        "t=1893499200,v0=abc",
        "t=1893499200,v1=\u00e4",
        "nonsense",
    ],
)
def test_a_malformed_signature_is_refused(stage: Stage, header: str) -> None:
    answer = post(stage, paid_event(), {"Stripe-Signature": header.encode("latin-1")})  # type: ignore[dict-item]
    assert refused(answer, stage) == (401, "invalid_signature")


def test_a_forged_event_is_refused(stage: Stage) -> None:
    body = paid_event()
    answer = post(stage, body, {"Stripe-Signature": signature(body, "whsec_other")})
    assert refused(answer, stage) == (401, "invalid_signature")


def test_a_changed_event_is_refused(stage: Stage) -> None:
    body = paid_event()
    changed = body.replace("3900", "1")
    answer = post(stage, changed, {"Stripe-Signature": signature(body)})
    assert refused(answer, stage) == (401, "invalid_signature")


def test_a_truncated_event_is_refused(stage: Stage) -> None:
    body = paid_event()
    answer = post(stage, body[: len(body) // 2], {"Stripe-Signature": signature(body)})
    assert refused(answer, stage) == (401, "invalid_signature")


def test_a_stale_event_is_refused(stage: Stage) -> None:
    body = paid_event()
    answer = post(stage, body, {"Stripe-Signature": signature(body, age_s=310)})
    assert refused(answer, stage) == (401, "invalid_signature")


@pytest.mark.parametrize("age_s", [290, -3600])
def test_an_event_of_a_moment_ago_or_of_a_clock_that_is_ahead_is_taken(
    stage: Stage, age_s: float
) -> None:
    body = paid_event()
    answer = post(stage, body, {"Stripe-Signature": signature(body, age_s=age_s)})
    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"\xff\xfe{}", b'{"id": "\xc3\x28"}', b'{"id":\0}'])
def test_a_body_that_is_no_text_is_refused(stage: Stage, body: bytes) -> None:
    answer = post(stage, body, {"Stripe-Signature": "t=1,v1=abc"})
    assert refused(answer, stage) == (400, "malformed_json")


def test_ten_megabytes_are_refused(stage: Stage) -> None:
    body = paid_event() + " " * 10_000_000
    assert refused(post(stage, body), stage) == (413, "body_too_large")


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"id": "evt_1"}', '"text"'])
def test_what_is_signed_but_no_event_is_refused(stage: Stage, body: str) -> None:
    assert refused(post(stage, body), stage) == (422, "invalid_message")


@pytest.mark.parametrize("identity", ["", "evt 1", "evt_\u00e9", "e" * 256])
def test_an_event_without_a_usable_id_is_refused(stage: Stage, identity: str) -> None:
    assert refused(post(stage, paid_event(id=identity)), stage) == (422, "invalid_message")


def test_a_test_mode_event_is_refused(stage: Stage) -> None:
    assert refused(post(stage, paid_event(livemode=False)), stage) == (403, "test_payment")


class TestInASandbox:
    """With ALLOW_TEST_PAYMENTS."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"ALLOW_TEST_PAYMENTS": "true"}

    def test_a_test_mode_event_is_taken(self, stage: Stage) -> None:
        assert post(stage, paid_event(livemode=False)).status_code == 200


class TestWithoutASecret:
    """Nothing is sold by Stripe."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {name: environ[name] for name in environ if name != "STRIPE_WEBHOOK_SECRETS"}

    def test_no_event_is_taken(self, stage: Stage) -> None:
        body = paid_event()
        answer = post(stage, body, {"Stripe-Signature": signature(body, "")})
        assert refused(answer, stage) == (401, "invalid_signature")
