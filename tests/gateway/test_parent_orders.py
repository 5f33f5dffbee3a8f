"""What a parent sees once the book is paid: how it is getting on, its pages, all of theirs."""

import hashlib
import hmac
import io
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from contract.keys import preview_image_key
from gateway import order_book
from gateway.order_records import Order, PrintJobRecord
from gateway.orders import OrderStatus
from gateway.orders import Stage as OrderStep
from gateway.parent_orders import ParentStatus
from gateway.ports import PrintJob, PrintStatus
from gateway.records import Preview, writing
from gateway.shops import change_shop
from tests.gateway.fakes import FakeEndpoint, MovableClock
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import Job

SHOPIFY_SECRET = "shpss_0123456789abcdef0123456789abcdef"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "SHOPIFY_CLIENT_SECRETS": SHOPIFY_SECRET}


def see(orders: OrderStage, job: Job, order_id: str) -> Any:
    return orders.stage.client.get(f"/api/orders/{order_id}", headers=job.headers)


def pay(orders: OrderStage, job: Job, source_id: str = "cs_1", **changes: Any) -> str:
    order_id = orders.pay(job.preview_id, source_id, **changes)
    assert order_id
    return order_id


def colour(client: TestClient, url: str) -> set[tuple[int, ...]]:
    """The colours of the picture behind a link: few if nothing is drawn across it."""
    answer = client.get(url)
    assert answer.headers["content-type"] == "image/jpeg"
    image = Image.open(io.BytesIO(answer.content)).convert("RGB")
    return {
        pixel for _, pixel in image.getcolors(maxcolors=2**24) or [] if isinstance(pixel, tuple)
    }


def test_an_order_is_followed_from_payment_to_the_letterbox(
    orders: OrderStage, clock: MovableClock
) -> None:
    job = orders.preview()
    order_id = pay(orders, job)
    told = see(orders, job, order_id).json()
    assert (told["status"], told["title"]) == ("received", "Ada and the Moonlit Fox")
    assert [step["done"] for step in told["steps"]] == [True, False, False, False, False]
    assert (told["total_pages"], told["download_url"], told["tracking"]) == (35, None, None)
    paid_at = clock.now()
    clock.move(hours=1)
    assert orders.run(order_id) is None
    told = see(orders, job, order_id).json()
    assert (told["status"], told["progress"], told["pages_ready"]) == ("printing", 100, 35)
    assert [step["done"] for step in told["steps"]] == [True, True, True, False, False]
    assert told["steps"][0]["at"] != told["steps"][1]["at"]
    assert told["ordered_at"].startswith(f"{paid_at:%Y-%m-%dT%H:%M}")
    assert told["download_url"] == f"http://gateway.test/api/download/{order_id}"
    job_id = f"{order_id}-1"
    shipped = PrintJob(
        "v-1", job_id, PrintStatus.SHIPPED, ("https://track.example/1",), carrier="Royal Mail"
    )
    orders.services.orders.printing.heard(shipped)
    told = see(orders, job, order_id).json()
    assert told["status"] == "shipped"
    assert told["tracking"] == {"carrier": "Royal Mail", "urls": ["https://track.example/1"]}
    orders.services.orders.printing.heard(PrintJob("v-1", job_id, PrintStatus.DELIVERED))
    told = see(orders, job, order_id).json()
    assert told["status"] == "delivered"
    assert all(step["done"] for step in told["steps"])


@pytest.mark.parametrize(
    "dedication", [None, "For Ánh\nwith ♥", '<b>"Ada"</b> & </script>', "\n".join(["W" * 34] * 4)]
)
def test_a_parent_reads_what_is_printed_beneath_the_title(
    orders: OrderStage, dedication: str | None
) -> None:
    job = orders.preview()
    order_id = pay(orders, job, dedication=dedication)
    answer = see(orders, job, order_id)
    assert answer.json()["dedication"] == dedication
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_progress_is_the_share_of_painted_pages(orders: OrderStage) -> None:
    job = orders.preview()
    order_id = pay(orders, job)
    orders.step(OrderStep.RESERVE)(order_id)
    told = see(orders, job, order_id).json()
    assert (told["pages_ready"], told["progress"]) == (3, 8)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (OrderStatus.NEEDS_ATTENTION, ParentStatus.DELAYED),
        (OrderStatus.ON_HOLD, ParentStatus.DELAYED),
        (OrderStatus.CANCELLED, ParentStatus.CANCELLED),
    ],
)
def test_what_goes_on_behind_the_counter_isnt_told(
    orders: OrderStage, status: OrderStatus, word: ParentStatus
) -> None:
    job = orders.preview()
    order_id = pay(orders, job)

    def change(session: Any, order: Order, now: Any) -> None:
        order.parked_reason = "print_rejected: cover"
        order_book.move(session, order, status, now)

    orders.change(order_id, change)
    answer = see(orders, job, order_id)
    assert answer.json()["status"] == word
    assert "print_rejected" not in answer.text


