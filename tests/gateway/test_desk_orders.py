"""What the order desk sees of orders, and does with them, over HTTP."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from contract.keys import page_key
from contract.status import JobStatus
from gateway import order_book, order_jobs
from gateway.desk_schema import OrderQuery
from gateway.desk_views import list_orders
from gateway.jobs import seed_for
from gateway.order_book import lock_order
from gateway.order_records import Order, OrderPage, OutboxItem, PrintJobRecord
from gateway.orders import OrderStatus
from gateway.orders import Stage as OrderStep
from gateway.records import Job, Page, Photo, reading, writing
from gateway.shops import change_shop
from tests.gateway.clerk import Clerk, audit
from tests.gateway.fakes import (
    FakeEndpoint,
    FakeMailer,
    FakePrinter,
    MovableClock,
)
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import Stage

SUBMITTING = OrderStep.SUBMIT


@pytest.fixture
def olga(stage: Stage) -> Clerk:
    return Clerk(stage.services, stage.client)


@pytest.fixture
def order_id(orders: OrderStage) -> str:
    """A paid order of a preview that is painted."""
    return paid(orders)


@pytest.fixture
def reserved(orders: OrderStage, order_id: str) -> str:
    """An order whose pages are decided, and that was parked before they were painted."""
    orders.step(OrderStep.RESERVE)(order_id)
    park(orders, order_id)
    return order_id


def paid(orders: OrderStage, source_id: str = "cs_1", **changes: Any) -> str:
    order_id = orders.pay(orders.preview().preview_id, source_id, **changes)
    assert order_id
    return order_id


def park(orders: OrderStage, order_id: str) -> None:
    def change(session: Session, order: Order, now: Any) -> None:
        order_book.park(session, order, OrderStep.RENDER, "node_failed", now)

    orders.change(order_id, change)


def give_to_printer(orders: OrderStage, order_id: str, status: str | None = None) -> None:
    """The printer may have the order; with ``status`` it said so."""
    now = orders.services.clock.now()
    with writing(orders.services.engine) as session:
        session.add(
            PrintJobRecord(
                external_id=f"{order_id}-1",
                order_id=order_id,
                edition=1,
                vendor="file_drop",
                status=status,
                files={},
                created_at=now,
                updated_at=now,
            )
        )


def book_of(orders: OrderStage, order_id: str) -> dict[int, int]:
    """Which take of each page is in the book."""
    with reading(orders.services.engine) as session:
        pages = session.query(OrderPage).filter_by(order_id=order_id)
        return {page.page_number: page.take for page in pages}


def refused(answer: Any, code: str = "order_state") -> bool:
    return (answer.status_code, answer.json()["code"]) == (409, code)


def test_orders_are_listed_newest_first_page_by_page(
    olga: Clerk, orders: OrderStage, clock: MovableClock
) -> None:
    made = []
    for number in range(6):
        made.append((number // 2, paid(orders, f"cs_{number}")))
        clock.move(minutes=number % 2)  # any two are paid at the same moment
    told: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = olga.get("/orders", **query).json()
        told += [row["order_id"] for row in page["orders"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert told == [order_id for _, order_id in sorted(made, reverse=True)]


def test_a_list_tells_nothing_personal_and_isnt_written_down(
    olga: Clerk, order_id: str, orders: OrderStage
) -> None:
    answer = olga.get("/orders")
    (row,) = answer.json()["orders"]
    assert (row["order_id"], row["status"], row["amount"]) == (order_id, "paid", 3900)
    for personal in ("parent@example.com", "Lovelace", "London", "Ada"):
        assert personal not in answer.text
    assert audit(orders.services) == [("olga", "logged_in", None)]


def test_orders_are_filtered_by_state(olga: Clerk, orders: OrderStage) -> None:
    first, second = paid(orders, "cs_1"), paid(orders, "cs_2")
    park(orders, second)
    parked = olga.get("/orders", status="needs_attention").json()["orders"]
    assert [row["order_id"] for row in parked] == [second]
    assert parked[0]["parked_reason"] == "node_failed"
    rows = olga.get("/orders", status="paid").json()["orders"]
    assert [row["order_id"] for row in rows] == [first]


def test_orders_are_found_by_each_of_their_names_and_the_search_is_written_down(
    olga: Clerk, orders: OrderStage
) -> None:
    wanted = paid(orders, "7001/1", source_order="7001", email="Mum@Example.com")
    paid(orders, "7002/1", source_order="7002", email="mum@example.com.evil")

    def named(_session: Session, order: Order, _now: Any) -> None:
        order.source_name = "#1001"

    orders.change(wanted, named)
    give_to_printer(orders, wanted)
    with writing(orders.services.engine) as session:
        session.execute(update(PrintJobRecord).values(vendor_id="88123"))
    texts = (wanted, "7001", "7001/1", "pi_7001/1", "mum@example.COM", " 7001 ")
    for text in (*texts, "#1001", "1001", f"{wanted}-1", "88123"):
        rows = olga.get("/orders", q=text).json()["orders"]
        assert [(row["order_id"], row["source_name"]) for row in rows] == [(wanted, "#1001")], text
    for text in ("700", "mum@", "%", "#100", "100", "pi_7001", "8812"):
        assert olga.get("/orders", q=text).json()["orders"] == [], text
    assert audit(orders.services)[-1] == ("olga", "orders_searched", None)


def test_a_shop_s_own_form_of_numbers_is_found(olga: Clerk, orders: OrderStage) -> None:
    wanted = paid(orders)

    def named(_session: Session, order: Order, _now: Any) -> None:
        order.source_name = "EN1001-X"

    orders.change(wanted, named)
    rows = olga.get("/orders", q="EN1001-X").json()["orders"]
    assert [row["order_id"] for row in rows] == [wanted]


def test_a_search_reads_no_table_from_end_to_end(orders: OrderStage) -> None:
    asked: list[tuple[str, Any]] = []

    @event.listens_for(orders.services.engine, "before_cursor_execute")
    def keep(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    list_orders(orders.services, "olga", OrderQuery(q="#1001"))
    statement, parameters = next(item for item in asked if "source_name IN" in item[0])
    with orders.services.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert not [row[3] for row in plan if row[3] in ("SCAN orders", "SCAN print_jobs")], plan


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "MjAzMC0wMS0wMQ"},
        {"cursor": "é"},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "ten"},
        {"status": "lost"},
        {"q": ""},
        {"q": "a\x00b"},
        {"q": "x" * 321},
        {"sort": "amount"},
    ],
)
def test_a_query_that_makes_no_sense_is_refused(olga: Clerk, query: dict[str, str]) -> None:
    answer = olga.get("/orders", **query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_the_order_is_shown_with_all_that_belongs_to_it(
    olga: Clerk, orders: OrderStage, order_id: str
) -> None:
    assert orders.run(order_id) is None
    seen = olga.see(order_id)
    assert seen["email"] == "parent@example.com"
    assert seen["address"]["city"] == "London"
    assert (seen["title"], seen["child"]["name"]) == ("Ada and the Moonlit Fox", "Ada")
    assert len(seen["pages"]) == 35
    assert all(page["takes"][0]["chosen"] for page in seen["pages"])
    assert seen["history"][0]["kind"] == "paid"
    assert [job["external_id"] for job in seen["print_jobs"]] == [f"{order_id}-1"]
    assert "order_confirmed" in [item["event"] for item in seen["outbox"]]
    assert seen["files"] == ["full_book", "cover", "screen_book"]
    picture = olga.client.get(seen["pages"][4]["takes"][0]["image_url"])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    assert audit(orders.services)[-1] == ("olga", "order_viewed", order_id)
    link = olga.get(f"/orders/{order_id}/files/cover").json()["url"]
    assert olga.client.get(link).content.startswith(b"%PDF")
    assert audit(orders.services)[-1] == ("olga", "file_opened", order_id)


def test_what_isnt_there_is_unknown(olga: Clerk, order_id: str) -> None:
    for path in ("0" * 32, "..", "a b", "%00", "x" * 65):
        answer = olga.get(f"/orders/{path}")
        assert (answer.status_code, answer.json()["code"]) in (
            (404, "order_unknown"),
            (404, "not_found"),  # the path was made shorter on the way
        )
    for part in ("cover", "secrets", "../cover"):
        assert olga.get(f"/orders/{order_id}/files/{part}").status_code == 404


def test_an_order_waits_for_approval_and_goes_on_with_it(
    olga: Clerk, orders: OrderStage, order_id: str, printer: FakePrinter
) -> None:
    change_shop(orders.services.engine, "default", {"approval": True})
    assert orders.run(order_id) is OrderStep.APPROVE
    assert orders.status(order_id) is OrderStatus.AWAITING_APPROVAL
    answer = olga.act(order_id, "approve")
    assert (answer.status_code, answer.json()["status"]) == (200, "paid")
    assert refused(olga.act(order_id, "approve"))
    assert orders.run(order_id) is None
    assert len(printer.submitted) == 1
    assert ("olga", "approved", order_id) in audit(orders.services)
    (event,) = [e for e in olga.see(order_id)["history"] if e["kind"] == "approved"]
    assert event["actor"] == "olga"


def test_a_parked_order_is_tried_again_and_no_other(
    olga: Clerk, orders: OrderStage, order_id: str
) -> None:
    assert refused(olga.act(order_id, "retry"))
    before = audit(orders.services)
    park(orders, order_id)
    answer = olga.act(order_id, "retry").json()
    assert (answer["status"], answer["parked_reason"]) == ("paid", None)
    assert orders.order(order_id).run == 2
    assert audit(orders.services) == [*before, ("olga", "retried", order_id)]


def test_a_held_order_stops_and_goes_on_when_it_is_released(
    olga: Clerk, orders: OrderStage, order_id: str
) -> None:
    held = olga.act(order_id, "hold", {"reason": "wrong_child"}).json()
    assert (held["status"], held["hold_reason"]) == ("on_hold", "wrong_child")
    assert refused(olga.act(order_id, "hold", {"reason": "other"}))
    assert refused(olga.act(order_id, "retry"))
    assert orders.order(order_id).hold_reason == "wrong_child"
    released = olga.act(order_id, "release").json()
    assert (released["status"], released["hold_reason"]) == ("paid", None)
    assert refused(olga.act(order_id, "release"))


def test_a_hold_that_comes_too_late_is_noted_and_said_to_be(
    olga: Clerk, orders: OrderStage, order_id: str
) -> None:
    give_to_printer(orders, order_id)
    assert refused(olga.act(order_id, "hold"))
    order = orders.order(order_id)
    assert (order.status, order.hold_reason) == (OrderStatus.PAID, "desk")
    assert orders.history(order_id)[-1] == "hold_too_late"


def test_cancelling_stops_the_render_jobs_at_the_endpoint_too(
    olga: Clerk, orders: OrderStage, order_id: str, endpoint: FakeEndpoint
) -> None:
    orders.step(OrderStep.RESERVE)(order_id)
    with writing(orders.services.engine) as session:
        jobs = session.query(Job).filter_by(order_id=order_id).all()
        order_jobs.release(
            jobs[:1], order_jobs.Shards(6, 4), orders.services.clock.now(), alone=False
        )
    orders.stage.dispatch()
    runpod_id = f"rp-{len(endpoint.submitted)}"
    answer = olga.act(order_id, "cancel", {"reason": "wrong_child"})
    assert answer.json()["status"] == "cancelled"
    assert endpoint.cancelled == [runpod_id]
    with reading(orders.services.engine) as session:
        states = session.scalars(select(Job.status).where(Job.order_id == order_id)).all()
    assert len(states) > 1
    assert set(states) == {JobStatus.CANCELLED}
    assert orders.outbox(order_id, "mail") == ["order_cancelled", "order_confirmed"]
    assert olga.act(order_id, "cancel").status_code == 200
    assert refused(olga.act(order_id, "approve"))


def test_cancelling_leaves_the_pages_that_another_order_waits_for(
    olga: Clerk, orders: OrderStage
) -> None:
    class Interrupted(Exception):
        """The first order's run ends while its pages are being enlarged."""

    def interrupt(_: float) -> None:
        raise Interrupted

    preview = orders.preview()
    first = orders.pay(preview.preview_id, "cs_1")
    second = orders.pay(preview.preview_id, "cs_2")
    assert first
    assert second
    for order_id in (first, second):
        orders.step(OrderStep.RESERVE)(order_id)
        orders.step(OrderStep.RENDER)(order_id)
    with pytest.raises(Interrupted):
        replace(orders.steps(), sleep=interrupt).upscale(first)
    assert olga.act(first, "cancel").status_code == 200
    with reading(orders.services.engine) as session:
        states = session.scalars(select(Job.status).where(Job.order_id == first)).all()
    assert JobStatus.CANCELLED not in states
    orders.step(OrderStep.UPSCALE)(second)


