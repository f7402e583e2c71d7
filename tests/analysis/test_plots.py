"""Figures: what they draw, and what is said when they can't be drawn."""

import math
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from charlm.analysis.gradients.diagnosis import Diagnosis, diagnose
from charlm.analysis.plots import check_plot, draw_curves, draw_gradients, draw_saturation, save_plot
from charlm.analysis.runs.curves import Curve, RunCurves
from charlm.analysis.units.saturation import GateSaturation
from charlm.errors import CharlmError, ConfigError
from charlm.files import is_made_by_charlm

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def diagnosis(text: Path) -> Diagnosis:
    return diagnose(text, cells=["rnn", "lstm"], lags=9, steps=2, hidden_size=4)


def test_the_figure_has_a_curve_for_each_cell_before_and_after(diagnosis: Diagnosis) -> None:
    figure = draw_gradients(diagnosis)
    start, trained = figure.axes
    assert (start.get_title(), trained.get_title()) == ("at the start", "after 2 training steps")
    labels = [text.get_text() for text in start.get_legend().get_texts()]
    assert [label.split(":")[0] for label in labels] == ["rnn", "lstm"]
    curve = diagnosis.cells[1].start.gradients["c"]
    drawn = next(line for line in start.lines if line.get_label().startswith("lstm")).get_ydata()
    assert list(drawn) == pytest.approx([value / curve[0] for value in curve])


def test_the_gates_have_a_panel_each_and_units_a_dot() -> None:
    saturation = [
        GateSaturation(layer=layer, gate=gate, shut=np.full(3, 0.1 * layer), open=np.array([0.0, 0.5, 0.7]))
        for layer in (0, 1)
        for gate in "fo"
    ]
    panels = draw_saturation(saturation, "a text").axes
    assert [axes.get_title() for axes in panels] == ["gate f", "gate o"]
    for axes in panels:
        first, second = (np.asarray(dots.get_offsets()) for dots in axes.collections)
        assert first.tolist() == [[0, 0], [0.5, 0], [0.7, 0]] and second[:, 1] == pytest.approx([0.1] * 3)
    assert [text.get_text() for text in panels[-1].get_legend().get_texts()] == ["layer 0", "layer 1"]


def run_of(name: str, spike: float) -> RunCurves:
    """A run whose loss falls from 3 to 2, but for a first value."""
    x = tuple(float(step) for step in range(0, 1000, 10))
    loss = (spike, *(3 - step / 1000 for step in x[1:]))
    return RunCurves(
        run=name,
        curves={
            "loss": Curve(x=x, y=loss),
            "validation": Curve(x=(0.0, 500.0, 990.0), y=(3.0, 2.5, 2.0), margin=(0.0, 0.1, None)),
            "gradient norm": Curve(x=x, y=tuple(10 ** (math.sin(step)) for step in x)),
            "learning rate": Curve(x=x, y=tuple(0.003 * (1 - step / 1000) for step in x)),
        },
    )


def test_the_picture_has_limits_that_a_spike_does_not_stretch_and_one_axis_for_each_unit() -> None:
    figure = draw_curves([run_of("first", 1e6), run_of("second", 3.0)], "time")
    loss, norm, rate = figure.axes
    low, high = loss.get_ylim()
    assert 1.5 < low < 2 and 3 < high < 3.5
    assert (loss.get_ylabel(), loss.get_yscale()) == ("nats per token", "linear")
    assert norm.get_yscale() == "log"
    assert [label.get_text() for label in norm.get_yticklabels()] == [
        "0.2",
        "0.5",
        "1.0",
        "2.0",
        "5.0",
    ]
    assert rate.get_ylim()[0] == 0
    assert {axes.get_xlabel() for axes in figure.axes} == {"min"}  # 990 seconds
    arrows = [line for line in loss.lines if line.get_marker() == "^" and line.get_fillstyle() == "none"]
    assert [len(line.get_xdata()) for line in arrows].count(1) == 1
    (first, second) = [line for line in loss.lines if line.get_label() in ("first", "second")]
    assert first.get_linestyle() != second.get_linestyle() and first.get_marker() != second.get_marker()


def test_the_training_loss_in_the_picture_is_smoothed() -> None:
    calm = run_of("first", 3.0)
    noisy = tuple(y + 0.2 * (-1) ** index for index, y in enumerate(calm.curves["loss"].y))
    calm.curves["loss"] = Curve(x=calm.curves["loss"].x, y=noisy)
    line = draw_curves([calm], "steps").axes[0].lines[0].get_ydata()
    assert max(abs(a - b) for a, b in pairwise(line[5:-5])) < 0.15


def test_a_run_without_validation_is_drawn() -> None:
    run = run_of("first", 3.0)
    run.curves["validation"] = Curve(x=(), y=())
    assert len(draw_curves([run], "steps").axes) == 3


@pytest.mark.parametrize(("name", "magic"), [("g.png", b"\x89PNG"), ("g.svg", b"<?xml"), ("g.pdf", b"%PDF")])
def test_it_is_written_in_the_format_of_its_name(diagnosis: Diagnosis, name: str, magic: bytes) -> None:
    check_plot(Path(name))
    save_plot(draw_gradients(diagnosis), Path(name))
    assert Path(name).read_bytes().startswith(magic)
    assert is_made_by_charlm(Path(name))


def test_an_unknown_format_is_refused_beforehand() -> None:
    with pytest.raises(ConfigError, match=r"give a name that ends in .png, .svg or .pdf"):
        check_plot(Path("g.jpeg2"))


def test_without_matplotlib_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(CharlmError, match=r"pip install 'charlm-rnn\[plots\]'"):
        check_plot(Path("g.png"))


def test_a_disk_that_fails_is_one_line(diagnosis: Diagnosis) -> None:
    Path("folder.png").mkdir()
    with pytest.raises(CharlmError, match=r"can't write folder\.png"):
        save_plot(draw_gradients(diagnosis), Path("folder.png"))