def test_every_state_has_a_word_for_parents(orders: OrderStage) -> None:
    job = orders.preview()
    order_id = pay(orders, job)
    for status in OrderStatus:
        with writing(orders.services.engine) as session:
            session.get_one(Order, order_id).status = status
        assert see(orders, job, order_id).status_code == 200


def test_an_order_is_its_own_parents_only(orders: OrderStage) -> None:
    mine, other = orders.preview(), orders.preview()
    order_id = pay(orders, mine)
    homeless = orders.pay(None, "cs_2")
    for job, wanted in ((other, order_id), (mine, homeless), (mine, "0" * 32)):
        for path in ("orders", "download"):
            answer = orders.stage.client.get(f"/api/{path}/{wanted}", headers=job.headers)
            assert (answer.status_code, answer.json()["code"]) == (404, "order_unknown")
    assert orders.stage.client.get(f"/api/orders/{order_id}").status_code == 401


def test_before_payment_every_picture_has_the_mark_whatever_is_asked(orders: OrderStage) -> None:
    job = orders.preview()
    client = orders.stage.client
    for query in ("", "?watermark=false", "?paid=1&is_watermarked=0", "?unlocked=true"):
        shown = client.get(f"/api/preview/{job.preview_id}{query}", headers=job.headers).json()
        assert [page["is_watermarked"] for page in shown["preview_pages"]] == [True] * 3
        assert len(shown["locked_pages"]) == 32
        assert all(len(colour(client, page["image_url"])) > 3 for page in shown["preview_pages"])


def test_after_payment_pages_are_unlocked_as_they_are_painted(orders: OrderStage) -> None:
    job = orders.preview()
    order_id = pay(orders, job)
    assert [p["is_watermarked"] for p in orders.stage.preview(job)["preview_pages"]] == [True] * 3
    orders.step(OrderStep.RESERVE)(order_id)
    shown = orders.stage.preview(job)
    assert [page["is_watermarked"] for page in shown["preview_pages"]] == [False] * 3
    assert (shown["preview_pages_count"], shown["locked_pages_count"]) == (3, 32)
    client = orders.stage.client
    assert all(len(colour(client, page["image_url"])) == 1 for page in shown["preview_pages"])
    orders.step(OrderStep.RENDER)(order_id)
    shown = orders.stage.preview(job)
    assert (shown["preview_pages_count"], shown["locked_pages"]) == (35, [])
    numbers = [page["page_number"] for page in shown["preview_pages"]]
    assert numbers == sorted(numbers)
    assert not any(page["is_watermarked"] or page["is_locked"] for page in shown["preview_pages"])
    assert shown["status"] == "active"
    # Nothing with a mark is made of a page that nobody sees with one.
    key = preview_image_key(job.preview_id, 20, 1)
    assert not orders.services.store.exists(key)


def test_the_pages_of_the_book_are_shown_not_the_newest_takes(orders: OrderStage) -> None:
    job = orders.preview()
    body = {"preview_id": job.preview_id, "page_number": 2}
    answer = orders.stage.client.post("/api/generate-page", json=body, headers=job.headers)
    assert answer.status_code == 202
    order_id = pay(orders, job)  # while that take is still being painted
    orders.step(OrderStep.RESERVE)(order_id)
    orders.work()
    second = orders.stage.preview(job)["preview_pages"][1]
    assert "take_1.jpg" in second["image_url"]
    assert second["is_watermarked"] is False


def ask_for_another_take(orders: OrderStage, job: Job, **headers: str) -> Any:
    body = {"preview_id": job.preview_id, "page_number": 2}
    return orders.stage.client.post(
        "/api/generate-page", json=body, headers={**job.headers, **headers}
    )


