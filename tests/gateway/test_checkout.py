"""Buying a book: the page where it is paid, and the way back from it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from gateway.adapters.stripe_payments import StripePayments
from gateway.order_records import Checkout, InboxItem, Order
from gateway.records import Preview, reading, writing
from gateway.services import Services
from gateway.stripe_events import Event, message_of
from tests.gateway import fake_stripe
from tests.gateway.fake_stripe import FakeStripe, event, payments_at
from tests.gateway.fakes import MovableClock
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import Job, Stage

PRICE = 3900


@pytest.fixture
def stripe(clock: MovableClock) -> FakeStripe:
    return FakeStripe(now=clock.now)


@pytest.fixture
def payments(stripe: FakeStripe) -> Iterator[StripePayments]:
    with payments_at(stripe) as payments:
        yield payments


@pytest.fixture
def services(services: Services, payments: StripePayments) -> Services:
    till = replace(services.sales.till, payments=payments)
    return replace(services, sales=replace(services.sales, till=till))


@pytest.fixture
def job(stage: Stage) -> Job:
    """A preview whose pictures are there."""
    return finished(stage)


def finished(stage: Stage) -> Job:
    job = stage.order()
    stage.dispatch()
    stage.finish(stage.endpoint.submitted[-1])
    return job


def buy(stage: Stage, job: Job, *, key: str | None = None, **fields: Any) -> httpx2.Response:
    body = {"preview_id": job.preview_id, **fields}
    headers = job.headers | ({"Idempotency-Key": key} if key else {})
    return stage.client.post("/api/checkout", json=body, headers=headers)


def ask(stage: Stage, job: Job, session_id: str) -> httpx2.Response:
    return stage.client.get(f"/api/checkout/{session_id}", headers=job.headers)


def bought(stage: Stage, job: Job, **fields: Any) -> str:
    answer = buy(stage, job, **fields)
    assert answer.status_code == 201, answer.text
    session_id = answer.json()["session_id"]
    assert isinstance(session_id, str)
    return session_id


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def orders(stage: Stage) -> list[Order]:
    with reading(stage.services.engine) as session:
        return list(session.scalars(select(Order)))


def test_a_page_is_opened_for_the_catalogue_s_price(
    stage: Stage, job: Job, stripe: FakeStripe
) -> None:
    answer = buy(stage, job, quantity=3, email="parent@example.com")
    document = answer.json()
    session = stripe.sessions[document["session_id"]]
    assert answer.status_code == 201
    assert document == {
        "session_id": session["id"],
        "checkout_url": session["url"],
        "status_url": f"http://gateway.test/api/checkout/{session['id']}",
        "preview_id": job.preview_id,
        "quantity": 3,
        "amount": 3 * PRICE,
        "currency": "USD",
    }
    assert session["amount_total"] == 3 * PRICE
    assert answer.headers["location"] == document["status_url"]


def test_stripe_is_not_told_the_child_s_name(stage: Stage, job: Job, stripe: FakeStripe) -> None:
    buy(stage, job)
    assert "Ada" not in str(stripe.requests)


def test_what_was_opened_is_kept(stage: Stage, job: Job) -> None:
    session_id = bought(stage, job, quantity=2)
    with reading(stage.services.engine) as session:
        kept = session.get_one(Checkout, session_id)
    assert (kept.preview_id, kept.quantity, kept.amount) == (job.preview_id, 2, 2 * PRICE)


def test_the_same_key_gets_the_same_page(stage: Stage, job: Job, stripe: FakeStripe) -> None:
    first, second = buy(stage, job, key="cart-1"), buy(stage, job, key="cart-1")
    assert first.json() == second.json()
    assert len(stripe.requests) == 1
    assert bought(stage, job, key="cart-2") != first.json()["session_id"]


def test_a_page_whose_record_was_lost_is_found_again_by_its_key(
    stage: Stage, job: Job, stripe: FakeStripe
) -> None:
    """The gateway died after Stripe had opened it."""
    session_id = bought(stage, job, key="cart-1")
    with writing(stage.services.engine) as session:
        session.delete(session.get_one(Checkout, session_id))
    assert bought(stage, job, key="cart-1") == session_id
    assert len(stripe.sessions) == 1


def test_a_key_is_for_one_request(stage: Stage, job: Job) -> None:
    bought(stage, job, key="cart-1")
    assert code(buy(stage, job, key="cart-1", quantity=2)) == (422, "idempotency_key_reused")
    other = buy(stage, job, key="cart-1", dedication="For Ada")
    assert code(other) == (422, "idempotency_key_reused")


def test_previews_have_keys_of_their_own(stage: Stage, job: Job) -> None:
    assert bought(stage, job, key="k") != bought(stage, finished(stage), key="k")


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": 0},
        {"quantity": 11},
        {"quantity": "1"},
        {"email": "nobody"},
        {"email": "a@b\n.c"},
        {"preview_id": "../x"},
        {"price": 1},
    ],
)
def test_a_malformed_request_is_refused(
    stage: Stage, job: Job, stripe: FakeStripe, wrong: dict[str, Any]
) -> None:
    assert code(buy(stage, job, **wrong)) == (422, "invalid_request")
    assert stripe.requests == []


def test_a_preview_that_is_still_painted_cannot_be_bought(stage: Stage) -> None:
    assert code(buy(stage, stage.order())) == (409, "preview_not_ready")


def test_a_book_that_cannot_be_printed_is_not_sold(orders: OrderStage, stage: Stage) -> None:
    job = orders.preview(child_name="ليلى")
    answer = buy(stage, job)
    assert code(answer) == (422, "book_unprintable")
    assert "U+" in answer.json()["detail"]
    assert "ليلى" not in answer.text


def test_only_the_parent_may_buy(stage: Stage, job: Job) -> None:
    other = replace(job, token=finished(stage).token)
    assert code(buy(stage, other)) == (404, "preview_unknown")
    answer = stage.client.post("/api/checkout", json={"preview_id": job.preview_id})
    assert code(answer) == (401, "token_required")


def test_an_expired_preview_cannot_be_bought(stage: Stage, job: Job, clock: MovableClock) -> None:
    clock.move(days=7)
    assert code(buy(stage, job)) == (404, "preview_unknown")


def test_an_erased_preview_cannot_be_bought(stage: Stage, job: Job) -> None:
    with writing(stage.services.engine) as session:
        session.get_one(Preview, job.preview_id).erased_at = stage.services.clock.now()
    assert code(buy(stage, job)) == (404, "preview_unknown")


@pytest.mark.parametrize(("left_h", "open_h"), [(48.0, 24.0), (5.0, 5.0), (0.1, 31 / 60)])
def test_a_page_closes_with_its_preview(
    stage: Stage,
    job: Job,
    stripe: FakeStripe,
    clock: MovableClock,
    left_h: float,
    open_h: float,
) -> None:
    """As far as Stripe allows: it keeps pages open for half an hour at least."""
    clock.move(hours=7 * 24 - left_h)
    session = stripe.sessions[bought(stage, job)]
    assert session["expires_at"] == pytest.approx(clock.now().timestamp() + open_h * 3600, abs=1)


def test_stripe_being_away_is_told(stage: Stage, job: Job, stripe: FakeStripe) -> None:
    stripe.fail_next = [503]
    answer = buy(stage, job)
    assert code(answer) == (503, "checkout_unavailable")
    assert answer.headers["retry-after"] == "5"


class TestTheWayBack:
    """The parent comes back from Stripe's page, before or after Stripe's event."""

    def test_before_it_is_paid_the_page_is_open(self, stage: Stage, job: Job) -> None:
        session_id = bought(stage, job)
        answer = ask(stage, job, session_id)
        assert answer.json() == {"session_id": session_id, "status": "open", "order_id": None}
        assert answer.headers["retry-after"] == "2"

    def test_the_parent_may_be_faster_than_the_event(
        self, stage: Stage, job: Job, stripe: FakeStripe
    ) -> None:
        session_id = bought(stage, job)
        document = event("checkout.session.completed", stripe.pay(session_id))
        answer = ask(stage, job, session_id).json()
        (order,) = orders(stage)
        assert (answer["status"], answer["order_id"]) == ("paid", order.order_id)
        hear(stage, document)
        assert [order.order_id for order in orders(stage)] == [answer["order_id"]]

    def test_the_event_may_be_faster_than_the_parent(
        self, stage: Stage, job: Job, stripe: FakeStripe
    ) -> None:
        session_id = bought(stage, job)
        hear(stage, event("checkout.session.completed", stripe.pay(session_id)))
        stripe.fail_next = [503] * 3
        (order,) = orders(stage)
        assert ask(stage, job, session_id).json()["order_id"] == order.order_id
        assert stripe.fail_next == [503] * 3, "Stripe isn't asked for what we know"

    def test_a_payment_may_take_days(self, stage: Stage, job: Job, stripe: FakeStripe) -> None:
        session_id = bought(stage, job)
        stripe.pay(session_id, payment_status="unpaid")
        assert ask(stage, job, session_id).json()["status"] == "processing"
        assert orders(stage) == []

    def test_a_page_may_have_closed(self, stage: Stage, job: Job, stripe: FakeStripe) -> None:
        session_id = bought(stage, job)
        stripe.sessions[session_id]["status"] = "expired"
        assert ask(stage, job, session_id).json()["status"] == "expired"

    def test_another_s_checkout_is_not_there(self, stage: Stage, job: Job) -> None:
        session_id = bought(stage, job)
        assert code(ask(stage, finished(stage), session_id)) == (404, "checkout_unknown")
        assert code(ask(stage, job, "cs_nobody")) == (404, "checkout_unknown")

    def test_stripe_may_be_away(self, stage: Stage, job: Job, stripe: FakeStripe) -> None:
        session_id = bought(stage, job)
        stripe.fail_next = [500] * 3
        assert code(ask(stage, job, session_id)) == (503, "checkout_unavailable")


class TestMissedEvents:
    """What Stripe couldn't deliver is fetched."""

    def test_an_order_comes_of_an_event_that_was_never_delivered(
        self, stage: Stage, job: Job, stripe: FakeStripe
    ) -> None:
        paid = stripe.pay(bought(stage, job))
        stripe.events.append(event("checkout.session.completed", paid))
        assert pick_up(stage) == 1
        stage.services.sales.inbox.work_due()
        assert len(orders(stage)) == 1

    def test_what_was_heard_before_is_not_done_again(
        self, stage: Stage, job: Job, stripe: FakeStripe
    ) -> None:
        document = event("checkout.session.completed", stripe.pay(bought(stage, job)))
        stripe.events.append(document)
        hear(stage, document)
        assert pick_up(stage) == 0

    def test_very_many_are_picked_up_once(self, stage: Stage, stripe: FakeStripe) -> None:
        stripe.events = [event("checkout.session.expired", {}) for _ in range(120)]
        assert (pick_up(stage), pick_up(stage)) == (120, 0)
        with reading(stage.services.engine) as session:
            assert len(session.scalars(select(InboxItem)).all()) == 120

    def test_without_stripe_there_are_none(self, services: Services) -> None:
        till = replace(services.sales.till, payments=None)
        assert till.pick_up_missed(services.sales.inbox) == 0


def test_without_stripe_nothing_can_be_bought(stage: Stage, job: Job) -> None:
    services = stage.services
    till = replace(services.sales.till, payments=None)
    app = stage.client.app
    app.state.services = replace(services, sales=replace(services.sales, till=till))  # type: ignore[attr-defined]
    assert code(buy(stage, job)) == (503, "checkout_unavailable")


def hear(stage: Stage, document: dict[str, Any]) -> None:
    inbox = stage.services.sales.inbox
    inbox.record([message_of(Event.model_validate(document), fake_stripe.text(document))])
    inbox.work_due()


def pick_up(stage: Stage) -> int:
    return stage.services.sales.till.pick_up_missed(stage.services.sales.inbox)
