"""Names and dedications that are hard to print, or meant to do harm, on the whole way from the
preview to the printed book. What is taken comes out exactly as it was written, everywhere; the rest
is refused at the first door."""

import html
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import func, select

from contract.keys import book_key
from gateway.adapters.file_drop import FileDrop
from gateway.order_records import Checkout, Order
from gateway.orders import OrderStatus
from gateway.records import Preview, reading, writing
from gateway.services import Services
from gateway.shops import DEFAULT_SHOP, Shop
from storage.folder import FolderStore
from tests.gateway import fake_stripe
from tests.gateway.clerk import Clerk
from tests.gateway.fake_stripe import FakeStripe, event, payments_at, signature
from tests.gateway.fakes import FakeCourier, FakeMailer, MovableClock
from tests.gateway.order_stage import ADDRESS, OrderStage
from tests.gateway.pdf_book import text_of
from tests.gateway.rendering import BOOK, Job

VIETNAMESE = "Nguyễn Thị Hồng Ánh"
UNSEEN = ("\0", "\x07", "\t", "\u202e", "\u2066", "\u2069", "\u200b", "\u200d", "\u2028", "\ufeff")


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"STRIPE_WEBHOOK_SECRETS": fake_stripe.SECRET}


@pytest.fixture
def printer(tmp_path: Path, store: FolderStore) -> FileDrop:
    return FileDrop(tmp_path / "drop", store)


@pytest.fixture
def stripe(clock: MovableClock) -> FakeStripe:
    return FakeStripe(now=clock.now)


@pytest.fixture
def services(services: Services, stripe: FakeStripe) -> Iterator[Services]:
    with payments_at(stripe) as payments:
        till = replace(services.sales.till, payments=payments)
        yield replace(services, sales=replace(services.sales, till=till))


@pytest.fixture(autouse=True)
def hooked_shop(services: Services) -> None:
    """The shop wants to be told of its orders."""
    with writing(services.engine) as session:
        shop = session.get_one(Shop, DEFAULT_SHOP)
        shop.webhook_url, shop.webhook_secret = "https://shop.test/hook", "whsec_" + "A" * 32


def buy(orders: OrderStage, job: Job, dedication: str | None) -> httpx2.Response:
    body = {"preview_id": job.preview_id, "dedication": dedication}
    return orders.stage.client.post("/api/checkout", json=body, headers=job.headers)


def pay(orders: OrderStage, stripe: FakeStripe, session_id: str, name: str) -> str:
    """Stripe tells that the session is paid, to be sent to somebody of that name."""
    address = {"line1": ADDRESS["line1"], "postal_code": ADDRESS["postcode"], "country": "GB"}
    shipping = {"name": name, "address": {**address, "city": "London"}}
    paid = stripe.pay(
        session_id,
        customer_details={"email": "parent@example.com"},
        collected_information={"shipping_details": shipping},
    )
    body = fake_stripe.text(event("checkout.session.completed", paid))
    answer = orders.stage.client.post(
        "/webhooks/stripe", content=body.encode(), headers={"Stripe-Signature": signature(body)}
    )
    assert answer.status_code == 200, answer.text
    while orders.services.sales.inbox.work_due():
        pass
    with reading(orders.services.engine) as session:
        order_id = session.scalar(select(Order.order_id).where(Order.source_id == session_id))
    assert order_id
    return order_id


