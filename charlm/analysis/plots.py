"""Figures drawn with matplotlib, an optional dependency (the extra `plots`)."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from charlm.analysis.gradients.decay_fit import DecayFit, percent
from charlm.analysis.gradients.diagnosis import Diagnosis
from charlm.analysis.runs.axes import Limits, loss_limits, robust_limits, smoothed, tick_labels, ticks, x_unit
from charlm.analysis.runs.curves import Against, Curve, RunCurves
from charlm.analysis.units.saturation import OPEN, SHUT, GateSaturation
from charlm.errors import CharlmError, ConfigError
from charlm.files import MADE_BY
from charlm.nouns import count_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SUFFIXES = (".png", ".svg", ".pdf")
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Colours that the colour-blind can tell apart (Okabe and Ito 2008)."""
_LINES = ("-", "--", ":", "-.")
_MARKERS = ("o", "^", "s", "D", "v", "P", "X")
_FLOOR, _CEILING = 1e-8, 1e2


def check_plot(path: Path) -> None:
    """Check before a long computation that a plot can be saved.

    Raises:
        CharlmError: matplotlib is missing.
        ConfigError: the format is unknown.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise CharlmError("--plot needs matplotlib; install it with: pip install 'charlm-rnn[plots]'") from None
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"--plot is {str(path)!r}; give a name that ends in .png, .svg or .pdf, such as plot.png")


def save_plot(figure: "Figure", path: Path) -> None:
    """Save a figure in the format given by the file's suffix; raises `CharlmError` if it can't be written."""
    try:
        key = "Software" if path.suffix.lower() == ".png" else "Creator"
        figure.savefig(path, dpi=160, facecolor="white", metadata={key: MADE_BY})
    except OSError as error:
        raise CharlmError(f"can't write {path}: {error.strerror}; choose another folder") from None


def draw_gradients(diagnosis: Diagnosis) -> "Figure":
    """Plot the share of the gradient left after k steps on a log scale: one panel before training, one after.

    Solid lines: gradient of the memory (c if the cell has one, otherwise h). Thin dotted lines: product of the norms of
    that state's Jacobians, which is also 1 at lag 0.
    """
    from matplotlib.figure import Figure

    moments = {"start": "at the start", "trained": f"after {count_of(diagnosis.steps, 'training step')}"}
    if diagnosis.steps == 0:
        del moments["trained"]
    figure = Figure(figsize=(5.2 * len(moments) + 0.8, 4.8), layout="constrained")
    panels = figure.subplots(1, len(moments), sharey=True, squeeze=False)[0]
    highest = _CEILING
    for axes, (moment, title) in zip(panels, moments.items(), strict=True):
        for index, diagnosed in enumerate(diagnosis.cells):
            flow, colour = diagnosed.flows()[moment], _COLOURS[index % len(_COLOURS)]
            curve = flow.gradients[flow.memory]
            shares = [value / curve[0] if curve[0] > 0 else 0.0 for value in curve]
            highest = max(highest, *(10 * share for share in shares if share < 1e30))
            label = f"{diagnosed.cell}: {_legend(flow.decay)}"
            axes.plot(shares, color=colour, linewidth=2.6, solid_capstyle="round", label=label)
            axes.plot(flow.jacobian_products[flow.memory], color=colour, linewidth=1.3, linestyle=":")
        _style_gradient_panel(axes, diagnosis.lags, title)
    panels[0].set_ylim(_FLOOR, highest)  # the dotted lines may leave the panel
    panels[0].set_ylabel("share of the gradient left", fontsize=12)
    figure.suptitle(
        f"How far back the gradient reaches  ({diagnosis.text}, {count_of(diagnosis.hidden_size, 'unit')})", fontsize=15
    )
    figure.supxlabel("steps back, k        solid: gradient    dotted: product of the Jacobian norms", fontsize=11)
    return figure


def draw_curves(runs: Sequence[RunCurves], against: Against) -> "Figure":
    """Overlay the curves of several runs: loss and validation in one panel, gradient norm and learning rate in two.

    Training losses are smoothed. Limits are those of `charlm.analysis.runs.axes`; an arrow at the edge of a panel
    marks a value beyond them.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    panels = figure.subplot_mosaic([["loss", "loss"], ["gradient norm", "learning rate"]], height_ratios=[1.6, 1])
    titles = {
        "loss": "training loss (lines, smoothed) and validation (marks, 95% intervals)",
        "gradient norm": "gradient norm before clipping",
    }
    right = max((x for run in runs for one in run.curves.values() for x in one.x), default=0.0)
    unit, size = x_unit(against, right)
    for quantity, axes in panels.items():
        axes.set_title(titles.get(quantity, quantity), fontsize=12)
        axes.set_xlabel(unit)
        axes.grid(color="#dddddd", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    runs = [run.scaled(size) for run in runs]
    norms = robust_limits((y for run in runs for y in run.curves["gradient norm"].y), log=True)
    losses = loss_limits(runs)
    for index, run in enumerate(runs):
        colour, dashes = _COLOURS[index % len(_COLOURS)], _LINES[index % len(_LINES)]
        for curve, axes in (
            (run.curves["gradient norm"], panels["gradient norm"]),
            (run.curves["learning rate"], panels["learning rate"]),
        ):
            axes.plot(curve.x, curve.y, color=colour, linestyle=dashes, linewidth=1.2)
        if norms is not None:
            _mark_outliers(panels["gradient norm"], run.curves["gradient norm"], norms, colour)
        if losses is not None:
            _draw_losses(panels["loss"], run, losses, colour, dashes, _MARKERS[index % len(_MARKERS)])
    for limits, axes in ((losses, panels["loss"]), (norms, panels["gradient norm"])):
        if limits is not None:
            values = ticks(limits, 8)
            axes.set_yscale("log" if limits.log else "linear")
            axes.set_ylim(*limits.padded(0.08))
            axes.set_yticks(values, tick_labels(values))
            axes.set_yticks([], minor=True)
    for quantity, axes in panels.items():
        values = ticks(Limits(low=0.0, high=right / size), 8 if quantity == "loss" else 5)
        axes.set_xticks(values, tick_labels(values))
        axes.set_xlim(left=0)
    panels["loss"].set_ylabel("nats per token")
    panels["learning rate"].set_ylim(bottom=0)
    panels["loss"].legend(frameon=False)
    return figure


def _draw_losses(axes: "Axes", run: RunCurves, limits: Limits, colour: str, dashes: str, marker: str) -> None:
    """Draw the training loss of a run as a line, and its validations as marks with their intervals."""
    loss, validation = smoothed(run.curves["loss"], limits), run.curves["validation"]
    axes.plot(loss.x, loss.y, color=colour, linestyle=dashes, linewidth=1.6)
    axes.errorbar(
        validation.x,
        [y if y == limits.clip(y) else math.nan for y in validation.y],
        yerr=[margin or 0.0 for margin in validation.margin],
        color=colour,
        linestyle="none",
        marker=marker,
        markersize=6,
        elinewidth=1.2,
    )
    axes.plot([], [], color=colour, linestyle=dashes, marker=marker, label=run.run)
    for curve in (run.curves["loss"], validation):
        _mark_outliers(axes, curve, limits, colour)


def _mark_outliers(axes: "Axes", curve: Curve, limits: Limits, colour: str) -> None:
    """An arrow at the edge of a panel for each value beyond its limits."""
    points = list(zip(curve.x, curve.y, strict=True))
    above, below = [x for x, y in points if y > limits.high], [x for x, y in points if y < limits.low]
    for marker, xs, height in (("^", above, 0.97), ("v", below, 0.03)):
        axes.plot(
            xs,
            [height] * len(xs),
            color=colour,
            linestyle="none",
            marker=marker,
            markersize=8,
            fillstyle="none",
            transform=axes.get_xaxis_transform(),
        )


def draw_unit(values_by_label: Mapping[str, Sequence[float]], *, threshold: float, name: str) -> "Figure":
    """Overlay the histograms of a unit over texts of two labels, as in Radford et al. 2017, figure 3.

    Args:
        values_by_label: the unit's value for each text.
        threshold: the value that best separates the labels.
        name: name of the unit.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    everything = sorted(value for values in values_by_label.values() for value in values)
    cut = len(everything) // 200  # a few outliers would squeeze the rest
    low, high = everything[cut], everything[-1 - cut]
    for (label, values), colour in zip(values_by_label.items(), ("#00798c", "#d1495b"), strict=True):
        axes.hist(values, bins=60, range=(low, high if high > low else low + 1), color=colour, alpha=0.6, label=label)
    axes.axvline(threshold, color="#444444", linestyle=":", label="threshold")
    axes.set_xlabel(name)
    axes.set_ylabel("texts")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def draw_saturation(saturation: Sequence[GateSaturation], title: str) -> "Figure":
    """Plot how often gates are closed against how often they are open: one panel per gate, one dot per unit.

    As in figure 2 of Karpathy, Johnson and Li 2015 (arXiv 1506.02078). No dot can lie beyond the diagonal. A dot at an
    end of the diagonal is a gate that is always open or always closed; a dot at the origin is one that never saturates.
    """
    from matplotlib.figure import Figure

    gates = list(dict.fromkeys(one.gate for one in saturation))
    num_layers = 1 + max(one.layer for one in saturation)
    figure = Figure(figsize=(3.6 * len(gates) + 0.6, 4.4), layout="constrained")
    panels = figure.subplots(1, len(gates), sharex=True, sharey=True, squeeze=False)[0]
    for gate, axes in zip(gates, panels, strict=True):
        for one in saturation:
            if one.gate == gate:
                colour = _COLOURS[one.layer % len(_COLOURS)]
                label = f"layer {one.layer}"
                axes.scatter(one.open, one.shut, s=22, color=colour, alpha=0.55, linewidths=0, label=label)
        axes.plot((0, 1), (1, 0), color="#888888", linewidth=0.9)
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
        axes.set_title(f"gate {gate}", fontsize=13)
        axes.grid(color="#dddddd", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    if num_layers > 1:
        panels[-1].legend(frameon=False)
    figure.suptitle(title, fontsize=14)
    figure.supxlabel(f"fraction of time open (above {OPEN})", fontsize=11)
    figure.supylabel(f"fraction of time closed (below {SHUT})", fontsize=11)
    return figure


def _legend(decay: DecayFit) -> str:
    """The decay in a few words."""
    if decay.kind == "carried":
        return f"{percent(decay.left)} left"
    if decay.steps is None:
        return "no gradient"
    return f"{'half-life' if decay.kind == 'vanishes' else 'doubles in'} {decay.steps:.1f}"


def _style_gradient_panel(axes: "Axes", lags: int, title: str) -> None:
    """Set scale, grid and legend of a panel."""
    axes.set_yscale("log")
    axes.set_xlim(0, lags)
    axes.set_title(title, fontsize=13)
    axes.grid(color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.axhline(1, color="#888888", linewidth=0.9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=11)
    axes.legend(frameon=False, fontsize=11, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, handlelength=1.2)
