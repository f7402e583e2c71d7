"""What `charlm probe` shows: the accuracy of each classifier, the best unit, and how to use the steering direction."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from charlm.cli.ui.console import note, stderr, stdout
from charlm.nouns import count_of

if TYPE_CHECKING:
    from charlm.analysis.probing.classifiers import Accuracy, Vectors
    from charlm.analysis.probing.labelled import Labelled
    from charlm.analysis.probing.probe import Probe
    from charlm.text_model import TextModel


def _feature_name(loaded: "TextModel", column: int) -> str:
    """The name of a feature, such as "0:12:c, mean"."""
    from charlm.analysis.probing.features import blocks

    index, number = divmod(column, loaded.model.config.hidden_size)
    block = blocks(loaded.model)[index]
    return f"{block.layer}:{number}{':c' if block.state == 'c' else ''}, {block.moment}"


def show_probe(loaded: "TextModel", probe: "Probe") -> None:
    """Print the accuracy of each classifier, and notes on what it means."""
    from charlm.analysis.probing.probe import TOP_FEATURES

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(f"{probe.positive} or {probe.negative}?")
    table.add_column("accuracy", justify="right")
    table.add_column("95% interval", justify="right")
    rows: dict[str, Accuracy] = {
        f"all states ({count_of(probe.used, 'feature')} used)": probe.full,
        f"the {TOP_FEATURES} best features": probe.best,
        f"best single unit ({_feature_name(loaded, probe.unit.column)})": probe.unit.accuracy,
        "words only, without the model": probe.words,
    }
    for name, accuracy in rows.items():
        low, high = accuracy.interval
        table.add_row(name, f"{accuracy.share:.3f}", f"{low:.3f} to {high:.3f}")
    table.add_row("majority baseline", f"{probe.majority:.3f}", "")
    stdout().print(table)
    console = stderr()
    console.print(
        f"trained on {count_of(probe.train, 'text')}, tested on {count_of(probe.full.total, 'other')}", style="dim"
    )
    if not probe.conclusive:
        note("inconclusive: the 95% interval of the probe includes the majority baseline; give more test texts")
    elif probe.words.share > probe.full.share:
        console.print("on these texts the words alone predict the label better than the model's states", style="dim")


def show_steer_hint(model: str, direction: Path) -> None:
    """Print where the steering direction is and how to use it."""
    hint = f"charlm sample {shlex.quote(model)} --steer {shlex.quote(direction.stem)}=+2"
    stderr().print(f"steering direction saved to {direction}; use it with: {hint}", soft_wrap=True)


def plot_unit(path: Path, probe: "Probe", vectors: "Vectors", test: "Labelled", loaded: "TextModel") -> None:
    """Plot the best unit on the test texts."""
    from charlm.analysis.plots import draw_unit, save_plot

    values = vectors[:, probe.unit.column]
    truth = test.truth(probe.positive)
    name = f"unit {_feature_name(loaded, probe.unit.column)}"
    values_by_label = {probe.positive: values[truth].tolist(), probe.negative: values[~truth].tolist()}
    save_plot(draw_unit(values_by_label, threshold=probe.unit.threshold, name=name), path)
    stderr().print(f"wrote {path}", soft_wrap=True)
