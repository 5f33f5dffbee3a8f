"""Orders that nobody carries on are found among those that somebody does, however many these are.

DBOS runs in this process, as it does in a gateway.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Engine

from gateway import order_book
from gateway.fulfilment import Fulfilment
from gateway.migrations import upgrade
from gateway.order_book import Lives
from gateway.order_records import Order
from gateway.orders import OrderStatus, Stage
from gateway.processes import ThisProcess
from gateway.records import open_engine, reading, writing
from tests.gateway.fakes import MovableClock
from tests.gateway.order_stage import payment

LIVES = Lives(download=timedelta(days=30), photo=timedelta(days=30))


class Carrier:
    """A gateway's runs. Their first step lasts until the test is over."""

    def __init__(self, database_url: str) -> None:
        self.engine: Engine = open_engine(database_url)
        upgrade(self.engine)
        self.clock = MovableClock()
        self.over = Event()
        self.fulfilment = Fulfilment(
            engine=self.engine,
            clock=self.clock,
            steps={Stage.RESERVE: self._work},
            database_url=database_url,
            process=ThisProcess("gateway-1", timedelta(seconds=20)),
            at_once=20,
            set_clock=lambda: None,
        )
        self.fulfilment.open()

    def _work(self, _order_id: str) -> None:
        assert self.over.wait(60)

    def order(self, source_id: str, *, silent: timedelta, carried: bool) -> str:
        """An order that was last moved ``silent`` ago; ``carried`` says that its run lives."""
        now = self.clock.now()
        with writing(self.engine) as session:
            order = order_book.record_payment(
                session, payment(None, source_id, paid_at=now, problem=None), LIVES, now
            )
            assert order
            order_id = order.order_id
        with writing(self.engine) as session:
            order = session.get_one(Order, order_id)
            order.status, order.run_due_at = OrderStatus.PAID, now if carried else None
        if carried:
            assert self.fulfilment.start_due() == 1
        with writing(self.engine) as session:
            session.get_one(Order, order_id).updated_at = now - silent
        return order_id

    def runs(self, order_id: str) -> int:
        """How many runs of the order were begun, or are to be."""
        with reading(self.engine) as session:
            return session.get_one(Order, order_id).run

    def close(self) -> None:
        self.over.set()
        self.fulfilment.close()
        self.engine.dispose()


@pytest.fixture
def carrier(tmp_path: Path) -> Iterator[Carrier]:
    made = Carrier(f"sqlite:///{tmp_path}/gateway.db")
    yield made
    made.close()


def test_a_run_that_lives_is_left_alone(carrier: Carrier) -> None:
    carried = carrier.order("cs_1", silent=timedelta(hours=1), carried=True)
    assert carrier.fulfilment.start_strays() == 0
    assert carrier.runs(carried) == 1


def test_a_stray_is_found_behind_more_living_runs_than_are_looked_at(carrier: Carrier) -> None:
    for number in range(3):  # made before it, but they moved since
        carrier.order(f"cs_{number}", silent=timedelta(minutes=3), carried=True)
    stray = carrier.order("cs_9", silent=timedelta(minutes=10), carried=False)
    assert carrier.fulfilment.start_strays(limit=2) == 1
    assert carrier.runs(stray) == 2


def test_one_that_was_seen_in_the_future_is_the_longest_silent(carrier: Carrier) -> None:
    for number in range(3):
        carrier.order(f"cs_{number}", silent=timedelta(minutes=10), carried=True)
    stray = carrier.order("cs_9", silent=-timedelta(hours=1), carried=False)  # a clock was wrong
    assert carrier.fulfilment.start_strays(limit=2) == 1
    assert carrier.runs(stray) == 2


def test_a_moment_of_silence_makes_no_stray(carrier: Carrier) -> None:
    for source_id, silent in (("cs_1", 119), ("cs_2", 0), ("cs_3", -5)):
        carrier.order(source_id, silent=timedelta(seconds=silent), carried=False)
    assert carrier.fulfilment.start_strays() == 0
    carrier.clock.move(seconds=1)
    assert carrier.fulfilment.start_strays() == 1
