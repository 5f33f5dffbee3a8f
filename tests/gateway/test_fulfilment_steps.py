"""The steps from a paid order to the printer, with a worker, a printer and a shop that behave."""

import io
from dataclasses import replace
from datetime import datetime
from functools import partial

import pikepdf
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from contract.signing import new_secret
from gateway import order_book
from gateway.order_records import Order, PrintJobRecord
from gateway.orders import IllegalTransition, OrderStatus, Stage
from gateway.ports import MailError, PrintError, PrintJob, PrintOrder, PrintRejected, PrintStatus
from gateway.records import reading
from gateway.run_errors import StepBusy, StepFailed
from gateway.shops import change_shop
from tests.gateway.fakes import FakePrinter, MovableClock
from tests.gateway.order_stage import OrderStage, coarse
from tests.gateway.rendering import Stage as RenderStage

PAGES = 35


@pytest.fixture
def paid(orders: OrderStage) -> str:
    order_id = orders.pay(orders.preview().preview_id)
    assert order_id
    return order_id


def printed(orders: OrderStage, order_id: str) -> list[PrintJobRecord]:
    with reading(orders.services.engine) as session:
        return list(session.query(PrintJobRecord).filter_by(order_id=order_id))


def test_a_paid_order_is_rendered_assembled_and_given_to_the_printer(
    orders: OrderStage, paid: str, printer: FakePrinter
) -> None:
    assert orders.run(paid) is None
    assert orders.status(paid) is OrderStatus.IN_PRODUCTION
    assert len(printer.submitted) == 1
    told = printer.submitted[0]
    assert told.title == "Ada and the Moonlit Fox"
    assert told.ship_to.city == "London"
    files = orders.order(paid).files
    assert files
    interior = orders.services.store.get(files["full_book"]["key"], 10**9)
    assert len(interior) == files["full_book"]["size_bytes"] == told.interior.size_bytes
    with pikepdf.open(io.BytesIO(interior)) as pdf:
        assert len(pdf.pages) == files["pages"] >= PAGES + 2
    assert orders.outbox(paid, "mail") == ["book_ready", "order_confirmed"]


def test_pages_of_the_preview_are_taken_and_the_rest_is_painted_in_shards(
    orders: OrderStage,
) -> None:
    preview = orders.preview()
    seen = len(orders.rendered)
    order_id = orders.pay(preview.preview_id)
    assert order_id
    orders.step(Stage.RESERVE)(order_id)
    orders.step(Stage.RENDER)(order_id)
    jobs = orders.rendered[seen:]
    painted = [task.page_number for job in jobs for task in job.pages]
    assert sorted(painted) == list(range(4, PAGES + 1))
    assert max(len(job.pages) for job in jobs) == orders.services.settings.order_shard_pages


def test_the_first_shard_makes_the_identity_before_the_others_begin(orders: OrderStage) -> None:
    # No page of the order is there: the preview is rendered in another quality.
    stage = RenderStage(
        replace(
            orders.services,
            settings=orders.services.settings.model_copy(update={"preview_quality": "fast"}),
        ),
        orders.endpoint,
        orders.stage.client,
    )
    orders.stage.client.app.state.services = stage.services  # type: ignore[attr-defined]
    order_id = orders.pay(orders.preview().preview_id)
    assert order_id
    at_once: list[int] = []
    steps = replace(
        coarse(orders.services.orders.steps), sleep=lambda _: at_once.append(orders.work())
    )
    steps.reserve(order_id)
    steps.render(order_id)
    assert at_once[0] == 1
    assert max(at_once) == orders.services.settings.order_jobs_at_once


def test_steps_that_are_done_again_do_nothing_again(
    orders: OrderStage, paid: str, printer: FakePrinter
) -> None:
    assert orders.run(paid) is None
    rendered, files = len(orders.rendered), orders.order(paid).files
    for stage in (Stage.RESERVE, Stage.RENDER, Stage.UPSCALE, Stage.ASSEMBLE, Stage.SUBMIT):
        assert orders.again(paid, stage)
    assert len(orders.rendered) == rendered
    assert orders.order(paid).files == files
    assert len(printer.submitted) == 1


def test_two_orders_of_one_preview_share_what_is_painted(
    orders: OrderStage, printer: FakePrinter
) -> None:
    preview = orders.preview()
    first = orders.pay(preview.preview_id, "cs_1")
    second = orders.pay(preview.preview_id, "cs_2")
    assert first
    assert second
    assert orders.run(first) is None
    rendered = len(orders.rendered)
    assert orders.run(second) is None
    assert len(orders.rendered) == rendered
    assert len({order.external_id for order in printer.submitted}) == 2


