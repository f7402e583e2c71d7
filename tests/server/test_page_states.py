"""The pages in less usual states: wrong values, resized windows, runs that don't exist yet, short texts."""

import json

import pytest
from browser import PHONE, WIDE


def test_a_wrong_value_in_a_closed_part_is_shown(tab) -> None:
    page = tab.open("/?length=20&seed=1")
    page.evaluate("document.getElementById('top_p').value = '5'")
    page.click("#write")
    page.wait_for_selector("#more[open]")
    assert page.evaluate("document.activeElement.id") == "top_p"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("temperature", "-1", "Temperature is -1; it must be at least 0"),
        ("rhyme", "AA", "Rhyme AA needs Syllables, such as Syllables 8 for lines of 8 each"),
    ],
)
def test_errors_name_the_fields_as_they_are_labelled(tab, field: str, value: str, message: str) -> None:
    page = tab.open(f"/?length=20&seed=1&{field}={value}")
    page.click("#write")
    page.wait_for_selector("#notice:not(:empty)")
    assert page.locator("#notice").text_content() == message
    tab.problems.clear()  # the browser logs the refused request


def test_a_text_is_stopped_whatever_the_fields_hold(tab) -> None:
    page = tab.open("/?seed=1")
    page.route("**/api/write", lambda route: None)  # the text never begins
    page.click("#write")
    page.wait_for_selector("#write:text-is('Stop')")
    page.fill("#length", "-1")
    page.click("#write")
    page.wait_for_selector("#status:has-text('Stopped.')")


def test_an_address_with_unknown_choices(tab) -> None:
    page = tab.open("/?model=nosuch&unknown=bogus")
    assert page.locator("#notice").text_content() == "there is no model nosuch; a was chosen"
    assert page.input_value("#unknown") == "error"


def test_what_is_copied_is_said(tab, sentences: str) -> None:
    page = tab.open("/?length=10&seed=1")
    page.fill("#prefix", sentences[:200])
    page.click("#write")
    page.wait_for_selector("text=One text written")
    page.check("#copied")
    page.wait_for_selector("#status:has-text('One passage of 40 characters or more is copied from the training text.')")
    page.fill("#prefix", "")
    page.click("#write")
    page.wait_for_selector("#status:has-text('One text written. Nothing of 40 characters or more is copied')")


def test_the_panel_of_alternatives(tab) -> None:
    page = tab.open("/?length=40&temperature=0&prefix=cat")
    page.check("#colours")
    page.click("#write")
    page.wait_for_selector("text=One text written")
    footer = page.locator(".sample footer .figures").bounding_box()
    assert footer["height"] < 30, "the figures are one line"
    character = page.locator(".sample [data-place='3']").first
    character.click()
    page.wait_for_selector("#others:not([hidden])")
    page.wait_for_timeout(600)  # the mouse rests on the character
    focused = "document.activeElement.textContent"
    rows = page.locator("#others button:not(:disabled)").all_text_contents()
    assert page.evaluate(focused) == rows[0]
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == rows[1]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == rows[-1]
    assert page.locator(".sample .here").count() == 1
    assert page.locator("#others .written").all_text_contents() == [character.text_content().replace(" ", "␣")]
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Branch 1")
    assert page.evaluate("document.activeElement.matches('.sample:last-child .text')")
    assert page.locator(".sample .here").count() == 0
    page.wait_for_selector("text=One text written")
    character.click()
    page.wait_for_selector("#others:not([hidden])")
    page.set_viewport_size(PHONE)
    page.wait_for_selector("#others", state="hidden")


def test_a_chart_is_as_wide_as_the_page(tab) -> None:
    page = tab.open("/train")
    page.wait_for_selector("#losses svg")
    for size in (PHONE, WIDE):
        page.set_viewport_size(size)
        width = page.evaluate("document.getElementById('losses').clientWidth")
        page.wait_for_selector(f"#losses svg[viewBox='0 0 {width} 240']")


def test_a_run_that_does_not_exist_yet_hides_the_others(tab) -> None:
    page = tab.open("/train")
    page.wait_for_selector("#losses svg")
    answer = json.dumps({"run": "next"})
    page.route(
        "**/api/runs", lambda route: route.fulfill(body=answer) if route.request.method == "POST" else route.fallback()
    )
    page.click("#start")
    page.wait_for_selector("#status:has-text('Starting next …')")
    page.wait_for_selector("#live", state="hidden")
    page.locator("#runs input[value=a]").click()
    page.wait_for_selector("#live", state="visible")
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#delete")
    page.wait_for_selector("#live", state="hidden")
    assert page.locator("#runs input").count() == 0


def test_a_text_too_short_for_units(tab) -> None:
    page = tab.open("/read")
    page.fill("#text", "a")
    page.click("#neurons")
    page.wait_for_selector("#status:has-text('No property is frequent enough in 1 token. Give a longer text.')")
    assert page.locator("#found").is_hidden()


def test_a_unit_that_was_found_is_laid_over_the_text(tab, sentences: str) -> None:
    page = tab.open("/read")
    page.fill("#text", sentences[:1500])
    page.click("#neurons")
    page.locator("#rows button").first.click()
    page.wait_for_selector("#status:has-text('bits per character')")
    assert page.input_value("#series") != "bits"
    top = page.evaluate("document.getElementById('characters').getBoundingClientRect().top")
    assert 0 <= top < 200, "the page has moved to the text"


def test_gradients_are_measured_on_a_long_text_unless_another_is_chosen(tab) -> None:
    page = tab.open("/lecture")
    assert page.input_value("#corpus") in ("corpus:tinyshakespeare", "corpus:python-docs", "corpus:reviews")