def unbroken(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("name", "dedication"),
    [
        (VIETNAMESE, "Cho con yêu của mẹ,\nchúc con luôn khoẻ mạnh và hạnh phúc!"),
        (unicodedata.normalize("NFD", VIETNAMESE), unicodedata.normalize("NFD", "Tặng Hồng Ánh")),
        ("D'Arcy O’Brien-Smith Jr.", "<script>alert(1)</script> & <b>'\"</b> &amp; <!--"),
        ("Zoë", "{name} {child_name} {{ 7*7 }} {% raw %} %s %(name)s ${x} $name"),
        ("Łucja", ") Tj ET Q endstream ( \\) <FEFF> \\n\n{\\rtf1 \\par} ../../etc/passwd; DROP"),
        ("Maximiliane-Alexandra", "W" * 40 + "\n" + "♥ ☺"),
    ],
)
def test_what_is_taken_comes_out_exactly(
    orders: OrderStage,
    stripe: FakeStripe,
    mailer: FakeMailer,
    courier: FakeCourier,
    tmp_path: Path,
    name: str,
    dedication: str,
) -> None:
    job = orders.preview(child_name=name)
    checkout = buy(orders, job, dedication)
    assert checkout.status_code == 201, checkout.text
    order_id = pay(orders, stripe, checkout.json()["session_id"], name)
    assert orders.run(order_id) is None
    assert orders.status(order_id) is OrderStatus.IN_PRODUCTION
    while orders.services.orders.outbox.send_due():
        pass
    name, dedication = (unicodedata.normalize("NFC", text) for text in (name, dedication))

    # on paper, and on the screen
    printed = orders.services.store.get(book_key(order_id, "full_book"), 10**8)
    screen = orders.services.store.get(book_key(order_id, "screen_book"), 10**8)
    for pdf, title_page in ((printed, 0), (screen, 1)):
        told = text_of(pdf, title_page)
        assert name.replace(" ", "") in told.replace(" ", "")
        assert told.endswith(unbroken(dedication)), told
    story = "".join(text_of(printed, page) for page in range(2, 37))
    assert name.split()[0] in story

    # in letters: the name, as text and escaped; of the dedication nothing
    letter = next(mail for mail in mailer.sent if mail.message_id.count("order_confirmed"))
    assert name in letter.subject + letter.text
    assert name in html.unescape(letter.html)
    assert "<script>" not in letter.html
    said = "".join(mail.subject + mail.text + mail.html for mail in mailer.sent)
    assert unbroken(dedication)[:30] not in unbroken(html.unescape(said))

    # at the printer: folder and files are named by ids
    (folder,) = (tmp_path / "drop").iterdir()
    assert folder.name.startswith(order_id)
    assert {path.name for path in folder.iterdir()} == {
        "cover.pdf",
        "full_book.pdf",
        "job.json",
        "ticket.txt",
    }
    assert (folder / "full_book.pdf").read_bytes() == printed
    ticket = (folder / "ticket.txt").read_text()
    assert name in ticket
    assert name in json.loads((folder / "job.json").read_text())["title"]

    # to the shop: neither
    hooks = str([json.loads(body) for _, _, body in courier.delivered])
    assert order_id in hooks
    assert name not in hooks
    assert dedication[:20] not in hooks

    # at the desk, as JSON; and Stripe was told nothing
    seen = Clerk(orders.services, orders.stage.client).see(order_id)
    assert (seen["child"]["name"], seen["dedication"]) == (name, dedication)
    assert name not in str(stripe.requests)
    assert dedication[:20] not in str(stripe.requests)


@pytest.mark.parametrize(
    "name",
    [
        "a" * 200,
        "Ada 🦊",
        "Ada<script>",
        "{name}",
        "%s",
        "{{ 7*7 }}",
        "Ada)",
        "{\\rtf1",
        "../Ada",
        "Ada\nBob",
        *(f"A{character}da" for character in UNSEEN if character != "\u200d"),
    ],
)
def test_what_is_no_name_makes_no_preview(orders: OrderStage, name: str) -> None:
    body = {"photo_id": orders.stage.photo(), "book_id": BOOK, "child_name": name}
    answer = orders.stage.ask(body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == ["child_name"]
    assert name not in answer.text
    with reading(orders.services.engine) as session:
        assert session.scalar(select(func.count()).select_from(Preview)) == 0


@pytest.mark.parametrize("name", ["שרה", "محمد", "علی\u200cرضا", "小明", "A\u200dda"])
def test_a_name_that_cannot_be_printed_is_not_sold(
    orders: OrderStage, stripe: FakeStripe, name: str
) -> None:
    """A preview may have it: no text is drawn there."""
    answer = buy(orders, orders.preview(child_name=name), None)
    assert (answer.status_code, answer.json()["code"]) == (422, "book_unprintable")
    assert name not in answer.text
    assert stripe.requests == []


@pytest.mark.parametrize(
    "dedication",
    ["For you 🎉", "👨\u200d👩\u200d👧", "לעולם", "إلى ابني", "小明", "\ufffd", "soft\u00adhyphen"]
    + [f"For{character}you" for character in UNSEEN if character != "\t"],
)
def test_a_dedication_that_cannot_be_printed_is_not_sold(
    orders: OrderStage, stripe: FakeStripe, dedication: str
) -> None:
    answer = buy(orders, orders.preview(), dedication)
    assert (answer.status_code, answer.json()["code"]) == (422, "book_unprintable")
    assert answer.json()["detail"].startswith("dedication: U+")
    assert stripe.requests == []
    with reading(orders.services.engine) as session:
        assert session.scalar(select(func.count()).select_from(Checkout)) == 0


@pytest.mark.parametrize("dedication", ["a " * 100, "a\nb\nc\nd\ne", "W" * 41, "a" * 100_000])
def test_a_dedication_that_is_too_long_is_refused_by_its_field(
    orders: OrderStage, stripe: FakeStripe, dedication: str
) -> None:
    answer = buy(orders, orders.preview(), dedication)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == ["dedication"]
    assert stripe.requests == []


def test_half_a_character_is_no_json(orders: OrderStage) -> None:
    job = orders.preview()
    body = f'{{"preview_id": "{job.preview_id}", "dedication": "\\ud83e"}}'
    headers = {**job.headers, "Content-Type": "application/json"}
    answer = orders.stage.client.post("/api/checkout", content=body.encode(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")
