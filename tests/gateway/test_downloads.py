"""The finished book: who gets it, by which link, and for how long."""

from typing import Any

import pytest

from gateway.download_links import DownloadLinks
from gateway.order_records import Order
from gateway.orders import Stage as OrderStep
from gateway.records import writing
from tests.gateway.fakes import MovableClock
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import Job


@pytest.fixture
def job(orders: OrderStage) -> Job:
    return orders.preview()


@pytest.fixture
def bound(orders: OrderStage, job: Job) -> str:
    """An order whose book is assembled."""
    order_id = orders.pay(job.preview_id)
    assert order_id
    assert orders.run(order_id) is None
    return order_id


def download(orders: OrderStage, job: Job, order_id: str, **headers: str) -> Any:
    return orders.stage.client.get(
        f"/api/download/{order_id}", headers={**job.headers, **headers}, follow_redirects=False
    )


def letter_link(orders: OrderStage, order_id: str) -> str:
    return orders.services.download_links.url(order_id)


def test_the_parent_is_led_to_the_book(orders: OrderStage, job: Job, bound: str) -> None:
    answer = download(orders, job, bound)
    assert (answer.status_code, answer.headers["cache-control"]) == (302, "private, no-store")
    file = orders.stage.client.get(answer.headers["location"])
    assert file.content.startswith(b"%PDF")
    assert file.content == orders.services.store.get(f"books/{bound}/screen_book.pdf", 10**9)


def test_a_program_is_told_the_link(orders: OrderStage, job: Job, bound: str) -> None:
    answer = download(orders, job, bound, Accept="application/json")
    assert answer.status_code == 200
    assert orders.stage.client.get(answer.json()["url"]).content.startswith(b"%PDF")


def test_the_link_that_is_told_lives_for_minutes(
    orders: OrderStage, job: Job, bound: str, clock: MovableClock
) -> None:
    link = download(orders, job, bound).headers["location"]
    clock.move(minutes=16)
    assert orders.stage.client.get(link).json()["code"] == "link_expired"
    assert download(orders, job, bound).status_code == 302


def test_a_book_that_isnt_bound_cant_be_downloaded(orders: OrderStage, job: Job) -> None:
    order_id = orders.pay(job.preview_id)
    assert order_id
    orders.step(OrderStep.RESERVE)(order_id)
    answer = download(orders, job, order_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "download_not_ready")
    link = letter_link(orders, order_id)
    assert orders.stage.client.get(link).json()["code"] == "download_not_ready"


def test_the_letters_link_leads_to_the_book_for_thirty_days(
    orders: OrderStage, job: Job, bound: str, clock: MovableClock
) -> None:
    link = letter_link(orders, bound)
    client = orders.stage.client
    assert client.get(link).content.startswith(b"%PDF")
    clock.move(days=29, hours=23)
    assert client.get(link).content.startswith(b"%PDF")
    clock.move(hours=1)
    for answer in (client.get(link), download(orders, job, bound)):
        assert (answer.status_code, answer.json()["code"]) == (410, "download_over")


def test_the_letters_link_cant_be_made_up(orders: OrderStage, bound: str) -> None:
    client = orders.stage.client
    token = letter_link(orders, bound).rpartition("/")[2]
    other = DownloadLinks("http://gateway.test", ["another secret of thirty-two characters"])
    for forged in (bound, f"{bound}.x", token[:-1], other.url(bound).rpartition("/")[2], "x" * 999):
        answer = client.get(f"/d/{forged}")
        assert (answer.status_code, answer.json()["code"]) == (404, "link_invalid"), forged


def test_a_preview_token_is_no_link_of_a_letter(orders: OrderStage, job: Job, bound: str) -> None:
    # Both are signed by the same secret, each for its own purpose.
    assert orders.stage.client.get(f"/d/{job.token}").json()["code"] == "link_invalid"
    token = letter_link(orders, bound).rpartition("/")[2]
    headers = {"Authorization": f"Bearer {token}"}
    answer = orders.stage.client.get(f"/api/download/{bound}", headers=headers)
    assert answer.json()["code"] == "order_unknown"


def test_an_erased_order_has_no_book(orders: OrderStage, bound: str, clock: MovableClock) -> None:
    link = letter_link(orders, bound)
    with writing(orders.services.engine) as session:
        session.get_one(Order, bound).erased_at = clock.now()
    assert orders.stage.client.get(link).json()["code"] == "download_over"
