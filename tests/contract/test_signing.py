"""Callback signatures, made and checked by the Standard Webhooks package."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest

from contract.signing import InvalidSignature, check_secret, new_secret, sign, verify

SECRET, OTHER = new_secret(), new_secret()
BODY = '{"name": "Zoë"}'.encode()


def signed(secret: str = SECRET, *, age: timedelta = timedelta(0)) -> dict[str, str]:
    return sign(secret, "msg_1", BODY, datetime.now(UTC) - age)


def test_a_signed_callback_tells_its_id() -> None:
    assert verify([SECRET], signed(), BODY) == "msg_1"


def test_header_names_may_come_in_any_case() -> None:
    headers = {name.title(): value for name, value in signed().items()}
    assert verify([SECRET], headers, BODY) == "msg_1"


def test_the_time_zone_of_the_signer_does_not_matter() -> None:
    now = datetime.now(timezone(timedelta(hours=7)))
    assert verify([SECRET], sign(SECRET, "msg_1", BODY, now), BODY) == "msg_1"


def test_the_old_secret_still_counts_during_rotation() -> None:
    assert verify([OTHER, SECRET], signed(SECRET), BODY) == "msg_1"


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_a_stale_or_future_callback_is_refused(age: timedelta) -> None:
    with pytest.raises(InvalidSignature, match="too"):
        verify([SECRET], signed(age=age), BODY)


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        verify([SECRET], signed(), BODY + b" ")


def test_a_changed_id_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        verify([SECRET], signed() | {"webhook-id": "msg_2"}, BODY)


def test_another_secret_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        verify([SECRET], signed(OTHER), BODY)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,%%%"},
        {"webhook-signature": "v2,AAAA"},
        {"webhook-timestamp": "soon"},
    ],
)
def test_malformed_headers_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature):
        verify([SECRET], signed() | headers if headers else {}, BODY)


def test_a_body_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        verify([SECRET], signed(), b"\xff\xfe")


def test_without_a_secret_everything_is_refused() -> None:
    with pytest.raises(InvalidSignature, match="no callback secret"):
        verify([], signed(), BODY)


@pytest.mark.parametrize(
    "secret",
    ["", "secret", "whsec_", "whsec_%%", "whsec_" + b64encode(b"x" * 23).decode()],
)
def test_a_weak_or_malformed_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="callback secret"):
        check_secret(secret)


def test_a_new_secret_is_a_good_one() -> None:
    check_secret(SECRET)
