"""The page as a reader uses it, in headless Chromium."""

from typing import Any

import pytest
from browser import PHONE, violations

WRITTEN = "#copy:not(:disabled)"
READ = "#read-scale:not([hidden])"


def _background(page: Any) -> str:
    colour: str = page.evaluate("getComputedStyle(document.querySelector('#texts .warm')).backgroundColor")
    return colour


def test_it_writes_and_shows_what_else_could_stand_there(page_in_browser: Any) -> None:
    page = page_in_browser
    assert page.locator("h1").text_content() == page.title() == "Cats & <owls>"
    page.fill("#prefix", "dog and")
    page.click("summary >> nth=0")
    page.fill("#seed", "5")
    page.fill("#length", "80")
    page.click("#start")
    page.wait_for_selector(WRITTEN)
    first = page.locator("#texts .text").text_content()
    assert first.startswith("dog and") and "seed 5." in page.locator("#write-status").text_content()
    assert _background(page) == "rgba(0, 0, 0, 0)"
    page.click("#colours")
    assert _background(page) != "rgba(0, 0, 0, 0)"
    page.locator("#texts [data-index='3']").hover()
    tip = page.locator("#tip").text_content()
    assert "bits" in tip and tip.count("%") == 6
    page.fill("#samples", "3")
    page.click("#start")
    page.wait_for_selector(f"body:has(article:nth-of-type(3)):not(:has(article:nth-of-type(4))) {WRITTEN}")
    assert page.locator("#texts .text").first.text_content() == first


def test_it_can_be_used_by_keyboard_alone(page_in_browser: Any) -> None:
    page = page_in_browser
    page.focus("#prefix")
    page.keyboard.type("cat")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(WRITTEN)
    page.focus("#texts .text")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.locator("#tip").wait_for(state="visible")
    page.keyboard.press("Escape")
    page.locator("#tip").wait_for(state="hidden")
    page.focus("#tab-write")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-read"
    assert page.locator("#read").is_visible() and page.locator("#write").is_hidden()


def test_a_wrong_value_in_closed_settings_is_shown(page_in_browser: Any) -> None:
    page = page_in_browser
    page.evaluate("document.getElementById('seed').value = '-1'")
    page.click("#start")
    page.wait_for_selector("details[open] #seed")
    assert page.evaluate("document.activeElement.id") == "seed"


def test_it_reads_a_text_as_text(page_in_browser: Any) -> None:
    page = page_in_browser
    passage = "cat and the cat, a 3 of cats.\n<img src=x onerror=alert(1)> quite unlike it\n"
    page.click("#tab-read")
    page.fill("#passage", passage)
    page.click("#start-reading")
    page.wait_for_selector(READ)
    assert page.locator("#heat img").count() == 0
    assert len(page.locator("#heat").text_content()) == len(passage)
    assert "The model does not know" in page.locator("#read-status").text_content()
    assert "most surprising passage" in page.locator("#curve svg").get_attribute("aria-label")


def test_it_fits_a_phone(page_in_browser: Any) -> None:
    page = page_in_browser
    page.set_viewport_size(PHONE)
    for tab in ("write", "read", "about"):
        page.click(f"#tab-{tab}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_complain_about(page_in_browser: Any, scheme: str) -> None:
    page = page_in_browser
    page.emulate_media(color_scheme=scheme)
    page.check("#colours")
    page.click("summary >> nth=0")
    page.click("#start")
    page.wait_for_selector(WRITTEN)
    for tab in ("write", "read", "about"):
        page.click(f"#tab-{tab}")
        assert violations(page) == []
