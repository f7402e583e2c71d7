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
        assert page.wait_for_selector(f"#losses svg[viewBox='0 0 {width} 240']")


def test_notes_are_in_the_words_of_the_page(tab) -> None:
    """The training says them as `charlm train` does; what that has and the page lacks is said to be its option."""
    page, own = tab.page, _own("a")
    own["notes"] = [
        "my list looks like a list of short lines; use --documents line to treat each line as a document",
        "give the validation split a larger share with --splits, or lower --seq-len; see `charlm train --help`",
        "training gets only 3 seconds of --minutes 1",
    ]

    def answer(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | {"own": own})

    page.route("**/api/runs/a?*", answer)
    tab.open("/train")
    page.wait_for_selector("#notes li:nth-child(3)")
    assert page.locator("#notes li").all_text_contents() == [
        "my list looks like a list of short lines; use “Documents: each line is one” to treat each line as a document",
        "give the validation split a larger share with --splits, or lower --seq-len; see `charlm train --help` "
        "(--splits, --seq-len are options of charlm train)",
        "training gets only 3 seconds of Minutes 1",
    ]


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


def test_a_run_that_starts_is_shown_after_a_reload_and_can_be_cancelled(tab) -> None:
    page, last = tab.page, _own("next")

    def answer(route: Any) -> None:
        if route.request.method == "GET":
            response = route.fetch()
            route.fulfill(response=response, json=response.json() | {"last": last})
        else:
            last["running"] = False
            route.fulfill(body="{}")

    page.route("**/api/runs", answer)
    page.route("**/api/runs/next/stop", answer)
    tab.open("/train")
    page.wait_for_selector("#status:has-text('Starting next …')")
    page.click("#cancel")
    page.wait_for_selector("#cancel", state="hidden")
    assert page.text_content("#status") == ""


def test_a_run_says_that_it_starts_and_that_it_stops(tab) -> None:
    page, own = tab.page, _own("a")
    told: dict[str, Any] = {"own": own, "training": False}

    def answer(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | told)

    page.route("**/api/runs/a?*", answer)
    tab.open("/train")
    page.wait_for_selector("#figures dd:text-is('starting')")
    assert page.is_enabled("#stop") and page.is_disabled("#resume") and page.is_disabled("#delete")
    told["training"] = True
    page.wait_for_selector("#figures dd:text-is('training')")
    told["training"] = False  # and its process has not ended yet
    page.wait_for_selector("#figures dd:text-is('finished')")
    assert page.is_disabled("#resume") and page.is_disabled("#delete")
    own["stopping"] = True
    page.wait_for_selector("#figures dd:text-is('stopping')")
    assert page.is_disabled("#stop") and page.is_disabled("#resume")
    own["running"] = False
    page.wait_for_selector("#figures dd:text-is('finished')")
    assert page.is_disabled("#stop") and page.is_enabled("#resume") and page.is_enabled("#delete")


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


def test_a_finished_run_is_continued_with_more_minutes_only(tab) -> None:
    page, asked = tab.page, list[str]()
    page.route("**/resume", lambda route: (asked.append(route.request.post_data), route.fulfill(body="{}")))
    tab.open("/train")
    page.wait_for_selector("#figures dd:text-is('finished')")
    page.click("#resume")
    page.wait_for_selector("#notice:has-text('a finished after 0:0')")
    assert not asked
    page.fill("#more", "30")
    page.click("#resume")
    page.wait_for_selector("#notice:empty", state="attached")
    assert asked == ['{"minutes":30}']


def test_a_run_that_is_continued_shows_its_new_settings(tab) -> None:
    page = tab.page
    tab.open("/train")
    page.wait_for_selector("#losses svg")
    before, after = page.text_content("#chosen"), _figures(page, "/api/runs/a?offset=0")
    after["settings"]["minutes"] = 77
    page.route("**/api/runs/a/resume", lambda route: route.fulfill(body="{}"))
    later = {name: value for name, value in after.items() if name != "settings"}
    page.route("**/api/runs/a?*", lambda route: route.fulfill(json=later))
    page.route("**/api/runs/a?offset=0", lambda route: route.fulfill(json=after))
    page.fill("#more", "77")
    page.click("#resume")
    page.wait_for_selector("#chosen:has-text('minutes 77')")
    assert "minutes 77" not in before
    assert page.text_content("#figures dd >> nth=1") == str(after["records"][-1]["step"])


def _figures(page: Any, path: str) -> dict[str, Any]:
    """What the server says."""
    return page.evaluate("path => fetch(path).then(answer => answer.json())", path)


def _own(run: str) -> dict[str, Any]:
    """A training of the server, as the page is told."""
    own = {"run": run, "running": True, "stopping": False}
    return own | {"settings": None, "why": None, "notes": [], "problem": None}
