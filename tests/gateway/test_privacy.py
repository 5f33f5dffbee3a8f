"""Removing what belongs to a child or a customer: all of it, for good, whatever fails meanwhile."""

import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from contract.keys import embedding_key, page_key, photo_key
from contract.status import JobStatus
from gateway import order_book, retention
from gateway.app import create_app
from gateway.customers import Customer
from gateway.order_records import InboxItem, Order, OutboxItem, Removal, Source
from gateway.orders import OrderStatus
from gateway.orders import Stage as OrderStep
from gateway.personal_data import data_of_customer
from gateway.ports import EndpointError
from gateway.preview_images import make_missing
from gateway.print_desk import external_id
from gateway.records import Job, Page, Photo, Preview, reading, writing
from gateway.services import Services
from gateway.stop_jobs import stop_cancelled
from gateway.upkeep import upkeep_of
from storage.errors import StoreUnavailable
from storage.folder import FolderStore
from tests.gateway import pictures
from tests.gateway.fakes import FakeEndpoint, FakeMailer, MovableClock
from tests.gateway.kept import files, give_photo, with_store
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import Job as Asked
from tests.gateway.rendering import Stage

SHOP = "default"


def delete(stage: Stage, job: Asked) -> Any:
    return stage.client.delete(f"/api/preview/{job.preview_id}", headers=job.headers)


def removals(services: Services) -> list[tuple[str, str, str, int]]:
    with reading(services.engine) as session:
        rows = session.query(Removal).order_by(Removal.removal_id)
        return [(row.kind, row.subject, row.reason, row.objects) for row in rows]


def everything_in_sql(tmp_path: Path) -> str:
    """Every row of every table, as SQL."""
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database:
        return "\n".join(database.iterdump()).lower()


def told_to_stop(orders: OrderStage) -> int:
    """Let the endpoint be told of stopped jobs; return how many it was told of."""
    services = orders.services
    return anyio.run(stop_cancelled, services.engine, services.clock, services.endpoint)


class LostStore(FolderStore):
    """A store that can't be reached while ``lost`` is set, or for keys that contain ``only``."""

    lost = True
    only = ""

    def exists(self, key: str) -> bool:
        if self.lost and self.only in key:
            raise StoreUnavailable("away")
        return super().exists(key)


def test_a_parent_removes_a_preview_with_all_its_files(
    orders: OrderStage, tmp_path: Path, clock: MovableClock
) -> None:
    job = orders.preview(child_name="Zebulon", session_id="session-1")
    orders.stage.preview(job)
    photo_id = give_photo(orders.services, job)
    assert len(files(tmp_path)) == 8
    assert delete(orders.stage, job).status_code == 204
    assert files(tmp_path) == []
    for answer in (
        orders.stage.client.get(f"/api/preview/{job.preview_id}", headers=job.headers),
        delete(orders.stage, job),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "preview_unknown")
    with reading(orders.services.engine) as session:
        preview = session.get_one(Preview, job.preview_id)
        photo = session.get_one(Photo, photo_id)
    assert (preview.child_name, preview.session_id, preview.request_hash) == ("", None, "")
    assert (preview.erased_at, photo.removed_at, photo.sha256) == (clock.now(), clock.now(), "")
    assert removals(orders.services) == [
        ("preview", job.preview_id, "requested", 6),
        ("photo", photo_id, "requested", 2),
    ]


def test_only_who_holds_the_token_removes_a_preview(orders: OrderStage) -> None:
    mine, other = orders.stage.order(), orders.stage.order()
    path = f"/api/preview/{mine.preview_id}"
    assert orders.stage.client.delete(path).status_code == 401
    answer = orders.stage.client.delete(path, headers=other.headers)
    assert answer.json()["code"] == "preview_unknown"
    assert orders.stage.preview(mine)["child_name"] == "Ada"


def test_a_photo_stays_while_another_preview_needs_it(orders: OrderStage, tmp_path: Path) -> None:
    photo_id = orders.stage.photo()
    first = orders.stage.order(photo_id=photo_id)
    second = orders.stage.order(photo_id=photo_id, child_name="Bo")
    give_photo(orders.services, first)
    delete(orders.stage, first)
    assert photo_key(photo_id) in files(tmp_path)
    delete(orders.stage, second)
    assert files(tmp_path) == []


