"""The pages in a headless Chromium, which is clicked and typed into; no page asks another machine for anything."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import PHONE, WIDE, new_page, violations

from charlm.server.pages import PAGES, contents


def test_a_text_is_written_coloured_and_branched(tab) -> None:
    page = tab.open()
    page.fill("#prefix", "cat and")
    page.fill("#num", "2")
    page.fill("#seed", "3")
    page.fill("#length", "60")
    page.check("#colours")
    page.click("#write")
    page.wait_for_selector("text=2 texts written")
    expected = tab.served.resources.models.load("a").text_model.sample("cat and", seed=3, length=60)
    assert page.locator(".sample .text").first.text_content() == expected
    assert page.locator(".sample .warm").count() > 0
    page.locator(".sample [data-place='9']").first.hover()
    page.wait_for_selector("#others:not([hidden])")
    page.keyboard.press("Escape")
    page.locator(".sample [data-place='5']").first.click()
    page.wait_for_selector("#others:not([hidden])")
    page.locator("#others button:not(:disabled)").nth(1).click()
    page.wait_for_selector("text=Branch 1")
    page.wait_for_selector("text=One text written")
    branch = page.locator(".sample .text").nth(2).text_content()
    assert branch.startswith(expected[: len("cat and") + 5])
    assert "seed=3" in page.url and "prefix=cat" in page.url


def test_the_keyboard_is_enough(tab) -> None:
    page = tab.open("/?length=30&seed=1")
    page.focus("#prefix")
    page.keyboard.type("dog")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("text=One text written")
    page.focus(".sample .text")
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#others:not([hidden])")
    page.keyboard.press("Escape")
    assert page.locator("#others").is_hidden()
    assert page.evaluate("document.activeElement.classList.contains('text')")


def test_texts_are_saved_as_jsonl(tab, tmp_path: Path) -> None:
    page = tab.open("/?length=20&seed=1&prefix=owl")
    page.click("#write")
    page.wait_for_selector("text=One text written")
    with page.expect_download() as saved:
        page.click("#jsonl")
    saved.value.save_as(tmp_path / "texts.jsonl")
    (record,) = [json.loads(line) for line in (tmp_path / "texts.jsonl").read_text().splitlines()]
    assert record["text"].startswith("owl") and len(record["log_probabilities"]) == len(record["text"]) - 3


def test_copies_are_underlined_and_mistakes_are_shown(tab, sentences: str) -> None:
    page = tab.open("/?length=10&seed=1")
    page.fill("#prefix", sentences[:200])
    page.check("#copied")
    page.click("#write")
    page.wait_for_selector("text=One text written")
    page.fill("#prefix", "Ж")
    tab.page.click("#write")
    page.wait_for_selector("#notice:has-text('vocabulary')")
    assert page.locator("#status").text_content() == ""
    assert [problem for problem in tab.problems if "400" not in problem] == []
    tab.problems.clear()  # the browser logs the refused request


def test_labels_and_constraints_are_chosen(browser, stars) -> None:
    model = stars.resources.models.load("stars").text_model
    with new_page(browser, stars.origin) as (page, problems):
        page.goto(f"{stars.origin}/?seed=3&length=60&lines=2&label=stars%3D1")
        page.wait_for_selector("main:not([aria-busy])")
        assert page.locator("#constraints[open] #lines").input_value() == "2"
        assert page.locator("#labels select").count() == 2
        page.select_option("#label-0", "5")
        page.fill("#must_contain", "good")
        page.click("#write")
        page.wait_for_selector("text=One text written")
        written = page.locator(".sample .text").text_content()
        assert written == model.sample(seed=3, length=60, lines=2, must_contain=("good",), label="stars=5")
        assert "stars=5" in page.url.replace("%3D", "=") and "must_contain=good" in page.url
        assert "undefined" not in page.locator(".sample .figures").text_content()
        page.goto(f"{stars.origin}/read?label=stars%3D5")
        page.wait_for_selector("main:not([aria-busy])")
        page.fill("#text", written)
        page.click("button.main")
        page.wait_for_selector("#status:has-text('bits per character')")
        nats = model.with_labels("stars=5").surprisal(written)
        assert f"{sum(nats) / math.log(2) / len(written):.3f} bits" in page.locator("#status").text_content()
    assert problems == []


def test_targets_are_written_and_read_for_a_source(browser, pairs, tmp_path: Path) -> None:
    model = pairs.resources.models.load("pairs").text_model
    with new_page(browser, pairs.origin) as (page, problems):
        page.goto(f"{pairs.origin}/?seed=3&length=12&min_length=12&temperature=1&source=abf")
        page.wait_for_selector("main:not([aria-busy])")
        assert page.get_by_label("Source (word)").input_value() == "abf"
        page.fill("#source", "bae")
        page.press("#source", "Control+Enter")
        page.wait_for_selector("text=One text written")
        written = page.locator(".sample .text").text_content()
        assert written == model.sample(seed=3, length=12, min_length=12, temperature=1.0, source="bae")
        assert "source=bae" in page.url
        page.fill("#source", "cdc")  # what was written stays the target of its own source
        page.focus(".sample .text")
        with page.expect_request("**/api/alternatives") as asked:
            page.keyboard.press("Enter")
        assert asked.value.post_data_json["source"] == "bae"
        page.locator("#others button:not(:disabled)").nth(1).click()
        page.wait_for_selector("text=Branch 1")
        page.wait_for_selector("text=One text written")
        with page.expect_download() as saved:
            page.click("#jsonl")
        saved.value.save_as(tmp_path / "texts.jsonl")
        records = [json.loads(line) for line in (tmp_path / "texts.jsonl").read_text().splitlines()]
        assert [record["source"] for record in records] == ["bae", "bae"]
        assert violations(page) == []
        page.goto(f"{pairs.origin}/read?source=bae")
        page.wait_for_selector("main:not([aria-busy])")
        page.fill("#text", written)
        page.click("button.main")
        page.wait_for_selector("#status:has-text('bits per character')")
        nats = model.with_source("bae").surprisal(written)
        assert f"{sum(nats) / math.log(2) / len(written):.3f} bits" in page.locator("#status").text_content()
        assert violations(page) == []
        page.select_option("#model", "english")
        page.wait_for_selector("#source", state="hidden")
        page.click("button.main")
        page.wait_for_selector("#status:has-text('bits per character')")  # the hidden source is not sent
    assert problems == []


def test_a_text_is_read_and_a_gate_laid_over_it(tab, sentences: str) -> None:
    page = tab.open("/read")
    page.fill("#text", sentences[:600])
    page.click("button.main")
    page.wait_for_selector("#map .text .warm")
    assert page.locator("#map .text").text_content() == sentences[:600]
    assert page.locator("#curve svg").count() == 1
    page.select_option("#series", "f")
    page.fill("#layer", "1")
    page.click("button.main")
    page.wait_for_selector("#scale:has-text('open')")
    assert page.locator("#map .text .cool, #map .text .warm").count() > 0


def test_a_word_is_traced_step_by_step(tab) -> None:
    page = tab.open("/lecture")
    assert page.locator("#equations math").count() == 1
    page.fill("#word", "ab")
    page.fill("#steps", "60")
    page.click("button.main")
    page.wait_for_selector("#trace:not([hidden])")
    assert page.locator("#where").text_content() == "step 1 of 3"
    page.click("#next")
    assert page.locator("#step .token").first.text_content() == "a"


def test_a_run_is_shown_and_deleted_with_the_token_alone(tab) -> None:
    page = tab.open("/train", token=False)
    page.wait_for_selector("#losses svg")
    assert "finished" in page.locator("#figures").text_content()
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#delete")
    page.wait_for_selector("#notice:has-text('token')")
    page.focus("#runs input")
    page.wait_for_timeout(1500)  # the page has looked at the runs again
    assert "token" in page.locator("#notice").text_content()
    assert page.evaluate("document.activeElement.value") == "a"
    tab.problems.clear()  # the browser logs the refused request
    assert Path("runs/a/model.safetensors").exists()
    tab.page.goto("about:blank")
    page = tab.open("/train")
    page.wait_for_selector("#losses svg")
    page.click("#delete")
    page.wait_for_selector("#live", state="hidden")
    assert not Path("runs/a").exists()


def test_markup_is_text(tab, write: Callable[..., Path]) -> None:
    markup = "<script>document.title = 'run'</script><img src=x onerror=\"document.title='run'\">"
    page = tab.open("/read")
    page.fill("#text", markup)
    page.click("button.main")
    page.wait_for_selector("#map .text span")
    page = tab.open("/train")
    page.click("summary")
    page.fill("#title", markup)
    page.fill("#own", markup * 10)
    page.click("#upload")
    page.wait_for_selector("#status:has-text('Added')")
    assert page.title() == "Train · charlm" and page.locator("main img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(tab, path: str, scheme: str) -> None:
    tab.page.emulate_media(color_scheme=scheme)
    tab.page.set_viewport_size(PHONE if scheme == "dark" else WIDE)
    page = tab.open(f"{path}?length=30&seed=1" if path == "/" else path)
    if path == "/":
        page.check("#colours")
        page.click("#write")
        page.wait_for_selector("text=One text written")
        page.click("summary")
    elif path == "/read":
        page.fill("#text", "cat and the owl, QZ!\n" * 5)
        page.click("button.main")
        page.wait_for_selector("#map .warm")
    elif path == "/lecture":
        page.fill("#steps", "20")
        page.click("button.main")
        page.wait_for_selector("#trace:not([hidden])")
    else:
        page.wait_for_selector("#losses svg")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_no_script_makes_markup() -> None:
    for name, content in contents().items():
        assert not any(word in content for word in (b"innerHTML", b"insertAdjacentHTML", b"eval(")), name
        assert b"://" not in content.replace(b"http://www.w3.org/", b""), name


def test_a_run_that_grows_elsewhere_appears_live(tab) -> None:
    metrics = Path("runs/a/metrics.jsonl")
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join(lines[:3]))
    page = tab.open("/train")
    page.wait_for_selector("#losses svg")

    metrics.write_text("".join(lines))
    page.wait_for_selector("#figures dd:text-is('60')")
    page.reload()
    page.wait_for_selector("#losses svg")
    page.wait_for_selector("#figures dd:text-is('60')")


def test_nothing_is_drawn_again_while_nothing_changes(tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab.served.resources.baselines, "of", lambda run, job: {"ngram": 2.0})
    metrics = Path("runs/a/metrics.jsonl")
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join(lines[:-1]))
    page = tab.open("/train")
    page.wait_for_selector("#losses svg .dashed", state="attached")  # the baselines have arrived
    page.evaluate("document.querySelectorAll('#losses svg, #runs li').forEach((one) => { one.dataset.kept = '' })")
    for _ in range(2):
        with page.expect_response("**/api/runs/a?*"):
            pass
    assert page.locator("#losses svg[data-kept]").count() == page.locator("#runs li[data-kept]").count() == 1
    metrics.write_text("".join(lines))
    page.wait_for_selector("#losses svg:not([data-kept])")
