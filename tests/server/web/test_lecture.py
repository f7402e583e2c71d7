"""The Lecture page with its first values, and on a phone."""

from browser import PHONE


def test_gradients_are_measured_on_a_long_text_unless_another_is_chosen(tab) -> None:
    page = tab.open("/lecture")
    assert page.input_value("#corpus") in ("corpus:tinyshakespeare", "corpus:python-docs", "corpus:reviews")


def test_the_buttons_of_the_steps_stay_together_on_a_phone(tab) -> None:
    page = tab.open("/lecture")
    page.set_viewport_size(PHONE)
    page.fill("#steps", "1")
    page.click("button.main")
    page.wait_for_selector("#trace:not([hidden])")
    assert page.locator("#back").bounding_box()["y"] == page.locator("#next").bounding_box()["y"]