def test_the_same_payment_makes_one_order(orders: OrderStage) -> None:
    preview = orders.preview()
    assert orders.pay(preview.preview_id, "cs_1")
    assert orders.pay(preview.preview_id, "cs_1") is None


def test_a_shop_that_wants_it_approves_before_anything_is_enlarged(
    orders: OrderStage, paid: str, printer: FakePrinter
) -> None:
    change_shop(orders.services.engine, "default", {"approval": True})
    assert orders.run(paid) is Stage.APPROVE
    assert orders.status(paid) is OrderStatus.AWAITING_APPROVAL
    assert not any("width" in task.slots for job in orders.rendered for task in job.pages)
    orders.change(paid, lambda s, o, now: order_book.approve(s, o, now, actor="desk:ada"))
    assert orders.order(paid).run == 2
    assert orders.run(paid) is None
    assert len(printer.submitted) == 1


@pytest.mark.parametrize("before", [Stage.RENDER, Stage.UPSCALE, Stage.ASSEMBLE, Stage.SUBMIT])
def test_an_order_that_is_held_goes_no_further(
    orders: OrderStage, paid: str, printer: FakePrinter, before: Stage
) -> None:
    for done in Stage:
        if done is before:
            break
        orders.step(done)(paid)
    orders.change(paid, lambda s, o, now: order_book.disputed(s, o, now, actor="stripe"))
    assert orders.run(paid) is Stage.RESERVE
    assert orders.status(paid) is OrderStatus.ON_HOLD
    assert not printer.submitted
    orders.change(
        paid, lambda s, o, now: order_book.dispute_settled(s, o, won=True, now=now, actor="stripe")
    )
    assert orders.run(paid) is None
    assert len(printer.submitted) == 1


def test_a_full_refund_cancels_and_a_partial_one_holds(orders: OrderStage, paid: str) -> None:
    orders.change(
        paid, lambda s, o, now: order_book.refunded(s, o, fully=False, now=now, actor="stripe")
    )
    assert orders.status(paid) is OrderStatus.ON_HOLD
    orders.change(
        paid, lambda s, o, now: order_book.refunded(s, o, fully=True, now=now, actor="stripe")
    )
    assert orders.status(paid) is OrderStatus.CANCELLED
    assert "order_cancelled" in orders.outbox(paid, "mail")


def test_what_is_with_the_printer_is_neither_cancelled_nor_held(
    orders: OrderStage, paid: str
) -> None:
    assert orders.run(paid) is None
    assert not orders.change(
        paid, lambda s, o, now: order_book.cancel(s, o, "changed_mind", now, actor="desk:ada")
    )
    assert not orders.change(
        paid, lambda s, o, now: order_book.hold(s, o, "disputed", now, actor="stripe")
    )
    assert orders.status(paid) is OrderStatus.IN_PRODUCTION
    assert orders.history(paid)[-2:] == ["cancel_too_late", "hold_too_late"]


@pytest.mark.parametrize("preview_id", [None, "01NOTHERE"])
def test_a_payment_for_no_preview_of_ours_is_an_order_that_needs_attention(
    orders: OrderStage, preview_id: str | None
) -> None:
    order_id = orders.pay(preview_id)
    assert order_id
    assert orders.status(order_id) is OrderStatus.NEEDS_ATTENTION
    assert orders.run(order_id) is Stage.RESERVE


def test_a_payment_for_an_expired_preview_is_parked(
    orders: OrderStage, clock: MovableClock
) -> None:
    preview = orders.preview()
    clock.move(days=8)
    order_id = orders.pay(preview.preview_id)
    assert order_id
    assert orders.order(order_id).parked_reason == "preview_gone"


def test_a_paid_preview_and_its_photo_outlive_unpaid_ones(
    orders: OrderStage, clock: MovableClock
) -> None:
    preview = orders.preview()
    assert orders.pay(preview.preview_id)
    clock.move(days=20)
    answer = orders.stage.client.get(f"/api/preview/{preview.preview_id}", headers=preview.headers)
    assert answer.status_code == 200


