"""Figures for a slide, drawn by matplotlib, which is an extra: only who wants a picture needs it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from charlm.analysis.gradients.decay_fit import DecayFit, percent
from charlm.analysis.gradients.diagnosis import Diagnosis
from charlm.analysis.runs.curves import Against, RunCurves
from charlm.analysis.units.saturation import OPEN, SHUT, GateSaturation
from charlm.errors import CharlmError, ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SUFFIXES = (".png", ".svg", ".pdf")
_COLOURS = ("#d1495b", "#00798c", "#edae49", "#30638e", "#6a994e", "#8e6c8a", "#7f5539", "#5c677d")
_FLOOR, _CEILING = 1e-8, 1e2


def check_plot(path: Path) -> None:
    """Raise now what `save_plot` would raise after long work: no matplotlib, no such folder, no such format."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise CharlmError("a picture needs matplotlib; install it with: pip install 'charlm-rnn[plots]'") from None
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"--plot is {str(path)!r}; its name must end in {', '.join(_SUFFIXES)}")
    if not path.parent.is_dir():
        raise ConfigError(f"--plot is {str(path)!r}, but there is no folder {str(path.parent)!r}; make it first")
    if path.is_dir():
        raise ConfigError(f"--plot is {str(path)!r}, which is a folder; name a file in it")


def save_plot(figure: "Figure", path: Path) -> None:
    """Write a figure in the format that the file's name ends in; raises `CharlmError` when it can't be written."""
    try:
        figure.savefig(path, dpi=160, facecolor="white")
    except OSError as error:
        raise CharlmError(f"can't write {path}: {error.strerror}; choose another folder") from None


def draw_gradients(diagnosis: Diagnosis) -> "Figure":
    """The share of the gradient that is left after k steps, on a log scale: one panel for the start, one for after
    training.

    A line is the gradient of the state that remembers (c where a cell has one, else h); a thin dotted one is the
    product of the norms of that state's Jacobians, which is 1 at lag 0 too.
    """
    from matplotlib.figure import Figure

    moments = {"start": "at the start", "trained": f"after {diagnosis.steps:,} training steps"}
    if diagnosis.steps == 0:
        del moments["trained"]
    figure = Figure(figsize=(5.2 * len(moments) + 0.8, 4.8), layout="constrained")
    panels = figure.subplots(1, len(moments), sharey=True, squeeze=False)[0]
    highest = _CEILING
    for axes, (moment, title) in zip(panels, moments.items(), strict=True):
        for number, one in enumerate(diagnosis.cells):
            flow, colour = one.flows()[moment], _COLOURS[number % len(_COLOURS)]
            curve = flow.gradients[flow.memory]
            shares = [value / curve[0] if curve[0] > 0 else 0.0 for value in curve]
            highest = max(highest, *(10 * share for share in shares if share < 1e30))
            axes.plot(
                shares, color=colour, linewidth=2.6, solid_capstyle="round", label=f"{one.cell}: {_short(flow.verdict)}"
            )
            axes.plot(flow.jacobian_products[flow.memory], color=colour, linewidth=1.3, linestyle=":")
        _dress(axes, diagnosis.lags, title)
    panels[0].set_ylim(_FLOOR, highest)  # products of norms may leave it
    panels[0].set_ylabel("share of the gradient that is left", fontsize=12)
    figure.suptitle(
        f"How far back the gradient reaches  ({diagnosis.text}, {diagnosis.hidden_size} units)", fontsize=15
    )
    figure.supxlabel(
        "steps back, k        lines: the gradient itself    dots: product of the norms of the Jacobians", fontsize=11
    )
    return figure


