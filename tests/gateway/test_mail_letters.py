"""What parents are written."""

from dataclasses import replace
from email.headerregistry import Address
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mail_letters import Letter, LetterFacts, letter
from gateway.mail_message import internet_message
from tests.gateway.fakes import MovableClock

FACTS = LetterFacts(
    order_id="order-1",
    to="mia@parents.example",
    child_name="Nguyễn Thị Ánh",
    title="Nguyễn Thị Ánh and the Moonlit Fox",
    order_number="FX-1042",
    shop_name="Foxetales",
    order_url="https://foxetales.example/orders/order-1",
    download_url="https://foxetales.example/api/download/order-1?token=a&x=b",
    tracking_urls=("https://carrier.example/track?n=1&m=2",),
)
EVERY = pytest.mark.parametrize("about", list(Letter))


class Page(HTMLParser):
    """A letter's HTML as a reader gets it: its text, its links, and its elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str | None] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name == "href"]


@EVERY
def test_a_letter_is_whole(about: Letter) -> None:
    mail = letter(about, FACTS)
    assert mail.to == FACTS.to
    assert mail.message_id == f"order-1.{about}"
    assert mail.text.endswith("Warm wishes\nFoxetales\n\n-- \nOrder FX-1042")
    assert "\n\n\n" not in mail.text
    assert 10 < len(mail.subject) < 70


@EVERY
def test_text_and_html_say_the_same(about: Letter) -> None:
    mail = letter(about, FACTS)
    page = Page(mail.html)
    shown = " ".join(page.text.split())
    for line in mail.text.splitlines():
        if line.startswith("https:"):
            assert line in page.links
        elif line not in ("-- ", ""):
            assert line.rstrip(":") in shown


@pytest.mark.parametrize(
    ("about", "links"),
    [
        (Letter.ORDER_CONFIRMED, [FACTS.order_url]),
        (Letter.BOOK_READY, [FACTS.download_url, FACTS.order_url]),
        (Letter.SHIPPED, [*FACTS.tracking_urls, FACTS.order_url]),
        (Letter.DELIVERED, [FACTS.download_url, FACTS.order_url]),
        (Letter.ORDER_CANCELLED, [FACTS.order_url]),
        (Letter.ORDER_DELAYED, [FACTS.order_url]),
    ],
)
def test_a_letter_has_the_links_that_help(about: Letter, links: list[str]) -> None:
    assert Page(letter(about, FACTS).html).links == links


def test_a_ready_book_can_be_downloaded_for_thirty_days() -> None:
    assert "30 days" in letter(Letter.BOOK_READY, FACTS).text


def test_each_of_several_parcels_can_be_followed() -> None:
    two = replace(FACTS, tracking_urls=("https://c.example/1", "https://c.example/2"))
    text = letter(Letter.SHIPPED, two).text
    assert "Follow parcel 1:\nhttps://c.example/1\n" in text
    assert "Follow parcel 2:\nhttps://c.example/2\n" in text


def test_a_parcel_without_tracking_promises_none() -> None:
    text = letter(Letter.SHIPPED, replace(FACTS, tracking_urls=())).text
    assert "can follow" not in text
    assert "can’t give you a link" in text


def test_equal_facts_make_an_equal_letter() -> None:
    assert letter(Letter.SHIPPED, FACTS) == letter(Letter.SHIPPED, FACTS)


def test_a_letter_that_a_person_sends_again_is_another_one() -> None:
    again = letter(Letter.SHIPPED, replace(FACTS, sending=2))
    assert again.message_id == "order-1.shipped.2"


def test_a_ready_book_without_a_download_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="Download the book"):
        letter(Letter.BOOK_READY, replace(FACTS, download_url=""))


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//x.example",
        "https://",
        'https://x/"onload="',
        "https://u@x.example",
    ],
)
def test_a_link_that_isnt_a_web_link_is_never_sent(url: str) -> None:
    with pytest.raises(ValueError, match="isn't a web link") as caught:
        letter(Letter.SHIPPED, replace(FACTS, tracking_urls=(url,)))
    assert url not in str(caught.value)


@EVERY
def test_markup_in_a_name_is_text(about: Letter) -> None:
    sly = "<script>alert(1)</script>{{ 7*7 }}&amp;<img src=x onerror=y>"
    facts = replace(FACTS, child_name=sly, title=sly, shop_name=sly, order_number=sly)
    page = Page(letter(about, facts).html)
    plain = Page(letter(about, FACTS).html)
    assert page.tags == plain.tags
    assert page.attributes == plain.attributes
    assert sly in page.text
    assert "49" not in page.text


def test_a_name_from_right_to_left_reorders_nothing_else() -> None:
    mail = letter(Letter.SHIPPED, replace(FACTS, child_name="نور\u202e"))
    assert mail.subject == "\u2066نور\u2069’s book is on its way"
    assert "\u202e" not in mail.text + mail.html


@EVERY
@given(name=st.text(max_size=200), title=st.text(max_size=200), number=st.text(max_size=50))
def test_whatever_a_name_holds_makes_one_letter(
    about: Letter, name: str, title: str, number: str
) -> None:
    facts = replace(FACTS, child_name=name, title=title, order_number=number)
    mail = letter(about, facts)
    ours = Address(username="books", domain="foxetales.example")
    message = internet_message(mail, ours, MovableClock().now())
    data = message.as_bytes()
    head = data.partition(b"\r\n\r\n")[0].decode("ascii")
    names = [line.split(":")[0] for line in head.split("\r\n") if not line.startswith((" ", "\t"))]
    assert names == [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    ]
    usual = letter(about, FACTS).text.count("\n")
    assert mail.text.count("\n") == usual
