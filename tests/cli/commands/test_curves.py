"""`charlm curves`, `eval --dynamic`, `eval --cache` and `sample --adapt` as a user types them."""

import json
import sys
from pathlib import Path

import pytest
from conftest import TEXT
from small_runs import train
from test_commands import charlm, failed


@pytest.fixture
def text(write) -> Path:
    return write(TEXT)


def test_runs_are_laid_over_each_other(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(text, "runs/first")
    train(text, "runs/second", learning_rate=0.01)
    monkeypatch.setenv("COLUMNS", "80")
    shown = charlm("curves", "first", "second").stdout
    assert max(map(len, shown.splitlines())) <= 100
    for quantity in ("loss", "validation", "gradient norm", "learning rate"):
        chart = shown.split(f"\n{quantity}\n" if quantity != "loss" else "loss\n", 1)[1].split("\n\n")[0]
        assert "b" in chart and "steps" in chart
    assert "a first" in shown and "b second" in shown and "\x1b" not in shown
    values = json.loads(charlm("curves", "first", "runs/second", "--against", "tokens", "--json").stdout)
    assert [one["run"] for one in values] == ["first", "second"]
    assert len(values[0]["loss"]["x"]) == len(values[0]["loss"]["y"]) > 5
    assert values[0]["learning rate"]["y"] != values[1]["learning rate"]["y"]


def test_the_newest_run_is_shown_and_a_picture_drawn(text: Path) -> None:
    pytest.importorskip("matplotlib")
    train(text)
    charlm("curves", "--plot", "curves.png")
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no curves in runs/nothing"),
        ([], "no trained run in runs/"),
        (["--plot", "x.bmp"], "its name must end in .png"),
    ],
)
def test_mistakes_are_named(arguments: list[str], message: str) -> None:
    if "--plot" in arguments:
        pytest.importorskip("matplotlib")
    assert message in failed("curves", *arguments)


def test_matplotlib_is_asked_for_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "charlm-rnn[plots]" in failed("curves", "--plot", "x.png")


def test_evaluation_can_learn_and_remember(text: Path) -> None:
    train(text, steps=30, model={"hidden_size": 16, "ngram_order": 3})
    plain = json.loads(charlm("eval", "--json", "--no-baselines").stdout)
    dynamic = json.loads(charlm("eval", "--json", "--no-baselines", "--dynamic", "--dynamic-rate", "0.003").stdout)
    cached = json.loads(charlm("eval", "--json", "--no-baselines", "--cache", "--cache-share", "0.2").stdout)
    both = json.loads(charlm("eval", "--json", "--no-baselines", "--cache", "--dynamic").stdout)
    assert (plain["dynamic"], plain["cache"], both["dynamic"], both["cache"]) == (False, False, True, True)
    assert len({one["nats"] for one in (plain, dynamic, cached, both)}) == 4
    assert dynamic["nats"] < plain["nats"]
    assert "test split, dynamic, with a cache" in charlm("eval", "--no-baselines", "--dynamic", "--cache").stdout
    assert "--dynamic-rate goes with --dynamic" in failed("eval", "--dynamic-rate", "0.1")
    assert "--cache-share goes with --cache" in failed("eval", "--cache-share", "0.1")


def test_writing_can_adapt_to_a_text(text: Path, write) -> None:
    train(text)
    letters = write("owls and owls and owls.\n" * 200, "letters.txt")
    model = Path("runs/a/model.safetensors").read_bytes()
    plain = charlm("sample", "--seed", "1", "--length", "200").stdout
    adapted = charlm("sample", "--seed", "1", "--length", "200", "--adapt", letters).stdout
    assert adapted != plain
    assert Path("runs/a/model.safetensors").read_bytes() == model
    assert "nowhere.txt" in failed("sample", "--adapt", "nowhere.txt")


def test_what_a_run_wrote_while_it_learnt_is_shown(text: Path) -> None:
    train(text, steps=60)
    shown = charlm("sample", "--checkpoints").stdout
    values = json.loads(charlm("sample", "--checkpoints", "--json").stdout)
    assert [one["step"] for one in values] == [12, 24, 36, 48, 60]
    for one in values:
        assert f"step {one['step']}, validation {one['nats_per_token']:.4f} nats per token" in shown
        assert one["text"].rstrip("\n") in shown
