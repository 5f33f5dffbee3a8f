"""``python -m gateway inbox`` and ``outbox``: what wasn't dealt with, and what didn't leave."""

import io

import pytest
from sqlalchemy import Engine

from gateway.commands import NoSuchMessage, parser
from gateway.inbox import Inbox, Message, Unusable
from tests.gateway.fakes import FakeMailer, MovableClock
from tests.gateway.order_stage import OrderStage


def command(engine: Engine, clock: MovableClock, *arguments: str) -> str:
    given = parser().parse_args(arguments)
    out = io.StringIO()
    given.run(given, engine, clock, out)
    return out.getvalue()


def test_a_message_that_was_given_up_is_listed_and_handled_again(
    engine: Engine, clock: MovableClock
) -> None:
    handled: list[str] = []

    def refuse(message: Message) -> str:
        raise Unusable("form")

    def accept(message: Message) -> str:
        handled.append(message.message_id)
        return "done"

    message = Message("stripe", "evt_1", "charge.refunded", "{}")
    Inbox(engine, clock, {"stripe": refuse}).record([message])
    Inbox(engine, clock, {"stripe": refuse}).work_due()
    assert "stripe  evt_1  charge.refunded  failed: form" in command(engine, clock, "inbox", "list")
    command(engine, clock, "inbox", "replay", "stripe", "evt_1")
    Inbox(engine, clock, {"stripe": accept}).work_due()
    assert handled == ["evt_1"]
    assert command(engine, clock, "inbox", "list") == ""
    with pytest.raises(NoSuchMessage):
        command(engine, clock, "inbox", "replay", "stripe", "evt_1")


def test_a_letter_that_did_not_leave_is_listed_and_sent_again(
    orders: OrderStage, mailer: FakeMailer, engine: Engine, clock: MovableClock
) -> None:
    order_id = orders.pay(orders.preview().preview_id)
    mailer.fail_with = RuntimeError("away")
    orders.services.orders.outbox.send_due()
    name = f"{order_id}.mail.order_confirmed"
    assert f"{name}  tried on  RuntimeError" in command(engine, clock, "outbox", "list")
    mailer.fail_with = None
    command(engine, clock, "outbox", "replay", name)
    orders.services.orders.outbox.send_due()
    assert len(mailer.sent) == 1
    assert command(engine, clock, "outbox", "list") == ""
    with pytest.raises(NoSuchMessage):
        command(engine, clock, "outbox", "replay", "nothing")
