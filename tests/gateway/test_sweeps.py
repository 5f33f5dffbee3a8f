"""Whatever goes wrong while an order's pages are painted: how many sweeps it costs.

A sweep is what the gateway does once in the reconciler's period, JOB_QUIET_S: here the clock moves
on by it, jobs that are due are submitted, and those that went quiet are asked about.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from contract.errors import ErrorCode
from contract.job import PagesJob
from contract.result import PageResult
from gateway.dispatcher import POLL_S
from gateway.fulfilment import STRAY_AFTER
from gateway.ledger import CLAIM_LIFE
from gateway.order_jobs import Shards
from gateway.order_records import GatewayProcess
from gateway.ports import EndpointError, EndpointState, Mail
from gateway.processes import ThisProcess
from gateway.records import writing
from gateway.run_errors import StepFailed
from gateway.services import rounds_of
from storage.errors import StoreUnavailable
from storage.folder import FolderStore
from tests.gateway.fakes import FakeEndpoint, FakeMailer, MovableClock
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import progress, result

PERIOD_S: Final = 15.0
"""JOB_QUIET_S, as it is by default."""


class LeakyStore(FolderStore):
    """A store whose next ``lost`` reads fail."""

    lost = 0

    def get(self, key: str, max_bytes: int) -> bytes:
        if self.lost:
            self.lost -= 1
            raise StoreUnavailable("away")
        return super().get(key, max_bytes)


@dataclass
class Sweeps:
    """Carries one order's step, in one job, from sweep to sweep. ``fault`` is what befalls the
    job's first dispatch, instead of a worker; later ones are painted, and told of."""

    orders: OrderStage
    endpoint: FakeEndpoint
    clock: MovableClock
    store: LeakyStore
    fault: Callable[["Sweeps", PagesJob], None]
    count: int = 0
    seen: int = 0
    to_come: list[Callable[[], None]] = field(default_factory=list)

    def until_painted(self, order_id: str) -> int:
        """Let the order's pages be painted; return the sweeps that it took."""
        self.seen = len(self.endpoint.submitted)
        one_job = Shards(pages=99, at_once=1)
        steps = replace(
            self.orders.services.orders.steps, shards=one_job, sleep=lambda _: self.sweep()
        )
        steps.reserve(order_id)
        steps.render(order_id)
        return self.count

    def sweep(self) -> None:
        self.count += 1
        assert self.count < 20, "the order is stuck"
        self.clock.move(seconds=PERIOD_S)
        changes, self.to_come = self.to_come, []
        for change in changes:
            change()
        self.orders.stage.dispatch()
        for job in self.endpoint.submitted[self.seen :]:
            self.seen += 1
            fault, self.fault = self.fault, Sweeps.painted_and_told
            fault(self, job)
        self.orders.stage.reconcile()

    def at_the_next_sweep(self, change: Callable[[], None]) -> None:
        self.to_come.append(change)

    def paint(self, job: PagesJob, pages: int = 99) -> Sequence[PageResult]:
        """A worker stores so many pages."""
        numbers = [task.page_number for task in job.pages][:pages]
        return self.orders.stage.store(job, numbers)

    def says(self, state: EndpointState, output: Any = None, error: Any = None) -> None:
        self.orders.stage.endpoint_says(state, output=output, error=error)

    def forgets(self) -> None:
        del self.endpoint.jobs[f"rp-{len(self.endpoint.submitted)}"]

    # What may befall a dispatch.

    def painted_and_told(self, job: PagesJob) -> None:
        self.orders.stage.finish(job)

    def callback_lost(self, job: PagesJob) -> None:
        told = result(job, list(self.paint(job)))
        self.says(EndpointState.COMPLETED, told.model_dump(mode="json"))

    def callback_and_result_lost(self, job: PagesJob) -> None:
        self.paint(job)
        self.says(EndpointState.COMPLETED)

    def forgotten_after_it_was_painted(self, job: PagesJob) -> None:
        self.paint(job)
        self.forgets()

    def failed_after_it_was_painted(self, job: PagesJob) -> None:
        self.paint(job)
        self.says(EndpointState.FAILED, error="out of memory")

    def forgotten_half_way(self, job: PagesJob) -> None:
        self.paint(job, pages=5)
        self.forgets()

    def worker_died_unheard(self, _: PagesJob) -> None:
        self.says(EndpointState.FAILED, error="the pod is gone")

    def worker_died_after_a_word(self, job: PagesJob) -> None:
        self.orders.stage.call_back(progress(job, 0.5))
        self.says(EndpointState.FAILED, error="the pod is gone")

    def took_too_long(self, job: PagesJob) -> None:
        self.paint(job, pages=20)
        self.says(EndpointState.TIMED_OUT)

    def cancelled_by_somebody(self, job: PagesJob) -> None:
        self.paint(job, pages=5)
        self.says(EndpointState.CANCELLED)

    def failed_and_told(self, job: PagesJob) -> None:
        self.orders.stage.fail(job, ErrorCode.INTERNAL)

    def endpoint_away_when_asked(self, job: PagesJob) -> None:
        self.callback_lost(job)

        def away() -> None:
            self.endpoint.fail_with = EndpointError("away")
            self.at_the_next_sweep(back)

        def back() -> None:
            self.endpoint.fail_with = None

        self.at_the_next_sweep(away)

    def store_away_when_asked(self, job: PagesJob) -> None:
        self.forgotten_after_it_was_painted(job)
        self.store.lost = 1


