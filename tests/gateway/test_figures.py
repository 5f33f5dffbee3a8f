"""The numbers that a monitor reads: what waits, and for how long."""

import re

from sqlalchemy import create_engine

from contract.errors import ErrorCode
from gateway import order_book
from gateway.figures import work_gauges
from gateway.inbox import Inbox, Message
from gateway.order_records import OutboxItem
from gateway.orders import OrderStatus, Stage
from gateway.records import writing
from gateway.services import Services
from tests.gateway.fakes import MovableClock
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import Stage as RenderStage

DATABASES = ("sqlite", "postgresql")


def numbers(services: Services) -> dict[str, float]:
    """Each sample by its name and the value of its label."""
    return {
        "/".join([gauge.name.removeprefix("foxetales_"), *(value for _, value in labels)]): value
        for gauge in work_gauges(services.engine, services.clock)
        for labels, value in gauge.samples.items()
    }


def test_with_nothing_to_do_everything_is_zero(services: Services) -> None:
    told = numbers(services)
    assert told.pop("database_read") == 1
    assert set(told.values()) == {0}


def test_orders_are_counted_where_they_are_and_the_slowest_is_told(
    orders: OrderStage, clock: MovableClock
) -> None:
    parked = orders.pay(orders.preview().preview_id, "cs_1")
    clock.move(minutes=7)
    moved = orders.pay(orders.preview().preview_id, "cs_2")
    assert moved
    clock.move(minutes=5)
    orders.change(
        moved, lambda sql, order, now: order_book.move(sql, order, OrderStatus.RENDERING, now)
    )
    clock.move(minutes=2)
    orders.change(
        str(parked), lambda sql, order, now: order_book.park(sql, order, Stage.RENDER, "x", now)
    )
    told = numbers(orders.services)
    assert (told["orders/rendering"], told["orders/needs_attention"]) == (1, 1)
    assert told["order_oldest_step_seconds"] == 120


def test_jobs_are_counted_for_an_hour_and_the_oldest_unfinished_is_told(
    stage: RenderStage, clock: MovableClock
) -> None:
    stage.order()
    stage.order()
    stage.dispatch()
    stage.finish(stage.endpoint.submitted[0])
    stage.fail(stage.endpoint.submitted[1], ErrorCode.INVALID_SLOT)
    clock.move(minutes=5)
    stage.order()
    clock.move(minutes=1)
    told = numbers(stage.services)
    counted = {
        name: told[f"jobs_of_last_hour/{name}"] for name in ("completed", "failed", "queued")
    }
    assert counted == {"completed": 1, "failed": 1, "queued": 1}
    assert told["job_oldest_seconds"] == 60
    clock.move(hours=1)
    told = numbers(stage.services)
    assert sum(value for name, value in told.items() if "of_last_hour" in name) == 0


def test_letters_that_wait_are_told_by_age_and_those_given_up_are_counted(
    orders: OrderStage, clock: MovableClock
) -> None:
    order_id = orders.pay(orders.preview().preview_id)
    clock.move(minutes=3)
    told = numbers(orders.services)
    assert (told["outbox_oldest_seconds"], told["outbox_given_up"]) == (180, 0)
    with writing(orders.services.engine) as session:
        for item in session.query(OutboxItem).filter_by(order_id=order_id):
            item.due_at, item.error = None, "refused"
    told = numbers(orders.services)
    # The letter, and the webhook to the shop.
    assert (told["outbox_oldest_seconds"], told["outbox_given_up"]) == (0, 2)


def test_what_was_seen_in_the_future_has_no_age(orders: OrderStage, clock: MovableClock) -> None:
    assert orders.pay(orders.preview().preview_id)
    clock.move(hours=-1)
    assert min(numbers(orders.services).values()) == 0


def test_a_webhook_that_came_is_told_by_age_until_it_is_dealt_with(
    services: Services, clock: MovableClock
) -> None:
    inbox = Inbox(services.engine, clock, {"stripe": lambda _: "done"})
    inbox.record([Message("stripe", "evt_1", "charge.refunded", "{}")])
    clock.move(minutes=4)
    assert numbers(services)["inbox_oldest_seconds"] == 240
    assert inbox.work_due() == 1
    assert numbers(services)["inbox_oldest_seconds"] == 0


def test_a_photo_that_outlived_its_time_by_a_day_is_counted_unless_an_order_needs_it(
    orders: OrderStage, clock: MovableClock
) -> None:
    orders.stage.order()
    orders.pay(orders.preview().preview_id)
    clock.move(days=7, hours=23)
    assert numbers(orders.services)["photos_overdue"] == 0
    clock.move(hours=1)
    assert numbers(orders.services)["photos_overdue"] == 1
    clock.move(days=100)
    assert numbers(orders.services)["photos_overdue"] == 1


def test_a_database_that_is_away_is_told_and_nothing_else(services: Services) -> None:
    away = create_engine("sqlite:////nowhere/at/all.db")
    (told,) = work_gauges(away, services.clock)
    assert (told.name, dict(told.samples)) == ("foxetales_database_read", {(): 0.0})


def test_the_numbers_are_served_as_a_monitor_reads_them(stage: RenderStage) -> None:
    answer = stage.client.get("/metrics")
    lines = answer.text.splitlines()
    assert "foxetales_database_read 1" in lines
    assert 'foxetales_dependency_up{dependency="object_store"} 1' in lines
    assert 'foxetales_orders{status="needs_attention"} 0' in lines
    sample = re.compile(r'foxetales_[a-z_]+(\{[a-z]+="\w+"\})? [0-9.e+]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines)
