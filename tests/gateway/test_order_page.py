"""The page on which a parent follows an order, in a real Chromium: it says what will be printed."""

from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from gateway.app import create_app
from gateway.dedications import CHARACTERS_MAX, LINES_MAX, WORD_MAX, clean_dedication
from gateway.order_records import Order
from gateway.records import writing
from tests.chromium import chromium
from tests.gateway.live_server import served
from tests.gateway.order_stage import OrderStage

PATIENCE_S = 60
MARKUP = 'For <b>Ada</b> & "Bo" <img src=x onerror=alert(1)>\n</p><script>alert(2)</script>'
LONGEST = "\n".join(["W" * (WORD_MAX - 7)] * LINES_MAX)
RATHER_WIDE = 320
"""Pixels of the narrowest telephone that pages are made for."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        browser.set_window_size(RATHER_WIDE, 700)
        yield browser


@pytest.fixture
def address(orders: OrderStage) -> Iterator[str]:
    with served(create_app(orders.services)) as url:
        yield url


def open_order(
    browser: webdriver.Chrome, address: str, orders: OrderStage, dedication: str | None
) -> str:
    """Open the page of a new order as the link of a letter does; return the order's id."""
    preview = orders.preview()
    order_id = orders.pay(preview.preview_id, dedication=dedication)
    assert order_id
    browser.get("about:blank")  # another fragment alone opens no page
    browser.get(f"{address}/#order={order_id}&token={preview.token}")
    title = (By.ID, "bought-step")
    WebDriverWait(browser, PATIENCE_S).until(lambda page: page.find_element(*title).text)
    return order_id


@pytest.mark.parametrize("dedication", [MARKUP, LONGEST, "For Ánh\nwith ♥"])
def test_the_page_shows_the_dedication_as_it_was_written(
    browser: webdriver.Chrome, address: str, orders: OrderStage, dedication: str
) -> None:
    assert clean_dedication(dedication) == dedication
    assert len(dedication) <= CHARACTERS_MAX
    open_order(browser, address, orders, dedication)
    shown = browser.find_element(By.ID, "bought-dedication")
    assert shown.text == dedication  # with its line breaks
    assert not shown.find_elements(By.CSS_SELECTOR, "*")
    script = "return document.documentElement.scrollWidth <= window.innerWidth"
    assert browser.execute_script(script), "the page is wider than the window"
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]  # selenium has no types here


def test_without_a_dedication_nothing_is_shown(
    browser: webdriver.Chrome, address: str, orders: OrderStage
) -> None:
    open_order(browser, address, orders, None)
    assert browser.find_element(By.ID, "bought-dedication").get_property("hidden")


def test_the_page_follows_a_dedication_that_the_desk_changes(
    browser: webdriver.Chrome, address: str, orders: OrderStage
) -> None:
    order_id = open_order(browser, address, orders, "For Ad")
    with writing(orders.services.engine) as session:
        session.get_one(Order, order_id).dedication = "For Ada"
    shown = browser.find_element(By.ID, "bought-dedication")
    WebDriverWait(browser, PATIENCE_S).until(lambda _: shown.text == "For Ada")
