"""`charlm probe`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charlm.cli.commands.sample import ModelArgument
from charlm.cli.options.shared import JsonOption, ThreadsOption, use_threads
from charlm.errors import CharlmError, ConfigError

if TYPE_CHECKING:
    from charlm.analysis.probing.classifiers import Accuracy, Vectors
    from charlm.analysis.probing.labelled import Labelled
    from charlm.analysis.probing.probe import Probe
    from charlm.text_model import TextModel

_TEST = 0.2


def probe(
    model: ModelArgument = None,
    positive: Annotated[Path | None, typer.Option(help="Texts of one kind, one a line.", show_default=False)] = None,
    negative: Annotated[
        Path | None, typer.Option(help="Texts of the other kind, one a line.", show_default=False)
    ] = None,
    labelled: Annotated[
        Path | None,
        typer.Option(
            help="Instead of both: a text, a tab and a label on each line; of more than two labels each is told from "
            "the rest.",
            show_default=False,
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="Labelled texts to test on, as --labelled; they take no other part.",
            show_default="a fifth of the texts, drawn by --seed",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What the direction is called, for --steer.", show_default="the label")
    ] = None,
    direction: Annotated[
        Literal["weighted", "unit"],
        typer.Option(
            help="The direction that is saved: weighted, of all units that the output layer reads, along which words "
            "of one kind become likelier and those of the other less likely; or unit, the one that tells most."
        ),
    ] = "weighted",
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw how the best unit falls over the two kinds: .png, .svg or .pdf; needs the extra "
            "charlm-rnn\\[plots]."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the test texts, and of cross-validation.")] = 1,
    threads: ThreadsOption = 2,
    json: JsonOption = False,
) -> None:
    """Find out what a model knows of a label that it was never told, such as the sentiment of a review.

    It reads the texts, and simple judges look at its states: a logistic regression, the best single unit, the ten best
    numbers, and beside them one that sees only the words. A direction in the states is saved beside the model, for
    `charlm sample --steer`. Needs the extra charlm-rnn\\[probe].

    Examples:
      [bold]charlm probe --positive good.txt --negative bad.txt --name sentiment[/bold]
      [bold]charlm probe runs/reviews --labelled reviews.tsv --test held-out.tsv[/bold]
    """
    import charlm
    from charlm.analysis.plots import check_plot
    from charlm.analysis.probing.classifiers import require_sklearn
    from charlm.analysis.probing.probe import probe as probe_of
    from charlm.cli.options.reader import require_forward
    from charlm.cli.ui.console import Bars, print_json, stderr
    from charlm.config import check_range

    use_threads(threads)
    check_range("--seed", seed, 0, 2**32 - 1)
    require_sklearn()
    if plot is not None:
        check_plot(plot)
    with Bars(stderr()):
        known, held_out = _parts(_read(positive, negative, labelled), test, seed)
    labels = known.names if len(known.names) > 2 else known.names[1:]
    _check_labels(labels, name, plot)
    loaded = charlm.load(model)
    require_forward(loaded, "a probe")
    if model is None:
        stderr().print(f"using {loaded.path}", markup=False, soft_wrap=True)
    folder = _folder(loaded)
    own, others = _vectors(loaded, known), _vectors(loaded, held_out)
    found = []
    for label in labels:
        with Bars(stderr()) as progress:
            one = probe_of(own, known, others, held_out, positive=label, seed=seed, progress=progress)
        saved = _save(loaded, own, known, one, direction, folder / f"{name or label}.safetensors", seed)
        found.append(one.to_json() | {"direction": str(saved)})
        if not json:
            _show(loaded, one)
            which = shlex.quote(model or str(loaded.path.parent))
            hint = f"charlm sample {which} --steer {shlex.quote(saved.stem)}=+2"
            stderr().print(f"direction in {saved}; write with it: {hint}", markup=False, soft_wrap=True)
    if json:
        print_json(found)
    if plot is not None:
        _plot(plot, one, others, held_out, loaded)


def _read(positive: Path | None, negative: Path | None, labelled: Path | None) -> "Labelled":
    """The texts to learn from."""
    from charlm.analysis.probing.labelled import read_pair, read_table

    if labelled is not None and positive is None and negative is None:
        return read_table(labelled)
    if labelled is None and positive is not None and negative is not None:
        return read_pair(positive, negative)
    raise ConfigError("give --positive and --negative, a file each with a text a line, or --labelled with both")


def _parts(texts: "Labelled", test: Path | None, seed: int) -> "tuple[Labelled, Labelled]":
    """The texts to learn from and those to test on."""
    from charlm.analysis.probing.labelled import distinct, read_table, require_alike, require_enough, split, without

    texts = distinct(texts)
    require_enough(texts)
    if test is None:
        return split(texts, _TEST, seed)
    held_out = without(distinct(read_table(test)), texts)
    require_alike(held_out, texts)
    return texts, held_out


def _check_labels(labels: list[str], name: str | None, plot: Path | None) -> None:
    """Raise `ConfigError` for what can't be done with as many labels, and for one that a direction can't bear."""
    from charlm.storage.direction import check_name

    if name is not None and len(labels) > 1:
        raise ConfigError(f"--name is for two labels, and there are {len(labels)}; each direction bears its label")
    if plot is not None and len(labels) > 1:
        raise ConfigError(f"--plot is for two labels, and there are {len(labels)}; leave it out")
    for label in labels:
        check_name(name or label)


def _vectors(loaded: "TextModel", part: "Labelled") -> "Vectors":
    """What the model holds of each text, (N, D)."""
    from charlm.analysis.probing.features import features, stacked
    from charlm.cli.ui.console import Bars, stderr

    model, tokenizer, count = loaded.checkpoint.model, loaded.checkpoint.tokenizer, len(part.texts)
    with Bars(stderr()) as progress:
        return stacked(features(model, tokenizer, part.texts, total=count, progress=progress), count)


def _save(
    loaded: "TextModel",
    vectors: "Vectors",
    known: "Labelled",
    probe: "Probe",
    kind: str,
    path: Path,
    seed: int,
) -> Path:
    """Find the direction and save it."""
    from charlm.analysis.probing.directions import unit_direction, weighted_direction
    from charlm.analysis.probing.features import blocks
    from charlm.cli.ui.console import Bars, stderr
    from charlm.storage.checkpoint import weights_sha256
    from charlm.storage.direction import Direction, DirectionFacts

    model, tokenizer = loaded.checkpoint.model, loaded.checkpoint.tokenizer
    if kind == "unit":
        found = unit_direction(vectors, known.truth(probe.positive), blocks(model))
    else:
        with Bars(stderr()) as progress:
            found = weighted_direction(model, tokenizer, known, probe.positive, seed=seed, progress=progress)
    facts = DirectionFacts(
        name=path.stem,
        kind=found.kind,
        layer=found.layer,
        state=found.state,
        mean=found.mean,
        scale=found.scale,
        negative=probe.negative,
        positive=probe.positive,
        model_sha256=weights_sha256(model),
    )
    Direction(facts, found.vector).save(path)
    return path


def _folder(loaded: "TextModel") -> Path:
    """Where directions of a model go."""
    from charlm.storage.direction import FOLDER

    folder = loaded.path.parent / FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise CharlmError(f"can't make {folder}: {error.strerror}; copy the model where you may write") from None
    return folder


def _column(loaded: "TextModel", column: int) -> str:
    """The name of a number of the vectors, as in "0:12:c, mean"."""
    from charlm.analysis.probing.features import blocks

    index, number = divmod(column, loaded.checkpoint.model.config.hidden_size)
    block = blocks(loaded.checkpoint.model)[index]
    return f"{block.layer}:{number}{':c' if block.state == 'c' else ''}, {block.moment}"


def _show(loaded: "TextModel", probe: "Probe") -> None:
    """A row for each judge, and what follows."""
    from rich.table import Table
    from rich.text import Text

    from charlm.analysis.probing.probe import BEST
    from charlm.cli.ui.console import stderr, stdout, thousands

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(Text(f"{probe.positive} or {probe.negative}?"))
    table.add_column("accuracy", justify="right")
    table.add_column("95% interval", justify="right")
    rows: dict[str, Accuracy] = {
        f"full probe, {thousands(probe.used)} numbers of the states": probe.full,
        f"the {BEST} best of them": probe.best,
        f"best single unit ({_column(loaded, probe.unit.column)})": probe.unit.accuracy,
        "words alone, without the model": probe.words,
    }
    for name, accuracy in rows.items():
        low, high = accuracy.interval
        table.add_row(name, f"{accuracy.share:.3f}", f"{low:.3f} to {high:.3f}")
    table.add_row("always the more frequent label", f"{probe.majority:.3f}", "")
    stdout().print(table)
    note = stderr()
    note.print(
        f"learnt from {thousands(probe.train)} texts, tested on {thousands(probe.full.total)} others",
        style="dim",
    )
    if not probe.tells:
        note.print(
            "note: too few test texts, or too weak a probe, to tell it from always saying the more frequent label",
            style="yellow",
            soft_wrap=True,
        )
    elif probe.words.share > probe.full.share:
        note.print("the words alone tell more than the states of this model", style="dim")


def _plot(path: Path, probe: "Probe", vectors: "Vectors", test: "Labelled", loaded: "TextModel") -> None:
    """Draw the best unit over the test texts."""
    from charlm.analysis.plots import draw_unit, save_plot
    from charlm.cli.ui.console import stderr

    values = vectors[:, probe.unit.column]
    truth = test.truth(probe.positive)
    name = f"unit {_column(loaded, probe.unit.column)}"
    kinds = {probe.positive: values[truth].tolist(), probe.negative: values[~truth].tolist()}
    save_plot(draw_unit(kinds, threshold=probe.unit.threshold, name=name), path)
    stderr().print(f"picture in {path}", markup=False, soft_wrap=True)
