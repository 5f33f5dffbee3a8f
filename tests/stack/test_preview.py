"""One photo in, three personalised pages out, over HTTP, through real processes."""

import io
import json
import re
import signal
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from contract.keys import page_key, template_key
from sandbox.stack import ROOT
from tests.stack.conftest import System
from tests.stack.shop import Ordered, Shop

pytestmark = [pytest.mark.stack, pytest.mark.comfyui, pytest.mark.timeout(600)]

GROW_PX, FEATHER_PX = 2, 12
Pixels = npt.NDArray[np.uint8]


def pixels(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def pages_of(system: System, order: Ordered) -> list[bytes]:
    return [(system.store / page_key(order.preview_id, n)).read_bytes() for n in (1, 2, 3)]


def reach_of_the_mask(mask: Pixels) -> npt.NDArray[np.bool_]:
    """Where the grown and feathered mask may be more than nothing: all within 14 px of it."""
    radius = GROW_PX + FEATHER_PX
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 3, 2 * radius + 3))
    return cv2.dilate((mask > 0).astype(np.uint8), disc) > 0


def assert_three_good_pages(system: System, shop: Shop, order: Ordered) -> None:
    status = shop.wait_for_end(order)
    assert status["status"] == "completed", status
    assert status["progress"] == 100
    assert status["pages_completed"] == status["total_pages"] == 3
    preview = shop.preview(order)
    assert len({shown["page_number"] for shown in preview["preview_pages"]}) == 3
    for number, page in enumerate(map(pixels, pages_of(system, order)), start=1):
        book_id = preview["book_id"]
        background, character, mask = (
            pixels((system.store / template_key(book_id, number, asset)).read_bytes())
            for asset in ("background", "character", "person_mask")
        )
        outside = ~reach_of_the_mask(mask)
        assert page.shape == (1024, 1024, 3)
        assert outside.mean() > 0.2
        assert np.array_equal(page[outside], background[outside])
        assert not np.array_equal(page[mask == 255], character[mask == 255])


@pytest.fixture(scope="module")
def first(system: System, portrait: bytes, request: pytest.FixtureRequest) -> Ordered:
    import httpx

    with httpx.Client(base_url=system.stack.gateway_url, timeout=60) as client:
        shop = Shop(client)
        order = shop.order_preview(portrait, "Zoë")
        shop.wait_for_end(order)
    return order


def test_a_photo_becomes_three_pages(system: System, shop: Shop, first: Ordered) -> None:
    assert_three_good_pages(system, shop, first)


def test_the_parent_sees_watermarked_pictures_labelled_as_a_draft(
    system: System, shop: Shop, first: Ordered
) -> None:
    preview = shop.preview(first)
    assert preview["draft"] is True
    assert "Zoë" in preview["story_title"]
    assert any("Zoë" in shown["story_text"] for shown in preview["preview_pages"])
    for shown, clean in zip(preview["preview_pages"], pages_of(system, first), strict=True):
        answer = shop.picture(shown["image_url"])
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert "no-store" in answer.headers["Cache-Control"]
        seen, page = pixels(answer.content).astype(int), pixels(clean).astype(int)
        assert shown["is_watermarked"] is True
        assert np.abs(seen - page).mean() > 1  # the mark is there …
        assert np.abs(seen - page).mean() < 25  # … and the page shines through


def test_a_page_carries_no_prompt_and_no_metadata(system: System, first: Ordered) -> None:
    for png in pages_of(system, first):
        with Image.open(io.BytesIO(png)) as image:
            note = image.info.pop("foxetales")  # by which a worker knows its page again
            assert re.fullmatch(r"[0-9a-f]{64}", note)
            assert not image.info


def test_the_photo_lies_in_the_store_and_nowhere_else(system: System, first: Ordered) -> None:
    """The worker's own copies are gone when the job has ended."""
    comfyui = system.stack.state / "comfyui"
    left = [
        path
        for folder in ("input", "output", "temp")
        for path in comfyui.glob(f"*/{folder}/**/*")
        if path.is_file()
    ]
    assert left == []


def pixels_of(system: System, ordered: Ordered) -> list[bytes]:
    """What the pages show: their files also note which task they are of."""
    pixels = []
    for png in pages_of(system, ordered):
        with Image.open(io.BytesIO(png)) as image:
            pixels.append(image.tobytes())
    return pixels


def test_the_same_photo_and_seed_give_the_same_pages_for_another_child(
    system: System, shop: Shop, portrait: bytes, first: Ordered
) -> None:
    other = shop.order_preview(portrait, "Bo")
    shop.wait_for_end(other)
    assert other.preview_id != first.preview_id
    assert pixels_of(system, other) == pixels_of(system, first)


def test_a_preview_survives_the_death_of_its_worker(
    system: System, shop: Shop, portrait: bytes
) -> None:
    order = shop.order_preview(portrait)
    status = shop.wait(order, until=lambda s: s["status"] == "processing" and s["progress"] > 0)
    assert status["status"] == "processing", "the job had ended before the worker could be killed"
    system.supervisor.kill("worker-1", signal.SIGKILL)
    assert_three_good_pages(system, shop, order)


def test_a_preview_survives_the_death_of_the_gateway(
    system: System, shop: Shop, portrait: bytes
) -> None:
    order = shop.order_preview(portrait)
    status = shop.wait(order, until=lambda s: s["status"] == "processing" and s["progress"] > 0)
    assert status["status"] == "processing", "the job had ended before the gateway could be killed"
    system.supervisor.kill("gateway", signal.SIGKILL)
    system.supervisor.wait_ready("gateway")
    assert_three_good_pages(system, shop, order)


def test_logs_carry_no_names_tokens_or_links(system: System, shop: Shop, portrait: bytes) -> None:
    order = shop.order_preview(portrait, "Quetzalcoatl")
    shop.wait_for_end(order)
    token = order.headers["Authorization"].removeprefix("Bearer ")
    links = [shown["image_url"].partition("signature=")[2] for shown in _shown(shop, order)]
    logs = "".join(
        path.read_text(errors="replace") for path in (system.stack.state / "logs").glob("*.log")
    )
    assert order.job_id in logs
    for secret in ("Quetzalcoatl", token, *links):
        assert secret
        assert secret not in logs


def _shown(shop: Shop, order: Ordered) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = shop.preview(order)["preview_pages"]
    return shown


def test_the_books_of_the_shop_are_those_that_were_drawn(system: System, shop: Shop) -> None:
    drawn = ROOT / "build" / "books"
    titles = {json.loads(path.read_text())["title"] for path in drawn.glob("*/book.json")}
    books = shop.picture(f"{system.stack.gateway_url}/api/books").json()["books"]
    assert {book["title"] for book in books} == titles
