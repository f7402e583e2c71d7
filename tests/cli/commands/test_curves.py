"""`charlm curves`, `eval --dynamic`, `eval --cache` and `sample --adapt` as a user types them."""

import json
import sys
from pathlib import Path

import pytest


def test_runs_are_laid_over_each_other(charlm, trained_run, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_run("runs/first")
    trained_run("runs/second", learning_rate=0.01)
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


def set_margin(run: str, margin: float) -> None:
    """Let the validations of a run be estimates from a sample."""
    metrics = Path(run) / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace('"margin": 0.0', f'"margin": {margin}'))


def test_a_loss_of_a_sample_is_marked_wherever_it_is_shown(charlm, trained_run) -> None:
    trained_run("runs/first")
    for command in (("curves",), ("runs",), ("sample", "first", "--checkpoints")):
        assert "±" not in charlm(*command).stdout
    set_margin("runs/first", 0.0625)
    last = json.loads(charlm("curves", "--json").stdout)[0]["validation"]
    assert set(last["margin"]) == {0.0625}
    shown = charlm("curves").stdout
    assert f"{last['y'][-1]:.4f} ± 0.0625" in shown and "±: 95% interval of an estimate from a sample" in shown
    assert (
        f"validation {last['y'][-1]:.4f} ± 0.0625 nats per token" in charlm("sample", "first", "--checkpoints").stdout
    )
    assert "± 0.09" in charlm("runs").stdout  # the same in bits


def test_losses_that_cannot_be_compared_are_named(charlm, train_run) -> None:
    train_run("runs/first", steps=10)
    train_run("runs/second", steps=10, learning_rate=0.01)
    assert charlm("curves", "first", "second").stderr == ""
    train_run("runs/third", steps=10, corpus={"splits": (80.0, 10.0, 10.0), "documents": "line"})
    assert charlm("curves", "first", "third").stderr == (
        "note: these losses can't be compared, since the runs differ in splits, documents; compare the models on one "
        "text with: charlm compare MODEL MODEL TEXT\n"
    )


def test_the_newest_run_is_shown_and_a_picture_drawn(charlm, trained_run) -> None:
    pytest.importorskip("matplotlib")
    trained_run()
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
def test_mistakes_are_named(failed, arguments: list[str], message: str) -> None:
    if "--plot" in arguments:
        pytest.importorskip("matplotlib")
    assert message in failed("curves", *arguments)


def test_matplotlib_is_asked_for_before_any_work(failed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "charlm-rnn[plots]" in failed("curves", "--plot", "x.png")
