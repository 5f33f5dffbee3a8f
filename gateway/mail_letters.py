"""The letters that a parent gets about an order.

Each is told once, in ``templates/mail/{letter}.txt``: the subject, the heading, then paragraphs,
with an empty line between any two. Both the text and the HTML of a letter are made from these, so
they never say different things. Links stand below the paragraphs.
"""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from gateway.one_line import one_line
from gateway.ports import Mail
from gateway.web_links import is_web_link

_TEMPLATES = Path(__file__).resolve().parent / "templates" / "mail"
_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Letter(StrEnum):
    """What a letter is about."""

    ORDER_CONFIRMED = "order_confirmed"
    BOOK_READY = "book_ready"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_DELAYED = "order_delayed"


@dataclass(frozen=True)
class LetterFacts:
    """What letters tell of an order.

    ``order_id`` is ours, ``order_number`` the one that the parent knows. ``sending`` counts how
    often a person had this letter sent, from 1: each is a letter of its own. ``download_url`` may
    be empty in all letters but BOOK_READY; the other links are optional, too.
    """

    order_id: str
    to: str
    child_name: str
    title: str
    order_number: str
    shop_name: str
    order_url: str = ""
    download_url: str = ""
    tracking_urls: tuple[str, ...] = ()
    sending: int = 1


@dataclass(frozen=True)
class _Link:
    """A link under a letter's paragraphs; the first one is shown as a button."""

    label: str
    url: str


def letter(about: Letter, facts: LetterFacts) -> Mail:
    """Write the letter. Equal facts make an equal letter, ``message_id`` included.

    Raises:
        ValueError: a link isn't a web link, or BOOK_READY has none to download from.
    """
    links = _links(about, facts)
    for link in links:
        if not is_web_link(link.url):
            raise ValueError(f"the link {link.label!r} of the letter {about} isn't a web link")
    words = {
        "child_name": _name(facts.child_name),
        "title": _name(facts.title),
        "order_number": one_line(facts.order_number),
        "shop_name": one_line(facts.shop_name),
    }
    told = _environment.get_template(f"{about}.txt").render(words, tracked=facts.tracking_urls)
    subject, heading, *paragraphs = (" ".join(part.split()) for part in told.split("\n\n"))
    context = words | {"heading": heading, "paragraphs": paragraphs, "links": links}
    return Mail(
        to=facts.to,
        subject=subject,
        text=_environment.get_template("letter.txt").render(context),
        html=_environment.get_template("letter.html").render(context),
        message_id=_message_id(about, facts),
    )


def _links(about: Letter, facts: LetterFacts) -> list[_Link]:
    parcels = [_Link("Follow the parcel", url) for url in facts.tracking_urls]
    if len(parcels) > 1:
        parcels = [
            _Link(f"Follow parcel {number}", parcel.url) for number, parcel in enumerate(parcels, 1)
        ]
    download = [_Link("Download the book", facts.download_url)]
    order = [_Link("See your order", facts.order_url)] if facts.order_url else []
    match about:
        case Letter.BOOK_READY:
            return download + order
        case Letter.SHIPPED:
            return parcels + order
        case Letter.DELIVERED:
            return (download if facts.download_url else []) + order
        case _:
            return order


def _message_id(about: Letter, facts: LetterFacts) -> str:
    again = f".{facts.sending}" if facts.sending > 1 else ""
    return f"{facts.order_id}.{about}{again}"


_ISOLATE: Final = "\u2066{}\u2069"
"""Left-to-right isolate (Unicode TR 9): a name from right to left reorders neither the sentence
around it nor the title that it stands in."""


def _name(text: str) -> str:
    name = one_line(text)
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in name):
        return _ISOLATE.format(name)
    return name
