"""`charlm compare` as a user types it."""

import json
import math
from pathlib import Path

import pytest


@pytest.fixture
def runs(charlm, text: Path, brief: list[str]) -> list[str]:
    """A network that was trained for longer, and one that was not."""
    for run, options in (("long", []), ("short", ["--steps", "3", "--ngram-order", "0"])):
        charlm("train", text, "--run", run, "--splits", "50/20/30", *brief, *options)
    return ["long", "short"]


def test_compare_agrees_with_eval_and_names_the_better(charlm, runs: list[str]) -> None:
    values = json.loads(charlm("compare", *runs, "--json").stdout)
    rows = {row["model"]: row for row in values["models"]}
    for run in runs:
        score = json.loads(charlm("eval", run, "--no-baselines", "--json").stdout)
        assert rows[run]["nats"] == pytest.approx(score["nats"], rel=1e-5)
        assert rows[run]["bits_per_character"] == pytest.approx(score["bits_per_character"], rel=1e-5)
        assert rows[run]["perplexity_per_word"] == pytest.approx(math.exp(score["nats"] / values["words"]), rel=1e-4)
    difference = rows["short"]["difference"]
    gap = rows["short"]["bits_per_character"] - rows["long"]["bits_per_character"]
    assert difference["than"] == "long" and rows["long"]["difference"] is None
    assert difference["clear"] and 0 < difference["low"] < gap < difference["high"]
    assert difference["bits_per_character"] == pytest.approx(gap)
    shown = charlm("compare", *runs).stdout
    assert f"long is better than short by {gap:.4f} bits per character (95% interval +" in shown
    lines = shown.splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["long", "short"]


def test_a_model_does_not_differ_from_itself(charlm, runs: list[str]) -> None:
    assert "no significant difference between long and long" in charlm("compare", "long", "long").stdout


def test_a_text_that_is_too_short_is_no_verdict(charlm, runs: list[str], write) -> None:
    short = write("Z", "short.txt")
    said = charlm("compare", *runs, short).stdout
    assert "is better than" in said and "too little text to tell whether" in said and "interval" not in said
    values = json.loads(charlm("compare", *runs, short, "--json").stdout)
    (gap,) = filter(None, (row["difference"] for row in values["models"]))
    assert gap["low"] is gap["high"] is gap["text_low"] is None and not gap["clear"]


def test_another_text_is_scored_by_document(charlm, runs: list[str], write) -> None:
    other = write("The cat sat on a mat.\nA dog ran.\nqqqq qqqq\n", "other.txt")
    values = json.loads(charlm("compare", *runs, other, "--documents", "line", "--json").stdout)
    assert values["documents"] == 3 and values["words"] == 6 + 3 + 2 + 3
    assert sum(row["documents_won"] for row in values["models"]) == 3
    assert "documents won" in charlm("compare", *runs, other, "--documents", "line").stdout


def test_the_page_has_the_text_and_both_models(charlm, runs: list[str], write) -> None:
    other = write("A <b>cat</b> sat.\nA dog ran.\n", "other.txt")
    charlm("compare", *runs, other, "--documents", "line", "--html", "page.html")
    page = Path("page.html").read_text()
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert "".join(data["words"]) == "A <b>cat</b> sat.A dog ran." and data["names"] == runs
    assert len(data["first"]) == len(data["second"]) == len(data["words"])
    assert data["documents"] == [5] and "<b>" not in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "needs at least two models"),
        (["long"], "needs at least two models, then a TEXT, and long is the only one"),
        (["text.txt", "long"], "long is a model; the model must come before the text: charlm compare long text.txt"),
        (["long", "nonsense"], "no model or run 'nonsense'"),
        (["long", "short", "long", "--html", "page.html"], "--html shows the difference between two models; 3"),
        (["long", "short", "--documents", "line"], "--documents can only be used with a TEXT; add one"),
    ],
)
def test_what_can_not_be_compared_is_one_line(charlm, runs: list[str], arguments: list[str], message: str) -> None:
    Path("text.txt").write_text("a text\n")
    result = charlm("compare", *arguments, status=1)
    assert message in result.stderr and not Path("page.html").exists()


def test_a_model_that_may_have_seen_the_text_is_named(charlm, text: Path, runs: list[str], brief: list[str]) -> None:
    charlm("train", text, "--run", "whole", "--splits", "100/0/0", *brief)
    assert "whole/model.safetensors uses different splits" in charlm("compare", "long", "whole").stderr
    charlm("train", text, "--run", "left", "--direction", "backward", *brief)
    assert "reads from right to left" in charlm("compare", "long", "left", status=1).stderr