def test_what_is_being_painted_is_stopped_and_late_files_are_removed(
    orders: OrderStage, endpoint: FakeEndpoint, tmp_path: Path, clock: MovableClock
) -> None:
    job = orders.stage.order()
    orders.stage.dispatch()
    photo_id = give_photo(orders.services, job)
    assert delete(orders.stage, job).status_code == 204
    assert endpoint.cancelled == ["rp-1"]
    assert orders.stage.status(job)["status"] == "cancelled"
    # The worker was quicker: it stores pages and an embedding, and says so.
    orders.stage.finish(endpoint.submitted[0])
    orders.services.store.put(embedding_key(photo_id), b"a face", "application/octet-stream")
    assert files(tmp_path)
    assert retention.sweep(orders.services)["late"] == 1
    assert files(tmp_path) == []
    assert removals(orders.services)[-1] == ("preview", job.preview_id, "late", 4)
    assert retention.sweep(orders.services)["late"] == 0
    answer = orders.stage.client.get(f"/api/preview/{job.preview_id}", headers=job.headers)
    assert answer.json()["code"] == "preview_unknown"
    # Days later nobody looks any more.
    clock.move(days=3)
    key = page_key(job.preview_id, 1)
    orders.services.store.put(key, b"a stray", "image/png")
    assert retention.sweep(orders.services)["late"] == 0


def test_an_endpoint_that_is_away_is_told_later(
    orders: OrderStage, endpoint: FakeEndpoint, clock: MovableClock
) -> None:
    job = orders.stage.order()
    orders.stage.dispatch()
    endpoint.fail_with = EndpointError("away")
    assert delete(orders.stage, job).status_code == 204
    endpoint.fail_with = None
    assert told_to_stop(orders) == 0  # not yet
    clock.move(seconds=20)
    assert told_to_stop(orders) == 1
    assert endpoint.cancelled == ["rp-1"]
    clock.move(seconds=60)
    assert told_to_stop(orders) == 0


def test_a_job_that_was_being_submitted_is_stopped_once_its_id_is_known(
    orders: OrderStage, endpoint: FakeEndpoint, clock: MovableClock
) -> None:
    job = orders.stage.order()
    ledger = orders.services.dispatcher.ledger
    claim = ledger.claim(job.job_id)
    assert claim
    delete(orders.stage, job)
    assert endpoint.cancelled == []
    ledger.accepted(claim, "rp-late")
    clock.move(seconds=20)
    assert told_to_stop(orders) == 1
    assert endpoint.cancelled == ["rp-late"]


def test_a_submission_that_never_came_to_an_end_isnt_waited_for_for_ever(
    orders: OrderStage, clock: MovableClock
) -> None:
    job = orders.stage.order()
    assert orders.services.dispatcher.ledger.claim(job.job_id)
    delete(orders.stage, job)
    for _ in range(5):
        clock.move(seconds=25)
        told_to_stop(orders)
    with reading(orders.services.engine) as session:
        record = session.get_one(Job, job.job_id)
    assert (record.status, record.ask_at) == (JobStatus.CANCELLED, None)


def test_a_preview_stays_while_a_paid_order_of_it_is_open(orders: OrderStage) -> None:
    job = orders.preview()
    order_id = orders.pay(job.preview_id)
    assert order_id
    answer = delete(orders.stage, job)
    assert (answer.status_code, answer.json()["code"]) == (409, "preview_ordered")
    assert orders.stage.preview(job)["child_name"] == "Ada"
    orders.change(order_id, lambda s, o, now: order_book.cancel(s, o, "x", now, actor="system"))
    assert delete(orders.stage, job).status_code == 204


def test_files_that_cant_be_deleted_now_are_deleted_by_the_next_sweep(
    orders: OrderStage, tmp_path: Path
) -> None:
    job = orders.preview()
    give_photo(orders.services, job)
    store = LostStore(tmp_path / "objects")
    services = with_store(orders.services, store)
    services.erasure.erase_preview(job.preview_id)
    assert files(tmp_path)
    assert removals(services) == []
    assert set(retention.sweep(services).values()) == {0}
    assert removals(services) == []
    store.only = "page_02"  # it comes back, but for one file
    retention.sweep(services)
    assert [row[0] for row in removals(services)] == ["photo"]
    store.lost = False
    retention.sweep(services)
    assert files(tmp_path) == []
    assert [row[0] for row in removals(services)] == ["photo", "preview"]


