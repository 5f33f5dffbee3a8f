"""A paid book, from Stripe's signed event to the printer's folder, through real processes: 35 pages
painted and enlarged by ComfyUI."""

import email
import email.policy
import hashlib
import io
import json
import re
import time
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pikepdf
import pypdfium2
import pytest

from sandbox.stack import ROOT
from tests.stack.conftest import System
from tests.stack.shop import Ordered, Shop

pytestmark = [pytest.mark.stack, pytest.mark.comfyui, pytest.mark.timeout(900)]

NAME = "Nguyễn Thị Ánh"
STORY_PAGES = 35
BLANK_PAGES = 1  # after title and imprint, so that their number is even
PRINT_PX = 3075  # ten inches and twice the bleed, at 300 pixels an inch


@dataclass(frozen=True)
class Bought:
    """A book that the printer has: the preview, the order as its parent sees it."""

    preview: Ordered
    order: dict[str, Any]
    job: Path

    @property
    def order_id(self) -> str:
        order_id: str = self.order["order_id"]
        return order_id


@pytest.fixture(scope="module")
def bought(system: System, portrait: bytes) -> Bought:
    with httpx.Client(base_url=system.stack.gateway_url, timeout=60) as client:
        shop = Shop(client)
        preview = shop.order_preview(portrait, NAME)
        assert shop.wait_for_end(preview)["status"] == "completed"
        order_id = shop.buy(preview)
        order = shop.wait_for_print(preview, order_id)
    return Bought(preview, order, system.stack.print_dir / f"{order_id}-1")


def letters_of(system: System, bought: Bought, wanted: int) -> list[EmailMessage]:
    """The letters about an order, once so many are there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = sorted(system.stack.mail_dir.glob(f"{bought.order_id}.*.eml"))
        if len(found) >= wanted:
            policy = email.policy.default
            return [email.message_from_bytes(path.read_bytes(), policy=policy) for path in found]
        time.sleep(0.2)
    raise AssertionError(f"{wanted} letters were to be there")


def words(pdf: Path) -> list[str]:
    """The text of each page, in one line."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [" ".join(page.get_textpage().get_text_bounded().split()) for page in document]
    finally:
        document.close()


def test_the_printer_has_the_book_of_a_paid_preview(bought: Bought) -> None:
    done = [step["step"] for step in bought.order["steps"] if step["done"]]
    assert bought.order["status"] == "printing"
    assert bought.order["pages_ready"] == bought.order["total_pages"] == STORY_PAGES
    assert done == ["paid", "painted", "given_to_the_printer"]


def test_there_is_one_print_job_with_the_files_that_it_names(
    system: System, bought: Bought
) -> None:
    told = json.loads((bought.job / "job.json").read_text())
    jobs = [path for path in system.stack.print_dir.iterdir() if bought.order_id in path.name]
    assert jobs == [bought.job]
    assert told["external_id"] == bought.job.name
    assert told["quantity"] == 1
    assert told["ship_to"]["name"] == "Ada Lovelace"
    for part in ("interior", "cover"):
        file = (bought.job / told[part]["file"]).read_bytes()
        assert hashlib.sha256(file).hexdigest() == told[part]["sha256"]


def test_every_page_of_the_story_is_printed_to_the_edge_in_print_resolution(
    bought: Bought,
) -> None:
    with pikepdf.open(bought.job / "full_book.pdf") as pdf:
        assert len(pdf.pages) == 2 + STORY_PAGES + BLANK_PAGES
        for page in pdf.pages:
            assert [float(side) for side in pikepdf.Array(page.trimbox)] == [9, 9, 729, 729]
        pictures = set()
        for page in pdf.pages[2 : 2 + STORY_PAGES]:
            (picture,) = page.get_images().values()
            assert (int(picture.Width), int(picture.Height)) == (PRINT_PX, PRINT_PX)
            pictures.add(picture.objgen)
        assert len(pictures) == STORY_PAGES


def test_the_story_is_told_with_the_childs_name(bought: Bought) -> None:
    drawn = ROOT / "build" / "books" / "moonlit-fox" / "book.json"
    told = [
        page["story_text"].replace("{name}", NAME)
        for page in json.loads(drawn.read_text())["pages"]
    ]
    printed = words(bought.job / "full_book.pdf")
    assert NAME in printed[0]
    assert printed[2 : 2 + STORY_PAGES] == [" ".join(text.split()) for text in told]
    assert NAME in words(bought.job / "cover.pdf")[0]


def test_the_parent_downloads_a_small_copy(shop: Shop, bought: Bought) -> None:
    book = shop.book(bought.preview, bought.order_id)
    with pikepdf.open(io.BytesIO(book)) as pdf:
        assert len(pdf.pages) >= 2 + STORY_PAGES
    assert len(book) < (bought.job / "full_book.pdf").stat().st_size / 10


def test_the_parent_sees_every_page_without_a_mark(shop: Shop, bought: Bought) -> None:
    preview = shop.preview(bought.preview)
    shown = preview["preview_pages"]
    assert [page["page_number"] for page in shown] == list(range(1, STORY_PAGES + 1))
    assert not any(page["is_watermarked"] for page in shown)
    assert preview["locked_pages"] == []


def test_the_parent_got_two_letters(system: System, bought: Bought) -> None:
    letters = letters_of(system, bought, wanted=2)
    assert len(letters) == 2
    for letter in letters:
        body = letter.get_body(("plain",))
        assert body is not None
        assert letter["To"] == "parent@example.com"
        assert NAME in body.get_content()


def test_the_link_of_the_letter_leads_to_the_book(
    system: System, shop: Shop, bought: Bought
) -> None:
    ready, _ = letters_of(system, bought, wanted=2)
    body = ready.get_body(("plain",))
    assert body is not None
    links = re.findall(rf"{re.escape(system.stack.gateway_url)}/d/\S+", body.get_content())
    assert len(links) == 1
    answer = shop.picture(links[0])
    assert answer.status_code == httpx.codes.FOUND
    book = shop.picture(answer.headers["Location"]).raise_for_status().content
    assert book == shop.book(bought.preview, bought.order_id)


def test_logs_carry_nothing_of_the_buyer(system: System, bought: Bought) -> None:
    logs = "".join(
        path.read_text(errors="replace") for path in (system.stack.state / "logs").glob("*.log")
    )
    assert bought.order_id in logs
    secrets = system.stack.secrets
    for told in (NAME, "Ada Lovelace", "Lantern Lane", "parent@example.com", secrets.stripe_key):
        assert told not in logs
