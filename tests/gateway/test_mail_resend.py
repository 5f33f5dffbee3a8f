"""Letters by Resend, against its API on a real socket."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest
from starlette.responses import Response

from gateway.adapters.resend import ResendMailer
from gateway.mail_message import sender
from gateway.ports import Mail, MailError, MailRefused
from tests.gateway.fake_resend import KEY, FakeResend, error
from tests.gateway.live_server import served

MAIL = Mail(
    to="mia@bücher.example",
    subject="Ánh’s book\r\nBcc: x@y.example",
    text="Hello",
    html="<p>Hello</p>",
    message_id="order-1.book_ready",
)
FROM = sender("Füchse <books@foxetales.example>")


@pytest.fixture
def fake() -> FakeResend:
    return FakeResend()


@pytest.fixture
def url(fake: FakeResend) -> Iterator[str]:
    with served(fake.app()) as url:
        yield url


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5) as client:
        yield client


@pytest.fixture
def resend(url: str, client: httpx.Client) -> ResendMailer:
    return ResendMailer(client, api_url=url, api_key=KEY, from_=FROM)


def calls(mailer: ResendMailer) -> list[Callable[[], None]]:
    return [lambda: mailer.send(MAIL), mailer.ping]


def test_a_letter_is_handed_over(resend: ResendMailer, fake: FakeResend) -> None:
    resend.send(MAIL)
    assert fake.sent == [
        {
            "from": "Füchse <books@foxetales.example>",
            "to": ["mia@xn--bcher-kva.example"],
            "subject": "Ánh’s book Bcc: x@y.example",
            "text": "Hello",
            "html": "<p>Hello</p>",
            "headers": {"Auto-Submitted": "auto-generated"},
        }
    ]
    assert list(fake.by_key) == ["order-1.book_ready"]


def test_one_letter_is_sent_once(resend: ResendMailer, fake: FakeResend) -> None:
    resend.send(MAIL)
    resend.send(MAIL)
    resend.send(replace(MAIL, text="the same letter, with links signed anew"))
    assert [letter["text"] for letter in fake.sent] == ["Hello"]
    resend.send(replace(MAIL, message_id="order-1.shipped"))
    assert len(fake.sent) == 2


def test_an_attempt_that_is_still_at_work_isnt_taken_for_sent(
    resend: ResendMailer, fake: FakeResend
) -> None:
    fake.fail_next = [error(409, "concurrent_idempotent_requests")]
    with pytest.raises(MailError) as caught:
        resend.send(MAIL)
    assert type(caught.value) is MailError


@pytest.mark.parametrize("status", [400, 422])
def test_what_resend_faults_is_refused_without_repeating_it(
    resend: ResendMailer, fake: FakeResend, status: int
) -> None:
    fake.fail_next = [error(status, "validation_error", "Invalid `to` field: mia")]
    with pytest.raises(MailRefused) as caught:
        resend.send(MAIL)
    assert str(caught.value) == f"Resend answered {status} validation_error"


def test_what_is_no_address_isnt_even_tried(resend: ResendMailer, fake: FakeResend) -> None:
    for address in ("mia", "a@b.de, c@d.de", ""):
        with pytest.raises(MailRefused):
            resend.send(replace(MAIL, to=address))
    assert fake.sent == []


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (401, "missing_api_key"),
        (403, "invalid_api_key"),
        (429, "rate_limit_exceeded"),
        (429, "daily_quota_exceeded"),
        (500, "application_error"),
        (503, "service_unavailable"),
    ],
)
def test_what_may_go_better_later_isnt_refused(
    resend: ResendMailer, fake: FakeResend, status: int, name: str
) -> None:
    for call in calls(resend):
        fake.fail_next = [error(status, name, **{"Retry-After": "3"})]
        with pytest.raises(MailError, match=f"{status} {name}") as caught:
            call()
        assert type(caught.value) is MailError
        assert caught.value.retry_after_s == 3.0


def test_an_error_in_another_form_is_an_error(resend: ResendMailer, fake: FakeResend) -> None:
    for body in (b"<html>", b"\xff", b"[]", b'{"name": "mia@parents.example"}'):
        fake.fail_next = [Response(body, 502)]
        with pytest.raises(MailError, match=r"^Resend answered 502$") as caught:
            resend.send(MAIL)
        assert caught.value.retry_after_s is None


def test_a_wrong_key_is_told_without_it(url: str, client: httpx.Client) -> None:
    wrong = ResendMailer(client, api_url=url, api_key="re_hunter2", from_=FROM)
    for call in calls(wrong):
        with pytest.raises(MailError, match="invalid_api_key") as caught:
            call()
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("sending_only", [True, False])
def test_a_key_that_may_only_send_is_well(
    resend: ResendMailer, fake: FakeResend, sending_only: bool
) -> None:
    fake.sending_only = sending_only
    resend.ping()


def test_a_resend_that_is_down_is_an_error(client: httpx.Client) -> None:
    down = ResendMailer(client, api_url="http://127.0.0.1:9", api_key=KEY, from_=FROM)
    for call in calls(down):
        with pytest.raises(MailError, match="ConnectError"):
            call()
