"""The Write page with wrong values, copies, and the panel of alternatives."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from browser import PHONE

PREFIX = "Two lines\nand"
WRITTEN = " more:\n\n    an indented one that is wrapped, " + "word by word, " * 20 + "\n\n\nthe last,\tÄ😀\n"
_AS_ONE_PARAGRAPH = """(paper) => {
  const flat = paper.cloneNode(false);
  flat.append(...[...paper.querySelectorAll("span")].map((part) => part.cloneNode(true)));
  paper.after(flat);
  const places = (text) => [...text.querySelectorAll("span")].map((part) =>
    [...part.getClientRects()].map(({ left, top, width, height }) =>
      [left - text.getBoundingClientRect().left, top - text.getBoundingClientRect().top, width, height]));
  const both = [places(paper), places(flat)];
  flat.remove();
  return both;
}"""


@pytest.fixture
def arrives(tab) -> Callable[..., Any]:
    """The page with texts that the server writes a few characters at a time."""

    def write(text: str = WRITTEN, *, prefix: str = PREFIX, coloured: bool = True) -> Any:
        page = tab.open("/")
        events: list[Any] = [
            [0, text[k : k + 7], [-0.1 - k % 5 for k in range(len(text[k : k + 7]))]] for k in range(0, len(text), 7)
        ]
        events.append({"index": 0, "seed": 1, "ended": "length", "bits_per_character": 1.0})
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        page.route("**/api/write", lambda route: route.fulfill(body=body, content_type="text/event-stream"))
        page.fill("#prefix", prefix)
        page.set_checked("#colours", coloured)
        page.click("#write")
        page.wait_for_selector("text=One text written")
        return page

    return write


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


def test_coloured_characters_stand_in_a_block_for_each_line(arrives) -> None:
    page = arrives()
    lines = (PREFIX + WRITTEN).splitlines(keepends=True)
    first = lines[0] + lines[1]  # the prefix is one element
    assert page.locator(".sample .text > .line").all_text_contents() == [first, *lines[2:]]
    assert page.locator(".sample [data-place]").all_text_contents() == [*WRITTEN]
    page.uncheck("#colours")
    assert page.locator(".sample .text > .line").count() == 0
    page.check("#colours")
    assert page.locator(".sample .text > .line").all_text_contents() == [first, *lines[2:]]
    assert page.locator(".sample .text").inner_text() == PREFIX + WRITTEN, "what a screen reader reads"


@pytest.mark.parametrize("prefix", [PREFIX, "a\n", ""])
def test_blocks_look_like_one_paragraph(arrives, prefix: str) -> None:
    page = arrives(prefix=prefix)
    in_blocks, in_one = page.locator(".sample .text").evaluate(_AS_ONE_PARAGRAPH)
    assert len(in_blocks) == 1 + len(WRITTEN)
    for here, there in zip(in_blocks, in_one, strict=True):
        assert here == [pytest.approx(rectangle, abs=0.01) for rectangle in there]


@pytest.mark.parametrize("coloured", [True, False])
def test_a_selected_text_is_copied_as_it_is(arrives, coloured: bool) -> None:
    page = arrives(coloured=coloured)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".sample .text").evaluate("(paper) => getSelection().selectAllChildren(paper)")
    page.keyboard.press("Control+C")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == (PREFIX + WRITTEN).removesuffix("\n"), "Chromium leaves out the last line end"


def test_a_place_is_chosen_by_the_keys_and_right_of_a_line(arrives) -> None:
    page = arrives()
    here = page.locator(".sample .here")
    page.focus(".sample .text")
    for key in ("Home", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert here.get_attribute("data-place") == "41" and here.text_content() == WRITTEN[41]
    page.keyboard.press("End")
    assert here.get_attribute("data-place") == str(len(WRITTEN) - 1)
    last = page.locator(".sample .text > .line").last.bounding_box()
    page.mouse.click(last["x"] + last["width"] - 5, last["y"] + last["height"] / 2)
    page.wait_for_selector("#others:not([hidden])")
    assert here.get_attribute("data-place") == str(len(WRITTEN) - 1)
