"""The Lecture page with its first values."""


def test_gradients_are_measured_on_a_long_text_unless_another_is_chosen(tab) -> None:
    page = tab.open("/lecture")
    assert page.input_value("#corpus") in ("corpus:tinyshakespeare", "corpus:python-docs", "corpus:reviews")
