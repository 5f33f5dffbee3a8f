"""What Lulu tells, read: states, tracking, complaints and signed webhooks."""

import hashlib
import hmac
import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.signing import InvalidSignature
from gateway.lulu_messages import UnreadableMessage, faults, print_job, verify_webhook
from gateway.ports import PrintStatus

SECRET = "the api secret"
SHIPPED = {
    "id": 42776,
    "external_id": "order-1",
    "status": {
        "name": "SHIPPED",
        "message": "All line-items were shipped",
        "line_item_statuses": [
            {
                "name": "SHIPPED",
                "messages": {
                    "tracking_id": "1",
                    "tracking_urls": ["https://carrier.example/track/1"],
                    "carrier_name": "Carrier",
                },
            }
        ],
    },
}


def webhook(data: object = SHIPPED, topic: str = "PRINT_JOB_STATUS_CHANGED") -> bytes:
    return json.dumps({"topic": topic, "data": data}).encode()


def digest(body: bytes, secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


def told(signature: str, body: bytes, *secrets: str) -> tuple[str, PrintStatus]:
    return verify_webhook(secrets or [SECRET], {"lulu-hmac-sha256": signature}, body)


@pytest.mark.parametrize(
    "encode",
    [bytes.hex, lambda d: d.hex().upper(), lambda d: b64encode(d).decode()],
    ids=["hex", "upper hex", "base64"],
)
def test_a_signed_webhook_is_read_whichever_way_its_signature_is_written(encode: Any) -> None:
    body = webhook()
    assert told(encode(digest(body)), body) == ("42776", PrintStatus.SHIPPED)


def test_the_headers_name_may_be_written_in_any_case() -> None:
    body = webhook()
    headers = {"Lulu-HMAC-SHA256": digest(body).hex()}
    assert verify_webhook([SECRET], headers, body) == ("42776", PrintStatus.SHIPPED)


def test_a_secret_can_be_rotated() -> None:
    body = webhook()
    assert told(digest(body, "old").hex(), body, "new", "old")[0] == "42776"


def test_what_isnt_signed_by_us_is_refused() -> None:
    body = webhook()
    right = digest(body).hex()
    for signature in (
        "",
        "0" * 64,
        right[:-1],
        right + "0",
        "ü" * 64,
        "?",
        digest(body, "x").hex(),
    ):
        with pytest.raises(InvalidSignature):
            told(signature, body)
    with pytest.raises(InvalidSignature):
        told(right, body + b" ")
    with pytest.raises(InvalidSignature):
        verify_webhook([SECRET], {}, body)
    with pytest.raises(InvalidSignature):
        verify_webhook([], {"lulu-hmac-sha256": right}, body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        webhook(topic="OTHER"),
        webhook(data=None),
        webhook(data={"id": 1, "status": {"name": "LOST"}}),
        webhook(data={"status": {"name": "SHIPPED"}}),
        webhook(data={"id": True, "status": {"name": "SHIPPED"}}),
        webhook(data={"id": "../1", "status": {"name": "SHIPPED"}}),
    ],
)
def test_a_signed_webhook_of_another_form_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableMessage):
        told(digest(body).hex(), body)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("CREATED", "accepted"),
        ("UNPAID", "accepted"),
        ("PAYMENT_IN_PROGRESS", "accepted"),
        ("PRODUCTION_DELAYED", "accepted"),
        ("PRODUCTION_READY", "accepted"),
        ("IN_PRODUCTION", "in_production"),
        ("SHIPPED", "shipped"),
        ("DELIVERED", "delivered"),
        ("REJECTED", "rejected"),
        ("ERROR", "rejected"),
        ("CANCELED", "cancelled"),
    ],
)
def test_every_state_of_lulus_is_one_of_ours(name: str, status: str) -> None:
    assert print_job({"id": 1, "status": {"name": name}}).status == status


def test_tracking_is_read_from_the_state() -> None:
    job = print_job(SHIPPED)
    assert job.tracking_urls == ("https://carrier.example/track/1",)
    assert job.carrier == "Carrier"
    assert (job.external_id, job.message) == ("order-1", "All line-items were shipped")


def test_tracking_is_read_from_line_items_once_and_only_web_links() -> None:
    job = print_job(
        {
            "id": 1,
            "status": {"name": "SHIPPED"},
            "line_items": [
                {"status": {"messages": {"tracking_urls": "https://carrier.example/1"}}},
                {"tracking_urls": ["https://carrier.example/1", "https://carrier.example/2"]},
                {"tracking_urls": ["javascript:alert(1)", "https://a b", 7, None]},
            ],
        }
    )
    assert job.tracking_urls == ("https://carrier.example/1", "https://carrier.example/2")


def test_of_a_rejected_job_the_complaints_are_told_without_links() -> None:
    job = print_job(
        {
            "id": 1,
            "status": {"name": "REJECTED", "message": "Print-job was rejected"},
            "line_items": [
                {
                    "printable_normalization": {"cover": {"source_url": "https://files.example"}},
                    "status": {
                        "name": "REJECTED",
                        "messages": {
                            "printable_normalization": {
                                "cover": ["Can't fetch https://files.example/c?signature=s"],
                                "interior": ["Pages differ in size"],
                            }
                        },
                    },
                }
            ],
        }
    )
    assert job.message == "Print-job was rejected Can't fetch … Pages differ in size"


def test_reasons_for_one_field_stand_together() -> None:
    assert faults({"a": ["one", "two"], "b": {"c": "three"}}) == {"a": "one; two", "b.c": "three"}
    assert faults(["Invalid transition"]) == {"request": "Invalid transition"}
    assert faults(None) == {}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
_jobs = st.fixed_dictionaries(
    {},
    optional={
        "id": _json,
        "external_id": _json,
        "line_items": _json | st.lists(st.dictionaries(st.just("status"), _json)),
        "status": _json
        | st.fixed_dictionaries({"name": st.just("REJECTED"), "line_item_statuses": _json}),
    },
)


@given(document=_json | _jobs)
def test_whatever_lulu_tells_is_read_or_unreadable(document: object) -> None:
    faults(document, private=["x"])
    try:
        job = print_job(document)
    except UnreadableMessage:
        return
    assert "\n" not in job.message + job.carrier
