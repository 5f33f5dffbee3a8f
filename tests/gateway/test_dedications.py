"""A dedication: from the parent to the title page, and to the desk."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.keys import book_key
from gateway.customers import Customer
from gateway.dedications import (
    CHARACTERS_MAX,
    LINES_MAX,
    WORD_MAX,
    clean_dedication,
    told_dedication,
)
from gateway.desk_users import Role
from gateway.order_records import Checkout, Order
from gateway.orders import OrderStatus, Stage
from gateway.pdf import check_texts
from gateway.print_profiles import load_profiles
from gateway.records import reading, writing
from gateway.retention import sweep
from gateway.shops import DEFAULT_SHOP, Shop
from tests.gateway.clerk import Clerk, audit
from tests.gateway.fakes import MovableClock
from tests.gateway.order_stage import OrderStage
from tests.gateway.pdf_book import book, fonts, text_of

WORDS = "For Ada,\nfrom Grandma"
# No letter or digit of the Latin alphabet, and no sign on a keyboard, is wider in the book's type.
WIDEST = "W"


@pytest.fixture
def clerk(orders: OrderStage) -> Clerk:
    return Clerk(orders.services, orders.stage.client)


def shapes() -> st.SearchStrategy[str]:
    """Texts of the widest letter, of any division into words and lines that is taken."""
    words = st.lists(st.integers(1, WORD_MAX), min_size=1, max_size=70)
    breaks = st.lists(st.integers(0, 70), max_size=LINES_MAX - 1)
    return st.builds(_shaped, words, breaks)


def _shaped(words: list[int], breaks: list[int]) -> str:
    text = "".join(
        WIDEST * size + ("\n" if number in breaks else " ") for number, size in enumerate(words)
    )
    return text[:CHARACTERS_MAX].strip()


def longest(word: int, forced: int) -> str:
    """As much as is taken, in words of one length, behind so many lines of one letter each."""
    head = f"{WIDEST}\n" * forced
    rest = f"{WIDEST * word} " * CHARACTERS_MAX
    return (head + rest)[:CHARACTERS_MAX].strip()


@pytest.mark.parametrize("profile_id", load_profiles())
@pytest.mark.parametrize("forced", range(LINES_MAX))
def test_whatever_is_taken_fits_every_trim(profile_id: str, forced: int) -> None:
    for word in range(1, WORD_MAX + 1):
        text = longest(word, forced)
        assert clean_dedication(text) == text
        check_texts(book(35, dedication=text), load_profiles()[profile_id], fonts())


@settings(max_examples=60, deadline=None)
@given(shapes())
def test_whatever_is_taken_fits_the_smallest_trim(text: str) -> None:
    assert clean_dedication(text) is not None
    check_texts(book(35, dedication=text), load_profiles()["square_8_5"], fonts())


def test_nothing_that_people_write_is_wider_than_the_widest_letter() -> None:
    codes = (*range(0x20, 0x7F), *range(0xC0, 0x180), *range(0x1EA0, 0x1F00))
    latin = map(chr, codes)
    regular = fonts().regular
    widest = regular.width(WIDEST, "here")
    wider = [sign for sign in latin if sign.isprintable() and regular.width(sign, "here") > widest]
    assert wider == []


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("  For \t you  ", "For you"),
        ("\r\n one \r\n\r\n two\n", "one\n\ntwo"),
        (unicodedata.normalize("NFD", "Tặng Ánh"), "Tặng Ánh"),
        ("", None),
        (" \n ", None),
    ],
)
def test_only_spaces_around_words_are_changed(written: str, kept: str | None) -> None:
    assert clean_dedication(written) == kept


@given(st.text(max_size=400))
def test_what_was_cleaned_stays_as_it_is(text: str) -> None:
    kept, refused = told_dedication(text)
    assert kept is None or "\0" not in kept
    if refused is None and kept is not None:
        assert clean_dedication(kept) == kept


def test_a_refused_dedication_is_kept_for_the_desk_but_not_all_of_it() -> None:
    kept, refused = told_dedication("word\0 " * 100_000)
    assert refused == "dedication_refused"
    assert kept is not None
    assert kept.startswith("word\ufffd ")
    assert len(kept) <= 2 * CHARACTERS_MAX


def paid(orders: OrderStage, dedication: str | None, **changes: Any) -> str:
    order_id = orders.pay(orders.preview().preview_id, dedication=dedication, **changes)
    assert order_id
    return order_id


def title_page(orders: OrderStage, order_id: str) -> str:
    return text_of(orders.services.store.get(book_key(order_id, "full_book"), 10**8), 0)


def ask_for_approval(orders: OrderStage, *, approval: bool) -> None:
    with writing(orders.services.engine) as session:
        session.get_one(Shop, DEFAULT_SHOP).approval = approval


def test_a_book_without_a_dedication_says_nothing_beneath_its_title(orders: OrderStage) -> None:
    order_id = paid(orders, None)
    assert orders.run(order_id) is None
    assert title_page(orders, order_id).startswith("Ada")
    assert "For Ada" not in title_page(orders, order_id)


def test_the_desk_sees_and_changes_it_until_the_book_is_printed(
    orders: OrderStage, clerk: Clerk
) -> None:
    ask_for_approval(orders, approval=True)
    order_id = paid(orders, WORDS)
    assert orders.run(order_id) is Stage.APPROVE
    assert clerk.see(order_id)["dedication"] == WORDS
    answer = clerk.act(order_id, "dedication", {"dedication": "For Ada, from Grandpa"})
    assert answer.status_code == 200, answer.text
    assert clerk.see(order_id)["dedication"] == "For Ada, from Grandpa"
    assert (clerk.username, "dedication_changed", order_id) in audit(orders.services)
    assert "Grandpa" not in str(clerk.see(order_id)["history"])
    clerk.act(order_id, "approve")
    assert orders.run(order_id) is None
    assert title_page(orders, order_id).endswith("For Ada, from Grandpa")
    late = clerk.act(order_id, "dedication", {"dedication": None})
    assert (late.status_code, late.json()["code"]) == (409, "order_state")


def test_a_book_that_is_assembled_already_is_assembled_again(
    orders: OrderStage, clerk: Clerk
) -> None:
    order_id = paid(orders, WORDS)
    for stage, step in orders.steps().all().items():
        if stage is not Stage.SUBMIT:
            step(order_id)
    assert title_page(orders, order_id).endswith("For Ada, from Grandma")
    at_work = clerk.act(order_id, "dedication", {"dedication": "Love"})
    assert (at_work.status_code, at_work.json()["code"]) == (409, "order_state")
    clerk.act(order_id, "hold", {"reason": "wrong_words"})
    assert clerk.act(order_id, "dedication", {"dedication": "Love"}).status_code == 200
    clerk.act(order_id, "release")
    assert orders.run(order_id) is None
    assert title_page(orders, order_id).endswith("Love")


@pytest.mark.parametrize(
    ("dedication", "code"),
    [("🎉", "book_unprintable"), ("a\x00b", "book_unprintable"), ("W" * 41, "invalid_request")],
)
def test_the_desk_can_put_in_only_what_can_be_printed(
    orders: OrderStage, clerk: Clerk, dedication: str, code: str
) -> None:
    ask_for_approval(orders, approval=True)
    order_id = paid(orders, WORDS)
    orders.run(order_id)
    answer = clerk.act(order_id, "dedication", {"dedication": dedication})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert orders.order(order_id).dedication == WORDS


def test_an_order_without_a_preview_has_no_book_to_change(orders: OrderStage, clerk: Clerk) -> None:
    order_id = orders.pay(None)
    assert order_id
    answer = clerk.act(order_id, "dedication", {"dedication": "Love"})
    assert (answer.status_code, answer.json()["code"]) == (409, "order_state")


def test_a_viewer_cannot_change_it(orders: OrderStage) -> None:
    order_id = paid(orders, WORDS)
    viewer = Clerk(orders.services, orders.stage.client, "vera", Role.VIEWER)
    answer = viewer.act(order_id, "dedication", {"dedication": None})
    assert (answer.status_code, answer.json()["code"]) == (403, "desk_forbidden")


@pytest.mark.parametrize("dedication", ["🎉", "Love \ufffd"])
def test_what_a_shop_sold_unseen_stops_before_anything_is_painted(
    orders: OrderStage, clerk: Clerk, dedication: str
) -> None:
    order_id = paid(orders, dedication)
    before = len(orders.rendered)
    assert orders.run(order_id) is Stage.RESERVE
    assert "dedication: U+" in (orders.order(order_id).parked_reason or "")
    assert len(orders.rendered) == before
    clerk.act(order_id, "dedication", {"dedication": "Love"})
    clerk.act(order_id, "retry")
    assert orders.run(order_id) is None
    assert title_page(orders, order_id).endswith("Love")


def opened(orders: OrderStage, preview_id: str, session_id: str = "cs_1") -> None:
    """A checkout with a dedication."""
    with writing(orders.services.engine) as session:
        session.add(
            Checkout(
                session_id=session_id,
                preview_id=preview_id,
                quantity=1,
                amount=3900,
                currency="USD",
                url="https://stripe.test/",
                dedication=WORDS,
                created_at=orders.services.clock.now(),
            )
        )


def kept(orders: OrderStage, session_id: str = "cs_1") -> str | None:
    with reading(orders.services.engine) as session:
        return session.get_one(Checkout, session_id).dedication


def test_it_is_erased_with_its_preview(orders: OrderStage) -> None:
    job = orders.preview()
    opened(orders, job.preview_id)
    orders.services.erasure.erase_preview(job.preview_id)
    assert kept(orders) is None


def test_it_is_erased_with_the_preview_of_a_book_that_arrived(orders: OrderStage) -> None:
    order_id = paid(orders, WORDS)
    with writing(orders.services.engine) as session:
        order = session.get_one(Order, order_id)
        order.status = OrderStatus.DELIVERED
        preview_id = str(order.preview_id)
    orders.services.erasure.erase_preview(preview_id)
    assert orders.order(order_id).dedication is None


def test_it_is_erased_with_its_customer(orders: OrderStage) -> None:
    order_id = paid(orders, WORDS)
    preview_id = orders.order(order_id).preview_id
    assert preview_id
    opened(orders, preview_id)
    whose = Customer("default", email="parent@example.com")
    orders.services.erasure.erase_customer(whose)
    assert (orders.order(order_id).dedication, kept(orders)) == (None, None)


def test_it_is_erased_with_its_customer_where_somebody_else_needs_the_preview(
    orders: OrderStage,
) -> None:
    mine = paid(orders, WORDS)
    preview_id = str(orders.order(mine).preview_id)
    grandmas = orders.pay(preview_id, "cs_2", email="nan@example.com", dedication="From Nan")
    assert grandmas
    opened(orders, preview_id)
    whose = Customer("default", email="parent@example.com")
    assert orders.services.erasure.erase_customer(whose).previews == 0
    assert (orders.order(mine).dedication, kept(orders)) == (None, None)
    assert orders.order(grandmas).dedication == "From Nan"


def test_it_ends_with_its_preview_s_life(orders: OrderStage, clock: MovableClock) -> None:
    job = orders.preview()
    opened(orders, job.preview_id)
    clock.move(days=60)
    sweep(orders.services)
    assert kept(orders) is None