def test_an_order_that_the_printer_may_have_isnt_cancelled(
    olga: Clerk, orders: OrderStage, order_id: str
) -> None:
    give_to_printer(orders, order_id)
    assert refused(olga.act(order_id, "cancel"))
    assert orders.status(order_id) is OrderStatus.PAID
    assert orders.history(order_id)[-1] == "cancel_too_late"


def test_a_letter_that_was_sent_is_sent_once_more_each_time(
    olga: Clerk, orders: OrderStage, order_id: str, mailer: FakeMailer
) -> None:
    outbox = orders.services.orders.outbox
    outbox.send_due()
    for _ in range(2):
        assert olga.act(order_id, "resend", {"letter": "order_confirmed"}).status_code == 200
        outbox.send_due()
    ids = [mail.message_id for mail in mailer.sent]
    assert len(ids) == len(set(ids)) == 3
    assert refused(olga.act(order_id, "resend", {"letter": "shipped"}))
    assert olga.act(order_id, "resend", {"letter": "love"}).status_code == 422


def test_a_refund_note_stands_in_the_history(olga: Clerk, order_id: str) -> None:
    note = {"amount": 500, "note": "cover was bent"}
    assert olga.act(order_id, "refund-note", note).status_code == 200
    last = olga.see(order_id)["history"][-1]
    assert (last["kind"], last["actor"], last["detail"]) == ("refund_note", "olga", note)


