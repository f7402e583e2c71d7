"""The Write page with wrong values, copies, and the panel of alternatives."""

import pytest
from browser import PHONE


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
        ("acrostic", "x" * 101, "Acrostic has 101 characters; give at most 100"),
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
    assert page.wait_for_selector("#status:has-text('Stopped.')")


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
    assert page.wait_for_selector(
        "#status:has-text('One passage of 40 characters or more is copied from the training text.')"
    )
    page.fill("#prefix", "")
    page.click("#write")
    assert page.wait_for_selector("#status:has-text('One text written. Nothing of 40 characters or more is copied')")


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


def test_the_buttons_for_all_texts_stay_together_on_a_phone(tab) -> None:
    page = tab.open("/")
    page.set_viewport_size(PHONE)
    assert page.locator("#link").bounding_box()["y"] == page.locator("#jsonl").bounding_box()["y"]
