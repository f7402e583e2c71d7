"""`charlm curves`, `eval --dynamic`, `eval --cache` and `sample --adapt` as a user types them."""

import json
import re
import sys
from pathlib import Path

import pytest


def test_runs_are_laid_over_each_other(charlm, trained_run) -> None:
    trained_run("runs/first")
    trained_run("runs/second", learning_rate=0.01)
    shown = charlm("curves", "first", "second").stdout
    assert max(map(len, shown.splitlines())) <= 100 and "\x1b" not in shown
    first, losses, others = shown.split("\n\n")[:3]
    assert first == "● first  ▲ second"
    assert losses.startswith("loss, nats per token (lines: training, smoothed; marks: validation)\n")
    assert "●" in losses and "▲" in losses and "60 steps" in losses
    assert re.match("gradient norm [(]log scale[)] +learning rate\n", others) and others.count("60 steps") == 2
    assert re.search("^● first +60 ", shown, re.MULTILINE) and re.search("^▲ second +60 ", shown, re.MULTILINE)
    values = json.loads(charlm("curves", "first", "runs/second", "--against", "tokens", "--json").stdout)
    assert [one["run"] for one in values] == ["first", "second"]
    assert len(values[0]["loss"]["x"]) == len(values[0]["loss"]["y"]) > 5
    assert values[0]["learning rate"]["y"] != values[1]["learning rate"]["y"]


def test_a_damaged_configuration_is_named_before_any_chart(charlm, failed, trained_run) -> None:
    trained_run("runs/first")
    trained_run("runs/second")
    Path("runs/second/config.json").write_text("{")
    said = failed("curves", "first", "second")
    assert "runs/second/config.json is damaged: Expecting property name" in said
    assert "restore it, or start a new run from the model with `charlm train TEXT --init-from runs/second`" in said
    assert "60 steps" in charlm("curves", "second").stdout


def test_charts_fit_a_narrow_terminal(charlm, trained_run, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_run("runs/first")
    set_margin("runs/first", 0.0625)
    monkeypatch.setattr("charlm.cli.ui.console.WIDE", 40)
    lines = charlm("curves", "first", "first").stdout.splitlines()
    assert max(map(len, lines)) <= 40
    assert "gradient norm (log scale)" in lines and "learning rate" in lines
    assert lines.count("run                ● first") == 1 and lines.count("run                ▲ first") == 1


def test_a_spike_does_not_flatten_the_chart(charlm, trained_run) -> None:
    trained_run("runs/first")
    calm = charlm("curves").stdout
    metrics = Path("runs/first/metrics.jsonl")
    records = [json.loads(line) for line in metrics.read_text().splitlines()]
    next(one for one in records if one["kind"] == "step")["loss"] = 123_456.0
    metrics.write_text("".join(json.dumps(one) + "\n" for one in records))
    shown = charlm("curves").stdout
    assert "↑ above the chart: up to 123,456\n" in shown and "123,456" not in calm
    ticks = [line.partition("┤")[0].strip() for line in shown.split("\n\n")[0].splitlines() if "┤" in line]
    assert len(ticks) >= 2 and all(float(tick) < 10 for tick in ticks)


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
        (["nothing"], "no curves in runs/nothing: there is no such run; `charlm runs` lists those in runs/"),
        ([""], "RUN is ''; give a name, such as first"),
        ([], "no trained run in runs/"),
        (["--plot", "x.bmp"], "give a name that ends in .png, .svg or .pdf, such as plot.png"),
    ],
)
def test_mistakes_are_named(failed, arguments: list[str], message: str) -> None:
    if "--plot" in arguments:
        pytest.importorskip("matplotlib")
    assert message in failed("curves", *arguments)


def test_matplotlib_is_asked_for_before_any_work(failed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "charlm-rnn[plots]" in failed("curves", "--plot", "x.png")