ADDRESS = {
    "name": "Ada King",
    "line1": "1 Ockham Park",
    "city": "Ockham",
    "postcode": "GU23 6NG",
    "country": "GB",
}


def test_an_address_is_corrected_until_the_printer_may_have_it(
    olga: Clerk, orders: OrderStage, order_id: str
) -> None:
    assert olga.act(order_id, "address", ADDRESS).status_code == 200
    kept = orders.order(order_id).address
    assert kept == {**ADDRESS, "line2": "", "state": "", "phone": ""}
    history = olga.see(order_id)["history"][-1]
    assert (history["kind"], history["detail"]) == ("address_corrected", None)
    give_to_printer(orders, order_id)
    assert refused(olga.act(order_id, "address", {**ADDRESS, "city": "Paris"}))
    with writing(orders.services.engine) as session:
        session.execute(update(PrintJobRecord).values(status="rejected"))
    assert olga.act(order_id, "address", {**ADDRESS, "city": "Paris"}).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "  "},
        {"line1": "a\nb"},
        {"line1": "a\u202eb"},
        {"city": "x" * 101},
        {"country": "gb"},
        {"country": "GBR"},
        {"planet": "Earth"},
        {"postcode": 12345},
    ],
)
def test_an_address_that_no_label_takes_is_refused(
    olga: Clerk, orders: OrderStage, order_id: str, changes: dict[str, Any]
) -> None:
    answer = olga.act(order_id, "address", {**ADDRESS, **changes})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "Ockham" not in answer.text
    kept = orders.order(order_id).address
    assert kept
    assert kept["city"] == "London"


