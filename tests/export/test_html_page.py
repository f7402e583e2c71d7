"""The page as a reader uses it, in headless Chromium."""

from importlib.resources import files

import pytest
from chromium import Browser

WRITTEN = "!document.getElementById('copy').disabled"
READ = "!document.getElementById('read-scale').hidden"


def _text(window: Browser, selector: str) -> str:
    text: str = window.evaluate(f"document.querySelector({selector!r}).textContent")
    return text


def test_it_writes_and_shows_what_else_could_stand_there(page_in_browser: Browser) -> None:
    window = page_in_browser
    assert _text(window, "h1") == window.evaluate("document.title") == "Cats & <owls>"
    window.click("#prefix")
    window.type("dog and")
    window.evaluate("document.getElementById('seed').value = 5; document.getElementById('length').value = 80")
    window.click("#start")
    window.wait_for(WRITTEN)
    first = _text(window, "#texts .text")
    assert first.startswith("dog and") and "seed 5." in _text(window, "#write-status")
    assert (
        window.evaluate("getComputedStyle(document.querySelector('#texts .warm')).backgroundColor")
        == "rgba(0, 0, 0, 0)"
    )
    window.click("#colours")
    assert (
        window.evaluate("getComputedStyle(document.querySelector('#texts .warm')).backgroundColor")
        != "rgba(0, 0, 0, 0)"
    )
    window.point_at("#texts [data-index='3']")
    assert "bits" in _text(window, "#tip") and _text(window, "#tip").count("%") == 6
    window.evaluate("document.getElementById('samples').value = 3")
    window.click("#start")
    window.wait_for("document.querySelectorAll('article').length === 3 && " + WRITTEN)
    assert _text(window, "#texts .text") == first


def test_it_can_be_used_by_keyboard_alone(page_in_browser: Browser) -> None:
    window = page_in_browser
    window.evaluate("document.getElementById('prefix').focus()")
    window.type("cat")
    window.press("Enter", control=True)
    window.wait_for(WRITTEN)
    window.evaluate("document.querySelector('#texts .text').focus()")
    window.press("ArrowRight")
    window.press("ArrowRight")
    assert window.evaluate("document.getElementById('tip').style.display") == "block"
    window.press("Escape")
    assert window.evaluate("document.getElementById('tip').style.display") == "none"
    window.evaluate("document.getElementById('tab-write').focus()")
    window.press("ArrowRight")
    assert window.evaluate("document.activeElement.id") == "tab-read"
    assert window.evaluate("!document.getElementById('read').hidden && document.getElementById('write').hidden")


def test_it_reads_a_text_as_text(page_in_browser: Browser) -> None:
    window = page_in_browser
    window.click("#tab-read")
    window.click("#passage")
    passage = "cat and the cat, a 3 of cats.\n<img src=x onerror=alert(1)> quite unlike it\n"
    window.type(passage)
    window.click("#start-reading")
    window.wait_for(READ)
    assert window.evaluate("document.querySelectorAll('#heat img').length") == 0
    assert len(_text(window, "#heat")) == len(passage)
    assert "The model does not know" in _text(window, "#read-status")
    assert "most surprising passage" in window.evaluate(
        "document.querySelector('#curve svg').getAttribute('aria-label')"
    )


def test_it_fits_a_phone(page_in_browser: Browser) -> None:
    window = page_in_browser
    window.look_like(width=360, height=740, phone=True)
    for tab in ("write", "read", "about"):
        window.click(f"#tab-{tab}")
        assert window.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_to_complain_about(page_in_browser: Browser, dark: bool) -> None:
    axe = files("axe_playwright_python") / "axe.min.js"
    window = page_in_browser
    window.look_like(dark=dark)
    window.evaluate("document.getElementById('colours').checked = true")
    window.evaluate("document.querySelector('details').open = true")
    window.click("#start")
    window.wait_for(WRITTEN)
    window.evaluate(axe.read_text(encoding="utf-8") + "; 0")
    for tab in ("write", "read", "about"):
        window.click(f"#tab-{tab}")
        assert (
            window.evaluate(
                "axe.run().then((found) => found.violations.map(({ id, nodes }) => id + ' ' + nodes[0].html))"
            )
            == []
        )