def test_a_parent_has_no_page_of_a_paid_book_painted_anew(
    orders: OrderStage, endpoint: FakeEndpoint
) -> None:
    job = orders.preview()
    key = {"Idempotency-Key": "again"}
    before = ask_for_another_take(orders, job, **key).json()["job_id"]
    orders.work()
    order_id = pay(orders, job)
    sent = len(endpoint.submitted)
    refused = ask_for_another_take(orders, job)
    assert (refused.status_code, refused.json()["code"]) == (409, "book_paid")
    assert ask_for_another_take(orders, job, **key).json()["job_id"] == before
    assert orders.run(order_id) is None
    assert ask_for_another_take(orders, job).json()["code"] == "book_paid"
    assert 2 not in {
        page.page_number
        for sent_job in endpoint.submitted[sent:]
        for page in sent_job.pages
        if "width" not in page.slots
    }


def test_a_page_may_be_painted_anew_after_the_money_went_back(orders: OrderStage) -> None:
    job = orders.preview()
    order_id = pay(orders, job)
    orders.change(
        order_id,
        lambda s, o, now: order_book.refunded(s, o, fully=True, now=now, actor="stripe"),
    )
    assert ask_for_another_take(orders, job).status_code == 202


def test_what_failed_before_payment_isnt_tried_again_after_it(orders: OrderStage) -> None:
    job = orders.preview()
    orders.failing = True
    failed = ask_for_another_take(orders, job).json()["job_id"]
    orders.work()
    pay(orders, job)
    path = f"/api/preview/{failed}/retry"
    answer = orders.stage.client.post(path, headers=job.headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "book_paid")


@pytest.mark.parametrize("last", [OrderStep.RESERVE, OrderStep.SUBMIT])
def test_a_refunded_book_is_locked_again(orders: OrderStage, last: OrderStep) -> None:
    job = orders.preview()
    order_id = pay(orders, job)
    for step in OrderStep:
        orders.step(step)(order_id)
        if step is last:
            break
    assert orders.stage.preview(job)["preview_pages"][0]["is_watermarked"] is False

    def change(session: Any, order: Order, now: Any) -> None:
        order_book.refunded(session, order, fully=True, now=now, actor="stripe")

    orders.change(order_id, change)
    shown = orders.stage.preview(job)
    assert [page["is_watermarked"] for page in shown["preview_pages"]] == [True] * 3


def test_a_cancelled_book_is_locked_again(orders: OrderStage) -> None:
    job = orders.preview()
    order_id = pay(orders, job)
    orders.step(OrderStep.RESERVE)(order_id)
    orders.stage.preview(job)
    orders.change(order_id, lambda s, o, now: order_book.cancel(s, o, "x", now, actor="olga"))
    assert orders.stage.preview(job)["preview_pages"][0]["is_watermarked"] is True


def test_the_finished_book_is_linked_from_the_preview(
    orders: OrderStage, clock: MovableClock
) -> None:
    job = orders.preview()
    assert orders.stage.preview(job)["pdf_url"] is None
    order_id = pay(orders, job)
    orders.run(order_id)
    url = f"http://gateway.test/api/download/{order_id}"
    assert orders.stage.preview(job)["pdf_url"] == url
    clock.move(days=30)
    assert orders.stage.preview(job)["pdf_url"] is None