def customer_with_a_book(orders: OrderStage) -> tuple[Asked, str]:
    job = orders.preview(child_name="Zebulon", session_id="session-1")
    order_id = orders.pay(
        job.preview_id, "7001/1", source_order="7001001", customer_id="990099", email="Mum@x.org"
    )
    assert order_id
    assert orders.run(order_id) is None
    orders.stage.preview(job)
    give_photo(orders.services, job)
    return job, order_id


@pytest.mark.parametrize("who", [{"customer_id": "990099"}, {"email": "mum@X.org"}])
def test_erasing_a_customer_leaves_nothing_of_them(
    orders: OrderStage, who: dict[str, Any], tmp_path: Path, clock: MovableClock
) -> None:
    job, order_id = customer_with_a_book(orders)
    stranger = orders.preview(child_name="Bo")
    kept = orders.pay(stranger.preview_id, "7002/1", source_order="7002", email="dad@x.org")
    assert kept
    now = clock.now()
    with writing(orders.services.engine) as session:
        session.add(
            InboxItem(
                source="shopify",
                message_id="1",
                topic="orders/paid",
                body='{"id": 7001001, "email": "Mum@x.org"}',
                received_at=now,
                outcome="failed",
            )
        )
    erased = orders.services.erasure.erase_customer(Customer(SHOP, **who))
    assert (erased.orders, erased.previews) == (1, 1)
    assert erased.objects > 35 * 2
    left = files(tmp_path)
    assert left
    assert not [key for key in left if job.preview_id in key or order_id in key]
    order = orders.order(order_id)
    assert (order.email, order.address, order.customer_id, order.files) == (None,) * 4
    assert (order.amount, order.erased_at) == (3900, now)
    assert orders.order(kept).email == "dad@x.org"
    with reading(orders.services.engine) as session:
        assert session.scalars(select(InboxItem.body)).one() is None
        (tombstone,) = session.query(Removal).filter_by(kind="customer")
    secret = orders.services.settings.app_secret.get_secret_value()
    assert [tombstone.subject] == Customer(SHOP, **who).hashed(secret)
    assert [tombstone.subject] != Customer(SHOP, **who).hashed("guessed")
    assert len(tombstone.subject) == 64
    assert "mum" not in tombstone.subject
    assert secret not in tombstone.subject
    stored = everything_in_sql(tmp_path)
    for personal in ("mum@x.org", "zebulon", "session-1", "990099"):
        assert personal not in stored
    assert "lovelace" in stored  # the stranger's address
    assert orders.services.erasure.erase_customer(Customer(SHOP, **who)).orders == 0


OF_A_PREVIEW = {"preview_id", "photo_id", "shop_id", "book_id", "style"} | {
    *("created_at", "expires_at", "paid_at", "erased_at"),
}
OF_AN_ORDER = {"order_id", "shop_id", "preview_id", "quantity", "amount", "currency", "payment"} | {
    *("source", "source_id", "source_order", "payment_id", "status", "holds", "edition", "run"),
    *("rendering", "print_profile", "paid_at", "updated_at", "download_until", "erased_at"),
}
"""The columns of tombstones in which something is left. A new column is personal until it is
written down here."""


def told_by(record: Preview | Order) -> set[str]:
    """The columns of a record that have something in them."""
    names = record.__table__.columns.keys()
    return {name for name in names if getattr(record, name) not in (None, "", [], {}, False)}


def test_a_tombstone_says_nothing_but_ids_amounts_and_dates(orders: OrderStage) -> None:
    fields = {"child_age": 6, "child_gender": "female", "appearance": "east_asian"}
    job = orders.preview(child_name="Zebulon", session_id="session-1", **fields)
    order_id = orders.pay(job.preview_id, customer_id="990099", dedication="For Zeb")
    assert order_id
    assert orders.run(order_id) is None
    with writing(orders.services.engine) as session:
        session.get_one(Preview, job.preview_id).idempotency_key = "a mother's key"
    orders.services.erasure.erase_customer(Customer(SHOP, customer_id="990099"))
    with reading(orders.services.engine) as session:
        preview = session.get_one(Preview, job.preview_id)
        assert told_by(preview) == OF_A_PREVIEW
    assert told_by(orders.order(order_id)) == OF_AN_ORDER


