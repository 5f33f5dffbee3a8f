"""Lulu's webhook: a true one makes us ask Lulu, and nothing that it says is believed."""

import hmac
import json
from hashlib import sha256
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from gateway.order_records import InboxItem, PrintJobRecord
from gateway.orders import OrderStatus
from gateway.ports import PrintJob, PrintStatus
from gateway.records import reading, writing
from tests.gateway.fakes import FakeCourier, FakeEndpoint, FakeMailer, FakePrinter, MovableClock
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import Stage

SECRET = "lulu-secret"
VENDOR_ID = "4711"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    lulu = {"LULU_CLIENT_KEY": "k", "LULU_CLIENT_SECRET": "s", "LULU_WEBHOOK_SECRET": SECRET}
    return environ | {"PRINT_VENDOR": "lulu"} | lulu


@pytest.fixture
def order_id(stage: Stage, endpoint: FakeEndpoint, mailer: FakeMailer, courier: FakeCourier) -> str:
    """An order that the printer has."""
    orders = OrderStage(stage, endpoint, mailer, courier)
    order_id = orders.pay(stage.order().preview_id)
    assert order_id
    now = stage.services.clock.now()
    with writing(stage.services.engine) as session:
        session.add(
            PrintJobRecord(
                external_id=f"{order_id}-1",
                order_id=order_id,
                edition=1,
                vendor="lulu",
                vendor_id=VENDOR_ID,
                files={},
                ask_at=now.replace(hour=23),
                created_at=now,
                updated_at=now,
            )
        )
    return order_id


def job_record(stage: Stage, order_id: str) -> PrintJobRecord:
    with reading(stage.services.engine) as session:
        return session.get_one(PrintJobRecord, f"{order_id}-1")


def body(status: str = "SHIPPED", vendor_id: Any = int(VENDOR_ID)) -> bytes:
    job = {"id": vendor_id, "external_id": "whatever", "status": {"name": status}}
    return json.dumps({"topic": "PRINT_JOB_STATUS_CHANGED", "data": job}).encode()


def post(stage: Stage, sent: bytes, secret: str = SECRET) -> httpx2.Response:
    signature = hmac.new(secret.encode(), sent, sha256).hexdigest()
    headers = {"Lulu-HMAC-SHA256": signature}
    return stage.client.post("/webhooks/lulu", content=sent, headers=headers)


def recorded(stage: Stage) -> list[InboxItem]:
    with reading(stage.services.engine) as session:
        return list(session.scalars(select(InboxItem)))


def work(stage: Stage) -> None:
    while stage.services.sales.inbox.work_due():
        pass


def test_a_webhook_has_the_printer_asked_now(
    stage: Stage, order_id: str, printer: FakePrinter
) -> None:
    answer = post(stage, body())
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    work(stage)
    assert stage.services.orders.printing.due(5) == [f"{order_id}-1"]


def test_what_the_printer_says_counts_and_not_the_webhook(
    stage: Stage, order_id: str, printer: FakePrinter
) -> None:
    printer.jobs[VENDOR_ID] = PrintJob(VENDOR_ID, f"{order_id}-1", PrintStatus.IN_PRODUCTION)
    post(stage, body("DELIVERED"))
    work(stage)
    stage.services.orders.printing.ask(f"{order_id}-1")
    assert job_record(stage, order_id).status == PrintStatus.IN_PRODUCTION


def test_only_the_printer_s_id_is_kept_of_it(stage: Stage, order_id: str) -> None:
    post(stage, body())
    (item,) = recorded(stage)
    assert (item.source, item.second_id, item.body) == ("printer", VENDOR_ID, "")


def test_a_webhook_that_comes_twice_is_recorded_once(stage: Stage, order_id: str) -> None:
    assert [post(stage, body()).status_code for _ in range(2)] == [200, 200]
    post(stage, body("DELIVERED"))
    assert len(recorded(stage)) == 2


def test_a_webhook_before_we_know_the_printer_s_id_waits(
    stage: Stage, order_id: str, clock: MovableClock
) -> None:
    """The printer was faster than its own answer."""
    post(stage, body(vendor_id=4712))
    work(stage)
    assert recorded(stage)[0].outcome == "waits: no_print_job"
    with writing(stage.services.engine) as session:
        session.get_one(PrintJobRecord, f"{order_id}-1").vendor_id = "4712"
    clock.move(seconds=11)
    work(stage)
    assert stage.services.orders.printing.due(5) == [f"{order_id}-1"]


def test_a_job_that_ended_is_not_asked_about(stage: Stage, order_id: str) -> None:
    with writing(stage.services.engine) as session:
        session.get_one(PrintJobRecord, f"{order_id}-1").ask_at = None
    post(stage, body())
    work(stage)
    assert recorded(stage)[0].outcome == "ended"
    assert stage.services.orders.printing.due(5) == []


@pytest.mark.parametrize("secret", ["other", "s", ""])
def test_a_forged_webhook_is_refused(stage: Stage, order_id: str, secret: str) -> None:
    answer = post(stage, body(), secret)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert recorded(stage) == []


@pytest.mark.parametrize(
    "sent", [b"", b"{}", b"[]", b"\xff", b'{"topic": "OTHER"}', body("NEW"), body(vendor_id="../1")]
)
def test_a_signed_message_of_another_form_is_refused(
    stage: Stage, order_id: str, sent: bytes
) -> None:
    answer = post(stage, sent)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_message")
    assert recorded(stage) == []


def test_the_order_stays_where_it_is_until_the_printer_was_asked(
    stage: Stage, order_id: str, endpoint: FakeEndpoint, mailer: FakeMailer, courier: FakeCourier
) -> None:
    post(stage, body("CANCELED"))
    work(stage)
    status = OrderStage(stage, endpoint, mailer, courier).status(order_id)
    assert status is OrderStatus.PAID
