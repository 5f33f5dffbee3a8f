"""A paid order, carried step by step by a test: no loop and no DBOS run beside it."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image

from contract.errors import ErrorCode
from contract.job import PagesJob
from contract.result import PageResult
from gateway import order_book
from gateway.fulfilment_steps import Steps
from gateway.order_book import Payment
from gateway.order_records import Order, OrderEvent, OutboxItem, Source
from gateway.orders import OrderStatus, Stage
from gateway.records import reading, writing
from gateway.run_errors import RunStopped, StepFailed
from gateway.services import Services
from tests.gateway.fakes import FakeCourier, FakeEndpoint, FakeMailer
from tests.gateway.rendering import Job, completed, page_png, result
from tests.gateway.rendering import Stage as RenderStage

ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "line2": "",
    "city": "London",
    "state": "",
    "postcode": "SW1Y 4JH",
    "country": "GB",
    "phone": "",
}


def payment(preview_id: str | None, source_id: str = "cs_1", **changes: Any) -> Payment:
    """A payment as Stripe tells of it."""
    fields: dict[str, Any] = {
        "source": Source.STRIPE,
        "shop_id": "default",
        "shop_domain": "",
        "source_id": source_id,
        "source_order": source_id,
        "payment_id": f"pi_{source_id}",
        "preview_id": preview_id,
        "quantity": 1,
        "amount": 3900,
        "currency": "USD",
        "test": False,
        "customer_id": None,
        "email": "parent@example.com",
        "address": ADDRESS,
    }
    return Payment(**{**fields, **changes})


@dataclass
class OrderStage:
    """Pays for previews, and lets steps run with a worker that answers whenever a step waits."""

    stage: RenderStage
    endpoint: FakeEndpoint
    mailer: FakeMailer
    courier: FakeCourier
    failing: bool = False
    rendered: list[PagesJob] = field(default_factory=list)

    @property
    def services(self) -> Services:
        return self.stage.services

    def preview(self, **fields: Any) -> Job:
        """A preview whose pages are painted."""
        job = self.stage.order(**fields)
        self.work()
        return job

    def pay(self, preview_id: str | None, source_id: str = "cs_1", **changes: Any) -> str | None:
        """Record a payment; return the id of the order that it made."""
        now = self.services.clock.now()
        paid = payment(preview_id, source_id, paid_at=now, **changes)
        with writing(self.services.engine) as session:
            order = order_book.record_payment(session, paid, self.services.orders.lives, now)
            return order.order_id if order else None

    def work(self) -> int:
        """A worker renders everything that waits; return how many jobs there were."""
        self.stage.dispatch()
        fresh = self.endpoint.submitted[len(self.rendered) :]
        for job in fresh:
            self.rendered.append(job)
            if self.failing:
                self.stage.fail(job, ErrorCode.NODE_FAILED)
            else:
                self.stage.call_back(result(job, self._render(job)))
        return len(fresh)

    def steps(self) -> Steps:
        """The steps, with the worker at work whenever one of them waits."""
        return replace(coarse(self.services.orders.steps), sleep=lambda _: self._wait())

    def run(self, order_id: str) -> Stage | None:
        """Carry an order on; return the stage in which the run stopped, or None."""
        for stage, step in self.steps().all().items():
            try:
                step(order_id)
            except RunStopped:
                return stage
            except StepFailed as error:
                with writing(self.services.engine) as session:
                    order = order_book.lock_order(session, order_id)
                    assert order
                    order_book.park(session, order, stage, error.reason, self.services.clock.now())
                return stage
        return None

    def again(self, order_id: str, stage: Stage) -> bool:
        """Do a step again for an order that went on; whether it found nothing to do."""
        try:
            self.step(stage)(order_id)
        except RunStopped:
            return True
        return False

    def step(self, stage: Stage) -> Callable[[str], None]:
        return self.steps().all()[stage]

    def order(self, order_id: str) -> Order:
        with reading(self.services.engine) as session:
            return session.get_one(Order, order_id)

    def status(self, order_id: str) -> OrderStatus:
        return self.order(order_id).status

    def history(self, order_id: str) -> list[str]:
        with reading(self.services.engine) as session:
            events = session.query(OrderEvent).filter_by(order_id=order_id)
            return [event.kind for event in events.order_by(OrderEvent.event_id)]

    def outbox(self, order_id: str, kind: str) -> list[str]:
        with reading(self.services.engine) as session:
            items = session.query(OutboxItem).filter_by(order_id=order_id, kind=kind)
            return sorted(item.event for item in items)

    def change(self, order_id: str, change: Callable[[Any, Order, Any], object]) -> Any:
        """Do something of the order book's with an order."""
        with writing(self.services.engine) as session:
            order = order_book.lock_order(session, order_id)
            assert order
            return change(session, order, self.services.clock.now())

    def _wait(self) -> None:
        assert self.work(), "a step waits, and there is nothing that it could wait for"

    def _render(self, job: PagesJob) -> list[PageResult]:
        return [self._page(job, task) for task in job.pages]

    def _page(self, job: PagesJob, task: Any) -> PageResult:
        data = page_png(60 + task.page_number)
        if "width" in task.slots:
            data = _picture(task.slots["width"], task.slots["height"], task.page_number)
        self.services.store.put(task.output_key, data, "image/png")
        return completed(task.page_number, task.output_key, task.seed, data)


def coarse(steps: Steps) -> Steps:
    """The steps with books of few pixels: tests don't look at the pictures."""
    profiles = {
        profile_id: profile.model_copy(update={"ppi": 72})
        for profile_id, profile in steps.binder.profiles.items()
    }
    return replace(steps, binder=replace(steps.binder, profiles=profiles))


def _picture(width: int, height: int, shade: int) -> bytes:
    """A page as large as the printer wants it, and as small in bytes as can be."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 100 + shade, 90)).save(out, "PNG", compress_level=1)
    return out.getvalue()