def test_an_open_order_is_cancelled_and_nobody_is_written_to(
    orders: OrderStage, mailer: FakeMailer, endpoint: FakeEndpoint
) -> None:
    job = orders.preview()
    order_id = orders.pay(job.preview_id)
    assert order_id
    orders.step(OrderStep.RESERVE)(order_id)
    orders.services.erasure.erase_customer(Customer(SHOP, email="parent@example.com"))
    assert orders.status(order_id) is OrderStatus.CANCELLED
    with reading(orders.services.engine) as session:
        letters = session.query(OutboxItem).filter_by(order_id=order_id, kind="mail").all()
    assert {(item.due_at, item.sent_at, item.error) for item in letters} == {(None, None, "erased")}
    while orders.services.orders.outbox.send_due():
        pass
    assert mailer.sent == []
    with reading(orders.services.engine) as session:
        states: Sequence[JobStatus] = session.scalars(
            select(Job.status).where(Job.order_id == order_id)
        ).all()
    assert set(states) == {JobStatus.CANCELLED}


def test_an_order_at_the_printer_is_held_and_stripped(orders: OrderStage) -> None:
    job, order_id = customer_with_a_book(orders)
    assert orders.status(order_id) is OrderStatus.IN_PRODUCTION
    orders.services.erasure.erase_customer(Customer(SHOP, customer_id="990099"))
    order = orders.order(order_id)
    assert (order.status, order.hold_reason) == (OrderStatus.IN_PRODUCTION, "erased")
    assert order.address is None
    assert external_id(order) == f"{order_id}-1"
    with reading(orders.services.engine) as session:
        assert session.get_one(Preview, job.preview_id).erased_at is not None


def test_a_preview_that_another_customers_order_needs_stays(
    orders: OrderStage, tmp_path: Path
) -> None:
    job = orders.preview()
    mine = orders.pay(job.preview_id, "1/1", customer_id="77", email="mum@x.org")
    grandmas = orders.pay(job.preview_id, "2/1", customer_id="78", email="nan@x.org")
    assert mine
    assert grandmas
    orders.step(OrderStep.RESERVE)(mine)  # its pages are to be painted, for nobody else so far
    erased = orders.services.erasure.erase_customer(Customer(SHOP, customer_id="77"))
    assert (erased.orders, erased.previews) == (1, 0)
    with reading(orders.services.engine) as session:
        states = session.scalars(select(Job.status).where(Job.order_id == mine)).all()
    assert set(states) == {JobStatus.CANCELLED}
    assert orders.order(mine).email is None
    assert orders.run(grandmas) is None
    assert orders.order(grandmas).email == "nan@x.org"


def test_a_customer_without_a_name_is_remembered_by_the_order(orders: OrderStage) -> None:
    order_id = orders.pay(
        orders.preview().preview_id, "7/1", source=Source.SHOPIFY, source_order="7001001"
    )
    assert order_id
    at_stripe = orders.pay(orders.preview().preview_id, source_order="7001001")
    assert at_stripe
    orders.services.erasure.erase_customer(Customer(SHOP, shopify_orders=("7001001",)))
    assert ("order", order_id, "requested", 0) in removals(orders.services)
    assert orders.order(at_stripe).email  # another one that happens to have this number


@pytest.mark.parametrize("name", ["77", "d_d@x.org", "%@x.org"])
def test_a_name_that_many_texts_contain_empties_no_strangers_webhook(
    orders: OrderStage, name: str
) -> None:
    assert orders.pay(orders.preview().preview_id, customer_id=name, email="mum@x.org")
    inbox = InboxItem(
        source="shopify",
        message_id="1",
        topic="orders/paid",
        body='{"id": 177, "email": "dad@x.org"}',
        received_at=orders.services.clock.now(),
        outcome="failed",
    )
    with writing(orders.services.engine) as session:
        session.add(inbox)
    assert orders.services.erasure.erase_customer(Customer(SHOP, customer_id=name)).orders == 1
    with reading(orders.services.engine) as session:
        assert session.scalars(select(InboxItem.body)).one() is not None


def test_a_webhook_of_the_customer_that_is_still_to_be_done_with_keeps_its_words(
    orders: OrderStage,
) -> None:
    assert orders.pay(orders.preview().preview_id, customer_id="990099")
    now = orders.services.clock.now()
    fields = {"source": "shopify", "topic": "orders/updated", "body": '{"customer": 990099}'}
    with writing(orders.services.engine) as session:
        session.add(InboxItem(**fields, message_id="waits", received_at=now, due_at=now))
        session.add(InboxItem(**fields, message_id="done", received_at=now, outcome="done"))
    orders.services.erasure.erase_customer(Customer(SHOP, customer_id="990099"))
    with reading(orders.services.engine) as session:
        left = session.scalars(select(InboxItem.message_id).where(InboxItem.body.is_not(None)))
        assert list(left) == ["waits"]