def draw_curves(found: Sequence[RunCurves], against: Against) -> "Figure":
    """Loss and validation in one panel, gradient norm and learning rate in two, runs laid over each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    panels = figure.subplot_mosaic([["loss", "loss"], ["gradient norm", "learning rate"]], height_ratios=[1.6, 1])
    for number, one in enumerate(found):
        colour = _COLOURS[number % len(_COLOURS)]
        for quantity in ("loss", "gradient norm", "learning rate"):
            curve = one.curves[quantity]
            panels[quantity].plot(
                curve.x, curve.y, color=colour, linewidth=1, alpha=0.45 if quantity == "loss" else 0.9
            )
        validation = one.curves["validation"]
        panels["loss"].plot(
            validation.x, validation.y, color=colour, linewidth=2.4, marker="o", markersize=4, label=one.run
        )
    units = {"steps": "steps", "time": "seconds", "tokens": "tokens"}
    for quantity, axes in panels.items():
        axes.set_title(
            {"loss": "loss (thin) and validation (dots), nats per token"}.get(quantity, quantity), fontsize=12
        )
        axes.set_xlabel(units[against])
        axes.grid(color="#dddddd", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    steady = [y for one in found for y in one.curves["loss"].y[len(one.curves["loss"].y) // 10 :]]
    everything = steady + [y for one in found for y in one.curves["validation"].y]
    if everything:  # the first steps, which fall steeply, may leave the panel
        margin = 0.05 * (max(everything) - min(everything)) or 0.1
        panels["loss"].set_ylim(min(everything) - margin, max(everything) + margin)
    panels["loss"].legend(frameon=False)
    return figure


def draw_unit(kinds: Mapping[str, Sequence[float]], *, threshold: float, name: str) -> "Figure":
    """How a unit falls over texts of two kinds, laid over each other, as Radford et al. 2017, figure 3, show it.

    Args:
        kinds: the values by label.
        threshold: the best one between them.
        name: of the unit.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    everything = sorted(value for values in kinds.values() for value in values)
    cut = len(everything) // 200  # a few far away would leave no room for the rest
    low, high = everything[cut], everything[-1 - cut]
    for (label, values), colour in zip(kinds.items(), ("#00798c", "#d1495b"), strict=True):
        axes.hist(values, bins=60, range=(low, high if high > low else low + 1), color=colour, alpha=0.6, label=label)
    axes.axvline(threshold, color="#444444", linestyle=":", label="threshold")
    axes.set_xlabel(name)
    axes.set_ylabel("texts")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def draw_saturation(saturation: Sequence[GateSaturation], title: str) -> "Figure":
    """How often gates are shut against how often they are open, a panel for each gate, a dot for each unit.

    As figure 2 of Karpathy, Johnson and Li 2015 (arXiv 1506.02078). No dot can lie beyond the diagonal; one at its ends
    is a unit whose gate is a switch that stays, one at the origin a gate that never saturates.
    """
    from matplotlib.figure import Figure

    gates = list(dict.fromkeys(one.gate for one in saturation))
    layers = 1 + max(one.layer for one in saturation)
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
    if layers > 1:
        panels[-1].legend(frameon=False)
    figure.suptitle(title, fontsize=14)
    figure.supxlabel(f"share of the time in which the gate is open (above {OPEN})", fontsize=11)
    figure.supylabel(f"shut (below {SHUT})", fontsize=11)
    return figure


def _short(verdict: DecayFit) -> str:
    """A verdict for the legend."""
    if verdict.kind == "carried":
        return f"{percent(verdict.left)} left"
    if verdict.steps is None:
        return "no gradient"
    return f"{'half-life' if verdict.kind == 'vanishes' else 'doubles in'} {verdict.steps:.1f}"


def _dress(axes: "Axes", lags: int, title: str) -> None:
    """Scale, grid and legend of a panel."""
    axes.set_yscale("log")
    axes.set_xlim(0, lags)
    axes.set_title(title, fontsize=13)
    axes.grid(color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.axhline(1, color="#888888", linewidth=0.9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=11)
    axes.legend(frameon=False, fontsize=11, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, handlelength=1.2)
