"""The units of the Read page."""


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


def test_the_curve_shows_the_most_surprising_place(tab, sentences: str) -> None:
    page = tab.open("/read")
    page.fill("#text", sentences[:300])
    page.click("button.main")
    points = page.locator("#curve polyline").get_attribute("points").split()
    assert min(float(point.partition(",")[2]) for point in points) == 10  # the top of the chart