def test_a_parent_lists_the_previews_whose_tokens_are_shown(
    orders: OrderStage, clock: MovableClock
) -> None:
    jobs = []
    for name in ("Ada", "Bo", "Cy"):
        jobs.append(orders.preview(child_name=name, session_id="s-1"))
        clock.move(minutes=1)
    elsewhere = orders.stage.order(session_id="s-2")
    order_id = pay(orders, jobs[1])
    client = orders.stage.client

    def names(token: str, further: list[str], **query: Any) -> list[str]:
        headers = {"Authorization": f"Bearer {token}", "X-Access-Tokens": ",".join(further)}
        answer = client.get("/api/my-creations", params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return [creation["child_name"] for creation in answer.json()["creations"]]

    tokens = [job.token for job in jobs]
    orders.stage.preview(jobs[0])
    assert names(tokens[0], [tokens[2], "forged.token"]) == ["Cy", "Ada"]
    assert names(tokens[0], [*tokens, elsewhere.token], session_id="s-1") == ["Cy", "Bo", "Ada"]
    assert names("forged.token", [], session_id="s-1") == []
    headers = {"Authorization": f"Bearer {tokens[0]}", "X-Access-Tokens": ",".join(tokens)}
    first = client.get("/api/my-creations", params={"limit": 2}, headers=headers).json()
    assert [c["child_name"] for c in first["creations"]] == ["Cy", "Bo"]
    assert first["creations"][1]["orders"] == [{"order_id": order_id, "status": "received"}]
    query = {"limit": 2, "cursor": first["next_cursor"]}
    rest = client.get("/api/my-creations", params=query, headers=headers).json()
    assert [c["child_name"] for c in rest["creations"]] == ["Ada"]
    assert rest["next_cursor"] is None
    assert client.get(rest["creations"][0]["cover_url"]).status_code == 200
    assert client.get("/api/my-creations").status_code == 401
    many = {**headers, "X-Access-Tokens": ",".join(["x"] * 51)}
    assert client.get("/api/my-creations", headers=many).status_code == 422


def test_expired_previews_are_no_longer_listed(orders: OrderStage, clock: MovableClock) -> None:
    job = orders.stage.order()
    clock.move(days=7)
    answer = orders.stage.client.get("/api/my-creations", headers=job.headers)
    assert answer.json()["creations"] == []


def proxied(path: str, customer: str, clock: MovableClock, **more: str) -> str:
    """A path as Shopify's app proxy calls it."""
    query = {
        "shop": "books.myshopify.com",
        "logged_in_customer_id": customer,
        "path_prefix": "/apps/books",
        "timestamp": str(int(clock.now().timestamp())),
        **more,
    }
    text = "".join(sorted(f"{name}={value}" for name, value in query.items()))
    signature = hmac.new(SHOPIFY_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    pairs = [*query.items(), ("signature", signature)]
    return f"/proxy/{path}?" + "&".join(f"{name}={value}" for name, value in pairs)


def test_a_verified_customer_sees_their_own(orders: OrderStage, clock: MovableClock) -> None:
    change_shop(orders.services.engine, "default", {"shopify_domain": "books.myshopify.com"})
    mine, other = orders.preview(child_name="Ada"), orders.preview(child_name="Bo")
    my_order = pay(orders, mine, "1/1", customer_id="77")
    others_order = pay(orders, other, "2/1", customer_id="78")
    client = orders.stage.client
    listed = client.get(proxied("my-creations", "77", clock))
    assert listed.status_code == 200, listed.text
    (creation,) = listed.json()["creations"]
    assert creation["child_name"] == "Ada"
    opened = client.get(
        f"/api/preview/{mine.preview_id}",
        headers={"Authorization": f"Bearer {creation['access_token']}"},
    )
    assert opened.status_code == 200
    seen = client.get(proxied(f"orders/{my_order}", "77", clock))
    assert seen.json()["order_id"] == my_order
    refused = client.get(proxied(f"orders/{others_order}", "77", clock))
    assert (refused.status_code, refused.json()["code"]) == (404, "order_unknown")
    unsigned = proxied("my-creations", "77", clock).replace("=77", "=78")
    assert client.get(unsigned).json()["code"] == "invalid_signature"
    assert client.get(proxied("my-creations", "", clock)).json()["code"] == "customer_required"
    limited = client.get(proxied("my-creations", "77", clock, limit="0"))
    assert limited.json()["code"] == "invalid_request"


def test_tracking_that_names_no_carrier_is_told(orders: OrderStage) -> None:
    job = orders.preview()
    order_id = pay(orders, job)
    now = orders.services.clock.now()
    with writing(orders.services.engine) as session:
        session.add(
            PrintJobRecord(
                external_id="x",
                order_id=order_id,
                edition=1,
                vendor="lulu",
                files={},
                tracking={"carrier": "", "urls": ["https://t.example"]},
                created_at=now,
                updated_at=now,
            )
        )
    told = see(orders, job, order_id).json()["tracking"]
    assert told == {"carrier": "", "urls": ["https://t.example"]}


def test_a_tombstone_shows_no_order(orders: OrderStage, clock: MovableClock) -> None:
    job = orders.preview()
    order_id = pay(orders, job)
    with writing(orders.services.engine) as session:
        session.get_one(Preview, job.preview_id).erased_at = clock.now()
    assert see(orders, job, order_id).json()["code"] == "order_unknown"
