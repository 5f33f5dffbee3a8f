"""What is removed when its time is over, what isn't, and what is written down about it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from contract.keys import embedding_key, photo_key
from gateway import order_book
from gateway.order_records import AuditEntry, InboxItem, Order, OutboxItem, Removal
from gateway.orders import OrderStatus
from gateway.orders import Stage as OrderStep
from gateway.ports import PrintJob, PrintStatus
from gateway.records import Photo, Preview, reading, writing
from gateway.removals import Reason
from gateway.retention import sweep
from gateway.services import Services
from storage.errors import StoreUnavailable
from storage.folder import FolderStore
from tests.gateway.fakes import MovableClock
from tests.gateway.kept import files, give_photo, with_store
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import Job as Asked

DATABASES = ("sqlite", "postgresql")


def removals(services: Services) -> list[tuple[str, str, str, int]]:
    with reading(services.engine) as session:
        rows = session.query(Removal).order_by(Removal.removal_id)
        return [(row.kind, row.subject, row.reason, row.objects) for row in rows]


def done(counts: dict[str, int]) -> dict[str, int]:
    return {kind: count for kind, count in counts.items() if count}


def bought(orders: OrderStage) -> tuple[Asked, str]:
    job = orders.preview()
    order_id = orders.pay(job.preview_id)
    assert order_id
    assert orders.run(order_id) is None
    return job, order_id


def tell(orders: OrderStage, order_id: str, status: PrintStatus) -> None:
    orders.services.orders.printing.heard(PrintJob("v-1", f"{order_id}-1", status))


def test_an_unpaid_preview_goes_after_a_week_with_all_its_files(
    orders: OrderStage, tmp_path: Path, clock: MovableClock
) -> None:
    job = orders.preview()
    orders.stage.preview(job)
    photo_id = give_photo(orders.services, job)
    clock.move(hours=23)
    assert done(sweep(orders.services)) == {}
    clock.move(days=6)
    assert done(sweep(orders.services)) == {"embeddings": 1}
    clock.move(hours=2)
    assert done(sweep(orders.services)) == {"previews": 1, "photos": 1}
    assert files(tmp_path) == []
    assert removals(orders.services) == [
        ("embedding", photo_id, "expired", 1),
        ("preview", job.preview_id, "expired", 6),
        ("photo", photo_id, "expired", 1),
    ]
    answer = orders.stage.client.get(f"/api/preview/{job.preview_id}", headers=job.headers)
    assert answer.json()["code"] == "preview_unknown"
    assert done(sweep(orders.services)) == {}


def test_a_sweep_that_is_cut_short_is_taken_up_by_the_next(
    orders: OrderStage, tmp_path: Path, clock: MovableClock
) -> None:
    """For each file in turn: the store fails at it, and comes back."""

    class FailingStore(FolderStore):
        """Deletes so many files, then fails."""

        left = 0

        def delete(self, key: str) -> None:
            if self.left == 0:
                raise StoreUnavailable("away")
            self.left -= 1
            super().delete(key)

    job = orders.preview()
    orders.stage.preview(job)
    give_photo(orders.services, job)
    clock.move(days=7)
    store = FailingStore(tmp_path / "objects")
    services = with_store(orders.services, store)
    there = len(files(tmp_path))
    for _ in range(there):
        store.left = 1
        sweep(services)
        there -= 1
        assert len(files(tmp_path)) == there
    store.left = 100
    sweep(services)
    kinds = sorted(kind for kind, *_ in removals(services))
    assert [kind for kind in kinds if kind != "embedding"] == ["photo", "preview"]
    assert files(tmp_path) == []


def test_a_damaged_record_keeps_nothing_else_from_being_removed(
    orders: OrderStage, tmp_path: Path, clock: MovableClock
) -> None:
    first, second = orders.preview(), orders.preview()
    with writing(orders.services.engine) as session:
        session.get_one(Photo, give_photo(orders.services, first)).key = "../secrets"
    give_photo(orders.services, second)
    clock.move(days=7)
    assert sweep(orders.services)["photos"] == 1


def test_nothing_is_taken_from_under_an_open_order(
    orders: OrderStage, tmp_path: Path, clock: MovableClock
) -> None:
    job = orders.preview()
    order_id = orders.pay(job.preview_id)
    assert order_id
    orders.run(order_id)

    def change(session: Any, order: Order, now: Any) -> None:
        order_book.park(session, order, OrderStep.SUBMIT, "printer_rejected", now)

    orders.change(order_id, change)
    give_photo(orders.services, job)
    before = files(tmp_path)
    clock.move(days=100)
    assert set(done(sweep(orders.services))) <= {"outbox"}
    assert files(tmp_path) == before
    orders.change(order_id, lambda s, o, now: setattr(o, "status", OrderStatus.CANCELLED))
    assert set(done(sweep(orders.services))) >= {"previews", "photos"}
    assert files(tmp_path) == []


def test_a_shipped_order_counts_as_done_after_a_month_and_goes_later(
    orders: OrderStage, tmp_path: Path, clock: MovableClock
) -> None:
    job, order_id = bought(orders)
    clock.move(days=10)
    tell(orders, order_id, PrintStatus.SHIPPED)
    clock.move(days=29)
    assert sweep(orders.services)["shipped"] == 0
    link = orders.services.download_links.url(order_id)
    assert orders.stage.client.get(link).json()["code"] == "download_over"
    assert files(tmp_path)  # the parcel is still on its way
    clock.move(days=1)
    counts = sweep(orders.services)
    assert (counts["shipped"], counts["previews"]) == (1, 1)
    assert orders.status(order_id) is OrderStatus.COMPLETED
    assert orders.order(order_id).files is None
    assert files(tmp_path) == []
    assert orders.order(order_id).email == "parent@example.com"  # the order itself is kept
    answer = orders.stage.client.get(f"/api/orders/{order_id}", headers=job.headers)
    assert answer.json()["code"] == "order_unknown"


def test_a_delivered_order_counts_as_done_too(orders: OrderStage, clock: MovableClock) -> None:
    _, order_id = bought(orders)
    tell(orders, order_id, PrintStatus.SHIPPED)
    clock.move(days=29)
    tell(orders, order_id, PrintStatus.DELIVERED)
    clock.move(days=2)
    assert sweep(orders.services)["shipped"] == 0
    clock.move(days=28)
    assert sweep(orders.services)["shipped"] == 1
    assert orders.status(order_id) is OrderStatus.COMPLETED


def test_the_book_goes_when_it_can_no_longer_be_downloaded(
    orders: OrderStage, clock: MovableClock
) -> None:
    job, order_id = bought(orders)
    tell(orders, order_id, PrintStatus.DELIVERED)
    with writing(orders.services.engine) as session:
        # Another order of the same preview keeps the pages, not this one's book.
        session.get_one(Preview, job.preview_id).expires_at = clock.now() + timedelta(days=60)
    clock.move(days=30)
    assert done(sweep(orders.services))["downloads"] == 1
    assert ("book", order_id, "expired", 3) in removals(orders.services)
    assert not orders.services.store.exists(f"books/{order_id}/screen_book.pdf")
    assert sweep(orders.services)["downloads"] == 0


def test_an_embedding_goes_a_day_after_each_job_that_may_have_made_one(
    orders: OrderStage, clock: MovableClock
) -> None:
    job = orders.preview()
    photo_id = give_photo(orders.services, job)
    clock.move(hours=24)
    assert sweep(orders.services)["embeddings"] == 1
    assert not orders.services.store.exists(embedding_key(photo_id))
    assert orders.services.store.exists(photo_key(photo_id))
    clock.move(hours=1)
    body = {"preview_id": job.preview_id, "page_number": 2}
    orders.stage.client.post("/api/generate-page", json=body, headers=job.headers)
    orders.work()
    give_photo(orders.services, job)
    clock.move(hours=23)
    assert sweep(orders.services)["embeddings"] == 0
    clock.move(hours=1)
    assert sweep(orders.services)["embeddings"] == 1
    assert [kind for kind, *_ in removals(orders.services)] == ["embedding", "embedding"]


def test_an_order_that_is_being_painted_keeps_its_embedding(
    orders: OrderStage, clock: MovableClock
) -> None:
    job = orders.preview()
    orders.pay(job.preview_id)
    photo_id = give_photo(orders.services, job)
    clock.move(days=2)
    assert sweep(orders.services)["embeddings"] == 0
    assert orders.services.store.exists(embedding_key(photo_id))


def test_what_webhooks_said_goes_after_a_month_once_it_is_done_with(
    orders: OrderStage, clock: MovableClock
) -> None:
    now = clock.now()
    with writing(orders.services.engine) as session:
        for name, due in (("done", None), ("due", now)):
            session.add(
                InboxItem(
                    source="stripe",
                    message_id=name,
                    topic="t",
                    body="{}",
                    received_at=now,
                    due_at=due,
                )
            )
    clock.move(days=29)
    assert sweep(orders.services)["inbox"] == 0
    clock.move(days=1)
    assert sweep(orders.services)["inbox"] == 1
    with reading(orders.services.engine) as session:
        bodies = {item.message_id: item.body for item in session.query(InboxItem)}
    assert bodies == {"done": None, "due": "{}"}
    assert ("inbox", "rows", "expired", 1) in removals(orders.services)


def test_what_was_sent_goes_after_a_month_and_what_is_due_stays(
    orders: OrderStage, clock: MovableClock
) -> None:
    orders.pay(orders.preview().preview_id)
    clock.move(days=30)
    assert sweep(orders.services)["outbox"] == 0
    while orders.services.orders.outbox.send_due():
        pass
    assert sweep(orders.services)["outbox"] == 1
    with reading(orders.services.engine) as session:
        left = select(func.count()).where(OutboxItem.payload.is_not(None))
        assert session.scalar(left) == 0


def test_the_audit_log_goes_after_a_year(services: Services, clock: MovableClock) -> None:
    for days in (0, 1):
        with writing(services.engine) as session:
            at = clock.now() + timedelta(days=days)
            session.add(AuditEntry(at=at, username="olga", action="logged_in"))
    clock.move(days=365)
    assert sweep(services)["audit"] == 1
    with reading(services.engine) as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 1
    assert ("audit", "rows", "expired", 1) in removals(services)


def test_two_sweeps_at_once_write_a_removal_down_once(
    orders: OrderStage, clock: MovableClock
) -> None:
    job = orders.preview()
    photo_id = give_photo(orders.services, job)
    clock.move(days=7)
    sweep(orders.services)
    # As if another gateway had looked before, and came to it only now.
    orders.services.erasure.removals.remove_buried(job.preview_id)
    orders.services.erasure.removals.remove_photo(photo_id, Reason.EXPIRED)
    kinds = sorted(kind for kind, *_ in removals(orders.services))
    assert [kind for kind in kinds if kind != "embedding"] == ["photo", "preview"]
