"""The charts of the Train page, and runs that don't exist yet."""

import json
from typing import Any

from browser import PHONE, WIDE


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


def test_charts_of_one_and_of_two_steps(tab) -> None:
    page, steps = tab.page, [8]

    def answer(route: Any) -> None:
        found = (response := route.fetch()).json()
        first = next(record for record in found["records"] if record["kind"] == "step")
        route.fulfill(response=response, json=found | {"records": [first | {"step": step} for step in steps]})

    page.route("**/api/runs/a?offset=0", answer)
    tab.open("/train")
    page.wait_for_selector("#losses svg circle.thin")
    steps.append(9)
    page.reload()
    page.wait_for_selector("#losses svg text:text-is('9 steps')")
    assert page.locator("#losses svg text[text-anchor=middle]").all_text_contents() == ["8"]