FAULTS: Final[dict[Callable[[Sweeps, PagesJob], None], int]] = {
    # One sweep submits the job; where nothing is told, the next one asks.
    Sweeps.painted_and_told: 1,
    Sweeps.callback_lost: 2,
    Sweeps.callback_and_result_lost: 2,
    Sweeps.forgotten_after_it_was_painted: 2,
    Sweeps.failed_after_it_was_painted: 2,
    # It submits again as well, or leaves that to the one that follows: what failed has a pause.
    Sweeps.failed_and_told: 2,
    Sweeps.forgotten_half_way: 3,
    Sweeps.worker_died_unheard: 3,
    Sweeps.worker_died_after_a_word: 3,
    Sweeps.took_too_long: 3,
    # Who can't be asked is asked again by the next one.
    Sweeps.endpoint_away_when_asked: 3,
    Sweeps.store_away_when_asked: 3,
}


@pytest.fixture
def store(tmp_path: Path) -> LeakyStore:
    return LeakyStore(tmp_path / "objects")


@pytest.fixture
def order_id(orders: OrderStage) -> str:
    order_id = orders.pay(orders.preview().preview_id)
    assert order_id
    return order_id


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_an_order_goes_on_within_so_many_sweeps(
    orders: OrderStage,
    order_id: str,
    endpoint: FakeEndpoint,
    clock: MovableClock,
    store: LeakyStore,
    fault: Callable[[Sweeps, PagesJob], None],
) -> None:
    assert orders.services.settings.job_quiet_s == PERIOD_S
    sweeps = Sweeps(orders, endpoint, clock, store, fault)
    assert sweeps.until_painted(order_id) == FAULTS[fault]


def test_an_order_whose_job_was_cancelled_at_the_endpoint_is_left_to_the_desk_at_once(
    orders: OrderStage,
    order_id: str,
    endpoint: FakeEndpoint,
    clock: MovableClock,
    store: LeakyStore,
) -> None:
    sweeps = Sweeps(orders, endpoint, clock, store, Sweeps.cancelled_by_somebody)
    with pytest.raises(StepFailed, match=r"^cancelled$") as failed:
        sweeps.until_painted(order_id)
    assert not failed.value.again  # it would be taken for the wish of nobody
    assert sweeps.count == 2
    # The desk lets it go on: what is missing is painted in a new job.
    again = Sweeps(orders, endpoint, clock, store, Sweeps.painted_and_told)
    assert again.until_painted(order_id) == 1
    assert len(endpoint.submitted[-1].pages) == 32 - 5


def test_a_job_whose_gateway_died_while_it_submitted_it_waits_for_the_claim_alone(
    orders: OrderStage,
    order_id: str,
    endpoint: FakeEndpoint,
    clock: MovableClock,
    store: LeakyStore,
) -> None:
    sweeps = Sweeps(orders, endpoint, clock, store, Sweeps.painted_and_told)

    def die() -> None:
        ledger = orders.services.dispatcher.ledger
        for job_id in ledger.due(10):
            assert ledger.claim(job_id)

    sweeps.at_the_next_sweep(die)
    assert sweeps.until_painted(order_id) == 1 + CLAIM_LIFE.total_seconds() / PERIOD_S


def test_sweeps_come_as_often_as_they_are_counted_on(orders: OrderStage) -> None:
    settings = orders.services.settings
    every_s = {each.name: each.every_s for each in rounds_of(orders.services)}
    assert every_s["beat"] == every_s["dead gateways"] == settings.gateway_lost_s / 4
    assert every_s["strays"] * 2 == STRAY_AFTER.total_seconds()
    assert max(every_s["runs"], every_s["outbox"], POLL_S) * 4 < settings.job_quiet_s


def test_a_letter_that_a_dead_gateway_was_sending_leaves_with_the_first_sweep_that_misses_it(
    orders: OrderStage, order_id: str, mailer: FakeMailer, clock: MovableClock
) -> None:
    class Deadly(FakeMailer):
        def send(self, mail: Mail) -> None:
            raise SystemExit

    lost_after = timedelta(seconds=20)
    now = clock.now()
    with writing(orders.services.engine) as session:
        session.add(GatewayProcess(executor_id="dead", started_at=now, seen_at=now))
    outbox = orders.services.orders.outbox
    dead = replace(outbox, mailer=Deadly(), process=ThisProcess("dead", lost_after))
    with pytest.raises(SystemExit):
        dead.send_due()
    sent_by_sweep = []
    for _ in range(5):
        outbox.send_due()
        sent_by_sweep.append(len(mailer.sent))
        clock.move(seconds=lost_after.total_seconds() / 4)
    assert sent_by_sweep == [0, 0, 0, 0, 1]


def test_a_letter_that_a_living_gateway_could_not_note_leaves_with_its_next_sweep(
    orders: OrderStage, order_id: str, mailer: FakeMailer, clock: MovableClock
) -> None:
    class DatabaseAway(FakeMailer):
        def send(self, mail: Mail) -> None:
            raise SystemExit  # as when neither success nor failure can be written down

    outbox = orders.services.orders.outbox
    now = clock.now()
    with writing(orders.services.engine) as session:
        session.add(
            GatewayProcess(executor_id=outbox.process.executor_id, started_at=now, seen_at=now)
        )
    with pytest.raises(SystemExit):
        replace(outbox, mailer=DatabaseAway()).send_due()
    outbox.send_due()
    assert len(mailer.sent) == 1
