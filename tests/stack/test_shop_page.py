"""The page to try it on, in a real Chromium: a photo and a name in, three labelled pages out, the
way to the till and back."""

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from sandbox.stack import Stack
from tests.chromium import chromium
from tests.stack.conftest import System

pytestmark = [pytest.mark.stack, pytest.mark.comfyui, pytest.mark.timeout(300)]

PATIENCE_S = 120


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path / "chromium") as browser:
        yield browser


def fill_in(browser: webdriver.Chrome, url: str, name: str) -> None:
    """Everything but the consent."""
    wait = WebDriverWait(browser, PATIENCE_S)
    browser.get(url)
    wait.until(lambda page: page.find_elements(By.NAME, "book_id"))
    photo = str(files("skimage") / "data" / "astronaut.png")
    browser.find_element(By.ID, "photo").send_keys(photo)
    browser.find_element(By.ID, "child-name").send_keys(name)


def order_preview(browser: webdriver.Chrome, url: str, name: str) -> None:
    """Fill in the form, and wait until three pictures are there."""
    fill_in(browser, url, name)
    browser.find_element(By.ID, "consent").click()
    browser.find_element(By.ID, "go").click()
    wait = WebDriverWait(browser, PATIENCE_S)
    wait.until(lambda page: page.execute_script(PICTURES_THAT_LOADED) == 3)


def test_a_parent_sees_three_pages_that_are_labelled_as_drafts(
    system: System, browser: webdriver.Chrome
) -> None:
    order_preview(browser, system.stack.gateway_url, "Nguyễn Thị Ánh")
    text = browser.find_element(By.TAG_NAME, "body").text
    assert "Nguyễn Thị Ánh" in text
    assert text.count("Draft look") >= 4  # once for the preview, once on each page
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]  # selenium has no types here


def test_without_consent_no_photo_leaves_the_parents_machine(
    system: System, browser: webdriver.Chrome
) -> None:
    fill_in(browser, system.stack.gateway_url, "Ada")
    browser.find_element(By.ID, "go").click()
    assert "tick the box" in browser.find_element(By.ID, "problem").text
    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').map(entry => entry.name)"
    )
    assert not any("upload" in url for url in asked)


def test_a_parent_buys_the_book_and_sees_it_being_painted(
    tmp_path: Path, browser: webdriver.Chrome
) -> None:
    # A stack of its own: the book is still being painted when this ends.
    stack = Stack(state_dir=tmp_path / "stack", environ=os.environ, face_min_area_percent=3.0)
    wait = WebDriverWait(browser, PATIENCE_S)
    with stack.up():
        order_preview(browser, stack.gateway_url, "Ada")
        wait.until(lambda page: page.find_element(By.ID, "buy").is_displayed())
        browser.find_element(By.ID, "buy").click()
        wait.until(lambda page: page.current_url.startswith(f"{stack.stripe_url}/c/pay/"))
        browser.find_element(By.ID, "pay").click()
        wait.until(lambda page: page.current_url.startswith(f"{stack.gateway_url}/?checkout="))
        wait.until(lambda page: "painting" in page.find_element(By.ID, "bought-step").text)
        assert "Ada" in browser.find_element(By.ID, "bought-title").text
        assert "35 pages" in browser.find_element(By.ID, "bought-step").text
        assert not browser.find_element(By.ID, "bought-download").is_displayed()
        assert browser.find_element(By.ID, "problem").text == ""


def test_a_person_can_read_the_api(system: System, browser: webdriver.Chrome) -> None:
    browser.get(f"{system.stack.gateway_url}/docs")
    assert "/api/upload-photo" in browser.find_element(By.TAG_NAME, "body").text
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]  # as above


PICTURES_THAT_LOADED = """
    return [...document.images].filter(
        image => image.src.includes("/files/") && image.complete && image.naturalWidth === 1024
    ).length
"""