def test_a_printer_that_times_out_after_accepting_prints_once(
    orders: OrderStage, paid: str, printer: FakePrinter, clock: MovableClock
) -> None:
    for stage in list(Stage)[:-1]:
        orders.step(stage)(paid)
    printer.fail_after_accepting = PrintError("timed out")
    with pytest.raises(StepFailed) as failed:
        orders.step(Stage.SUBMIT)(paid)
    assert failed.value.again
    printer.fail_after_accepting = None
    with pytest.raises(StepBusy):  # the printer's search may not show the job yet
        orders.step(Stage.SUBMIT)(paid)
    clock.move(minutes=2)
    orders.step(Stage.SUBMIT)(paid)
    assert len(printer.submitted) == 1
    assert orders.status(paid) is OrderStatus.IN_PRODUCTION


def test_an_order_can_not_be_cancelled_while_nobody_knows_whether_the_printer_has_it(
    orders: OrderStage, paid: str, printer: FakePrinter
) -> None:
    for stage in list(Stage)[:-1]:
        orders.step(stage)(paid)
    printer.fail_after_accepting = PrintError("timed out")
    assert orders.run(paid) is Stage.SUBMIT
    assert orders.status(paid) is OrderStatus.NEEDS_ATTENTION
    assert not orders.change(
        paid, lambda s, o, now: order_book.cancel(s, o, "refunded", now, actor="stripe")
    )


def test_an_order_that_the_printer_refuses_waits_for_the_desk_and_can_go_again(
    orders: OrderStage, paid: str, printer: FakePrinter
) -> None:
    printer.fail_with = PrintRejected({"ship_to.postcode": "unknown"})
    for stage in list(Stage)[:-2]:
        orders.step(stage)(paid)
    printer.fail_with = None
    orders.step(Stage.ASSEMBLE)(paid)
    printer.fail_with = PrintRejected({"ship_to.postcode": "unknown"})
    assert orders.run(paid) is Stage.SUBMIT
    assert orders.order(paid).parked_reason == "print_rejected: ship_to.postcode: unknown"
    printer.fail_with = None
    orders.change(paid, lambda s, o, now: order_book.resume(s, o, now, actor="d", kind="retried"))
    assert orders.run(paid) is None
    assert len(printer.submitted) == 1


def test_two_processes_do_not_talk_to_the_printer_about_one_order(
    orders: OrderStage, paid: str, clock: MovableClock
) -> None:
    for stage in list(Stage)[:-1]:
        orders.step(stage)(paid)
    fulfilment = orders.services.orders.fulfilment
    busy: list[type[Exception]] = []

    class Curious(FakePrinter):
        def submit(self, order: PrintOrder) -> PrintJob:
            clock.move(minutes=5)  # it checks the files
            fulfilment.beat()
            with pytest.raises(StepBusy):
                orders.step(Stage.SUBMIT)(paid)
            busy.append(StepBusy)
            return super().submit(order)

    fulfilment.beat()
    replace(orders.services.orders.printing, vendor=Curious()).submit(paid)
    assert busy == [StepBusy]
    assert [job.vendor_id for job in printed(orders, paid)] == [f"vendor-{paid}-1"]


def test_what_the_printer_said_while_the_database_was_away_is_asked_again_soon(
    orders: OrderStage, paid: str, printer: FakePrinter, clock: MovableClock
) -> None:
    for stage in list(Stage)[:-1]:
        orders.step(stage)(paid)
    desk = orders.services.orders.printing
    orders.services.orders.fulfilment.beat()

    class Unheard(FakePrinter):
        def submit(self, order: PrintOrder) -> PrintJob:
            printer.submit(order)
            raise OperationalError("COMMIT", None, RuntimeError("away"))

    with pytest.raises(OperationalError):
        replace(desk, vendor=Unheard()).submit(paid)
    clock.move(minutes=2)
    orders.services.orders.fulfilment.beat()  # the process lives, and its claim is not over
    orders.step(Stage.SUBMIT)(paid)
    assert len(printer.submitted) == 1
    assert orders.status(paid) is OrderStatus.IN_PRODUCTION


def test_what_a_dead_process_was_about_is_taken_over_without_waiting_for_its_claim_to_end(
    orders: OrderStage, paid: str, printer: FakePrinter, clock: MovableClock
) -> None:
    for stage in list(Stage)[:-1]:
        orders.step(stage)(paid)
    orders.services.orders.fulfilment.beat()

    class Deadly(FakePrinter):
        def submit(self, order: PrintOrder) -> PrintJob:
            printer.submit(order)
            raise SystemExit

    with pytest.raises(SystemExit):
        replace(orders.services.orders.printing, vendor=Deadly()).submit(paid)
    clock.move(minutes=2)  # nobody saw it meanwhile
    orders.step(Stage.SUBMIT)(paid)
    assert len(printer.submitted) == 1