def test_a_customer_of_another_shop_is_another_customer(orders: OrderStage) -> None:
    job = orders.preview()
    order_id = orders.pay(job.preview_id, customer_id="77")
    assert order_id
    assert orders.services.erasure.erase_customer(Customer("other", customer_id="77")).orders == 0
    assert orders.order(order_id).email == "parent@example.com"
    with pytest.raises(ValueError, match="named"):
        Customer(SHOP, customer_id="", email=None)


def test_a_customer_is_told_what_is_stored(orders: OrderStage) -> None:
    job, order_id = customer_with_a_book(orders)
    told = data_of_customer(orders.services.engine, Customer(SHOP, email="MUM@x.org"))
    (order,) = told["orders"]
    (preview,) = told["previews"]
    assert (order["order_id"], order["address"]["city"]) == (order_id, "London")
    assert (preview["preview_id"], preview["child_name"]) == (job.preview_id, "Zebulon")
    assert page_key(job.preview_id, 20) in preview["files"]
    assert preview["photo"]["removed_at"] is None
    nobody = data_of_customer(orders.services.engine, Customer(SHOP, email="nobody@x.org"))
    assert nobody == {"orders": [], "previews": []}


PORTRAIT = pictures.encoded(pictures.portrait(), "JPEG", quality=95)


def upload(client: TestClient, consent: str | None) -> Any:
    data = {} if consent is None else {"consent": consent}
    file = {"file": ("child.jpg", PORTRAIT, "image/jpeg")}
    return client.post("/api/upload-photo", files=file, data=data)


def test_the_consent_that_was_given_is_kept_with_the_photo(
    client: TestClient, services: Services
) -> None:
    with_consent, without = upload(client, "1").json(), upload(client, None).json()
    with reading(services.engine) as session:
        assert session.get_one(Photo, with_consent["photo_id"]).consent == "1"
        assert session.get_one(Photo, without["photo_id"]).consent is None


def test_an_older_consent_isnt_taken_for_the_present_one(client: TestClient) -> None:
    answer = upload(client, "0")
    assert (answer.status_code, answer.json()["code"]) == (422, "consent_required")


def test_where_consent_is_required_no_photo_is_kept_without_it(
    services: Services, tmp_path: Path
) -> None:
    changes = {"consent_required": True, "consent_version": "2030-01"}
    strict = replace(services, settings=services.settings.model_copy(update=changes))
    client = TestClient(create_app(strict), base_url="http://gateway.test")
    for consent in (None, "", "1"):
        assert upload(client, consent).json()["code"] == "consent_required"
    assert files(tmp_path) == []
    assert upload(client, "2030-01").status_code == 200


def test_the_gateway_stops_jobs_and_sweeps_by_itself(
    orders: OrderStage,
    endpoint: FakeEndpoint,
    tmp_path: Path,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    left = tmp_path / "temporary" / "foxetales-scratch-book-of-a-gateway-that-died"
    left.mkdir(parents=True)
    job = orders.stage.order()
    orders.stage.dispatch()
    endpoint.fail_with = EndpointError("away")
    delete(orders.stage, job)
    endpoint.fail_with = None
    orders.services.store.put(page_key(job.preview_id, 1), b"late", "image/png")
    clock.move(minutes=1)

    async def a_round_each() -> list[int]:
        rounds = upkeep_of(orders.services)
        return [await anyio.to_thread.run_sync(item.work) for item in rounds]

    assert anyio.run(a_round_each) == [1, 1, 1]
    assert endpoint.cancelled == ["rp-1"]
    assert not left.exists()
    assert files(tmp_path) == []


def test_a_picture_that_was_being_made_doesnt_outlive_its_preview(
    orders: OrderStage, tmp_path: Path
) -> None:
    job = orders.preview()
    services = orders.services

    class SlowStore(FolderStore):
        """Erases the preview while its first picture is on its way into the store."""

        erased = False

        def put(self, key: str, data: bytes, content_type: str) -> None:
            if not self.erased:
                self.erased = True
                services.erasure.erase_preview(job.preview_id)
            super().put(key, data, content_type)

    for path in (tmp_path / "objects" / "previews").rglob("*.jpg"):
        path.unlink()
    with writing(services.engine) as session:
        session.execute(update(Page).values(preview_key=None))
    make_missing(replace(services, store=SlowStore(tmp_path / "objects")), job.preview_id)
    assert files(tmp_path) == []
