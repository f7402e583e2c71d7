"""The plot of docs/benchmarks.md: the loss of every program over the time that it has trained, light and dark."""

from pathlib import Path
from typing import Any

from results import Record

LIGHT = {
    "text": "#1f2328",
    "grid": "#d1d9e0",
    "lines": ("#0969da", "#8250df", "#1a7f37", "#bc4c00", "#cf222e", "#57606a"),
}
DARK = {
    "text": "#e6edf3",
    "grid": "#3d444d",
    "lines": ("#58a6ff", "#bc8cff", "#3fb950", "#f0883e", "#ff7b72", "#9198a1"),
}


def draw(records: list[Record], digest: str, light: Path, dark: Path) -> None:
    """Write both files from records with curves; each holds the digest, so that one can tell what it shows. Without
    records, delete them."""
    for path, colours in ((light, LIGHT), (dark, DARK)):
        if records:
            _draw(records, digest, path, colours)
        else:
            path.unlink(missing_ok=True)


def label(record: Record) -> str:
    """The name of a program, with the seed if it has one."""
    program = str(record["settings"]["program"])
    return program if record["seed"] is None else f"{program} (seed {record['seed']})"


def _draw(records: list[Record], digest: str, path: Path, colours: dict[str, Any]) -> None:
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: Any = {"svg.hashsalt": digest, "font.size": 10, "axes.edgecolor": colours["grid"]}
    style |= dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), colours["text"])
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(7.5, 4.2), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for index, record in enumerate(records):
            seconds, losses = zip(*record["figures"]["curve"], strict=True)
            colour = colours["lines"][index % len(colours["lines"])]
            axes.plot(seconds, losses, color=colour, label=label(record), marker="o", markersize=3)
        final = [record["figures"]["nats_per_character"] for record in records]
        axes.set_facecolor("none")
        axes.set_ylim(min(final) - 0.03, max(final) + 0.5)
        axes.set_xlabel("seconds since the program was started")
        axes.set_ylabel("nats per character, held-out part")
        axes.grid(color=colours["grid"], linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        figure.savefig(path, transparent=True, metadata={"Date": None, "Description": digest})