def test_a_page_is_painted_anew_and_the_older_take_stays(
    olga: Clerk, orders: OrderStage, reserved: str
) -> None:
    answer = olga.act(reserved, "pages/2/regenerate", {"seed": 77})
    assert (answer.status_code, answer.json()["status"]) == (200, "paid")
    orders.step(OrderStep.RENDER)(reserved)
    preview_id = orders.order(reserved).preview_id
    assert preview_id
    task = next(
        task
        for job in orders.rendered
        for task in job.pages
        if task.output_key == page_key(preview_id, 2, 2)
    )
    assert task.seed == 77
    assert book_of(orders, reserved)[2] == 2
    seen = next(page for page in olga.see(reserved)["pages"] if page["page_number"] == 2)
    assert [(take["take"], take["chosen"]) for take in seen["takes"]] == [(1, False), (2, True)]
    older = olga.client.get(seen["takes"][0]["image_url"])
    assert older.status_code == 200


def test_without_a_seed_each_take_has_its_own(
    olga: Clerk, orders: OrderStage, reserved: str
) -> None:
    olga.act(reserved, "pages/2/regenerate")
    preview_id = orders.order(reserved).preview_id
    assert preview_id
    with reading(orders.services.engine) as session:
        page = session.get_one(Page, (preview_id, 2, 2, "page"))
    assert page.seed == seed_for(preview_id, 2, 2)


def test_a_book_with_another_page_needs_approval_again(
    olga: Clerk, orders: OrderStage, order_id: str
) -> None:
    change_shop(orders.services.engine, "default", {"approval": True})
    orders.run(order_id)
    olga.act(order_id, "approve")
    park(orders, order_id)
    assert olga.act(order_id, "pages/30/regenerate").status_code == 200
    assert orders.run(order_id) is OrderStep.APPROVE
    assert orders.status(order_id) is OrderStatus.AWAITING_APPROVAL
    assert book_of(orders, order_id)[30] == 2