def test_the_printers_word_carries_the_order_on(
    orders: OrderStage, paid: str, printer: FakePrinter, clock: MovableClock
) -> None:
    assert orders.run(paid) is None
    vendor_id = f"vendor-{paid}-1"
    links = ("https://carrier.example/1",)
    printer.jobs[vendor_id] = PrintJob(
        vendor_id, f"{paid}-1", PrintStatus.SHIPPED, tracking_urls=links, carrier="Post"
    )
    desk = orders.services.orders.printing
    assert not desk.due(10)
    clock.move(hours=3)
    for external_id in desk.due(10):
        desk.ask(external_id)
    assert orders.status(paid) is OrderStatus.SHIPPED
    orders.services.orders.outbox.send_due()
    letters = [mail for mail in orders.mailer.sent if "shipped" in mail.message_id]
    assert len(letters) == 1
    assert links[0] in letters[0].text


def test_what_the_printer_gives_up_is_printed_as_another_edition_if_the_desk_says_so(
    orders: OrderStage, paid: str, printer: FakePrinter
) -> None:
    assert orders.run(paid) is None
    refused = PrintJob(f"vendor-{paid}-1", f"{paid}-1", PrintStatus.REJECTED, message="too dark")
    printer.jobs[refused.vendor_id] = refused
    orders.services.orders.printing.heard(refused)
    assert orders.order(paid).parked_reason == "printer_rejected: too dark"
    orders.change(paid, lambda s, o, now: order_book.resume(s, o, now, actor="d", kind="retried"))
    assert orders.run(paid) is None
    assert [order.external_id for order in printer.submitted] == [f"{paid}-1", f"{paid}-2"]


def test_a_failed_render_job_is_told_to_the_desk_and_tried_again_when_it_says_so(
    orders: OrderStage, paid: str
) -> None:
    orders.failing = True
    assert orders.run(paid) is Stage.RENDER
    assert orders.order(paid).parked_reason == "node_failed"
    orders.failing = False
    orders.change(paid, lambda s, o, now: order_book.resume(s, o, now, actor="d", kind="retried"))
    assert orders.run(paid) is None


def test_a_name_that_no_font_has_is_found_before_anything_is_painted(orders: OrderStage) -> None:
    preview = orders.preview(child_name="ᚠᚢᚦ")
    seen = len(orders.rendered)
    order_id = orders.pay(preview.preview_id)
    assert order_id
    assert orders.run(order_id) is Stage.RESERVE
    reason = orders.order(order_id).parked_reason
    assert reason
    assert "U+16A0" in reason
    assert len(orders.rendered) == seen


def test_letters_and_webhooks_leave_once(orders: OrderStage, paid: str) -> None:
    change_shop(
        orders.services.engine,
        "default",
        {"webhook_url": "https://shop.example/hooks", "webhook_secret": new_secret()},
    )
    assert orders.run(paid) is None
    outbox = orders.services.orders.outbox
    while outbox.send_due():
        pass
    assert sorted(mail.message_id.rpartition(".")[2] for mail in orders.mailer.sent) == [
        "book_ready",
        "order_confirmed",
    ]
    told = [message_id.partition(".webhook.")[2] for _, message_id, _ in orders.courier.delivered]
    assert told == ["order.paid", "order.rendering", "order.in_production"]


def test_a_mail_server_that_is_down_is_tried_again_later_and_gets_each_letter_once(
    orders: OrderStage, paid: str, clock: MovableClock
) -> None:
    orders.mailer.fail_with = MailError("down")
    outbox = orders.services.orders.outbox
    assert outbox.send_due()
    assert not outbox.send_due()
    orders.mailer.fail_with = None
    clock.move(minutes=1)
    assert outbox.send_due()
    assert len(orders.mailer.sent) == 1


def _moved(wanted: OrderStatus, session: Session, order: Order, now: datetime) -> None:
    order_book.move(session, order, wanted, now)


def test_illegal_transitions_are_impossible(orders: OrderStage, paid: str) -> None:
    assert orders.run(paid) is None
    for wanted in (OrderStatus.PAID, OrderStatus.RENDERING, OrderStatus.SUBMITTING):
        with pytest.raises(IllegalTransition):
            orders.change(paid, partial(_moved, wanted))
    assert orders.status(paid) is OrderStatus.IN_PRODUCTION