def test_a_book_with_an_older_take_needs_approval_again(
    olga: Clerk, orders: OrderStage, order_id: str
) -> None:
    change_shop(orders.services.engine, "default", {"approval": True})
    orders.run(order_id)
    olga.act(order_id, "pages/30/regenerate")
    orders.run(order_id)
    assert olga.act(order_id, "pages/30/choose", {"take": 1}).status_code == 200
    assert book_of(orders, order_id)[30] == 1
    assert orders.run(order_id) is OrderStep.APPROVE
    assert orders.status(order_id) is OrderStatus.AWAITING_APPROVAL


def test_only_a_take_that_is_painted_can_be_chosen(
    olga: Clerk, orders: OrderStage, reserved: str
) -> None:
    for number, take in ((2, 2), (30, 1), (2, 99)):
        answer = olga.act(reserved, f"pages/{number}/choose", {"take": take})
        assert (answer.status_code, answer.json()["code"]) == (404, "page_unknown")
    assert olga.act(reserved, "pages/2/choose", {"take": 0}).status_code == 422


def test_pages_of_an_order_at_work_or_at_the_printer_stay_as_they_are(
    olga: Clerk, orders: OrderStage, order_id: str
) -> None:
    orders.step(OrderStep.RESERVE)(order_id)
    assert refused(olga.act(order_id, "pages/2/regenerate"))
    park(orders, order_id)
    give_to_printer(orders, order_id)
    assert refused(olga.act(order_id, "pages/2/regenerate"))
    assert refused(olga.act(order_id, "pages/2/choose", {"take": 1}))
    with reading(orders.services.engine) as session:
        assert session.scalar(select(func.max(Page.take))) == 1


def test_a_page_that_isnt_in_the_book_cant_be_painted_anew(
    olga: Clerk, orders: OrderStage, reserved: str
) -> None:
    for number in (0, 36, 1000, 10**30):
        answer = olga.act(reserved, f"pages/{number}/regenerate")
        assert (answer.status_code, answer.json()["code"]) == (404, "page_unknown")


def test_an_order_that_was_parked_for_its_payment_isnt_sent_on_by_a_page(
    olga: Clerk, orders: OrderStage
) -> None:
    order_id = paid(orders, problem="wrong_amount")
    assert orders.status(order_id) is OrderStatus.NEEDS_ATTENTION
    assert olga.act(order_id, "pages/2/regenerate").json()["code"] == "page_unknown"
    assert orders.status(order_id) is OrderStatus.NEEDS_ATTENTION


def test_without_the_photo_no_page_is_painted_anew(
    olga: Clerk, orders: OrderStage, reserved: str
) -> None:
    with writing(orders.services.engine) as session:
        session.execute(update(Photo).values(removed_at=orders.services.clock.now()))
    answer = olga.act(reserved, "pages/2/regenerate")
    assert (answer.status_code, answer.json()["code"]) == (404, "photo_unknown")
    assert book_of(orders, reserved)[2] == 1


def test_a_disputed_order_isnt_sent_on_by_anything_but_the_release(
    olga: Clerk, orders: OrderStage, reserved: str
) -> None:
    orders.change(reserved, lambda s, o, now: order_book.disputed(s, o, now, actor="stripe"))
    for action in ("retry", "pages/2/regenerate", "approve"):
        assert refused(olga.act(reserved, action)), action
    assert orders.status(reserved) is OrderStatus.ON_HOLD


def test_the_cost_is_told_from_the_times_of_the_pages(
    olga: Clerk, orders: OrderStage, reserved: str
) -> None:
    with writing(orders.services.engine) as session:
        for page in session.query(Page).all():
            page.timings = {"render_ms": 4000.0, "idle_ms": 1000.0, "fetch_ms": 9e9}
    seen = olga.see(reserved)
    assert seen["preview_cost"] == {"pages": 3, "gpu_seconds": 15.0, "usd": "0.0075"}
    assert seen["cost"] == {"pages": 32, "gpu_seconds": 160.0, "usd": "0.0800"}


def test_an_action_and_its_note_are_one(olga: Clerk, orders: OrderStage, order_id: str) -> None:
    before = len(audit(orders.services))
    assert refused(olga.act(order_id, "retry"))
    assert olga.act(order_id, "retry", {"reason": "x"}).status_code == 422
    assert len(audit(orders.services)) == before
    with reading(orders.services.engine) as session:
        assert session.scalar(select(func.count()).select_from(OutboxItem)) == 2
    with writing(orders.services.engine) as session:
        assert lock_order(session, order_id) is not None
