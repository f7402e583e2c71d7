"""`charlm probe`: a linear probe of labelled texts, and a steering direction."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charlm.cli.options.output import OverwriteOption, output_path
from charlm.cli.options.shared import JsonOption, ModelArgument, ThreadsOption, use_threads
from charlm.errors import ConfigError, ModelFileError

if TYPE_CHECKING:
    from charlm.analysis.probing.classifiers import Vectors
    from charlm.analysis.probing.labelled import Labelled
    from charlm.analysis.probing.probe import Probe
    from charlm.text_model import TextModel

_TEST_SHARE = 0.2

_PositiveOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Texts with the label, one per line.", show_default=False)
]
_NegativeOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Texts without the label, one per line.", show_default=False)
]
_LabelledOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Instead of --positive and --negative: a text, a tab and a label on each line. With more than two labels, "
        "each is probed against the rest.",
        show_default=False,
    ),
]
_TestOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Test texts, in the format of --labelled; nothing is fitted to them.",
        show_default="a random fifth of the texts",
    ),
]
_NameOption = Annotated[
    str | None, typer.Option(help="Name of the steering direction, for --steer.", show_default="the label")
]
_DirectionOption = Annotated[
    Literal["weighted", "unit"],
    typer.Option(
        metavar="NAME",
        help="Steering direction to save: weighted (all units that the output layer reads)"
        " or unit (the single unit that predicts the label best).",
    ),
]
_PlotOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Save histograms of the best unit for both labels: .png, .svg or .pdf; needs the extra "
        "charlm-rnn\\[plots].",
    ),
]


def probe(
    model: ModelArgument = None,
    positive: _PositiveOption = None,
    negative: _NegativeOption = None,
    labelled: _LabelledOption = None,
    test: _TestOption = None,
    name: _NameOption = None,
    direction: _DirectionOption = "weighted",
    plot: _PlotOption = None,
    overwrite: OverwriteOption = False,
    seed: Annotated[int, typer.Option(help="Random seed for drawing the test texts and for cross-validation.")] = 1,
    threads: ThreadsOption = 2,
    json: JsonOption = False,
) -> None:
    """Measure how well a label that the model was not trained on, such as sentiment, can be predicted from its states.

    The probe is a logistic regression on all states. For comparison: the best unit alone, the ten best features, and
    the words alone.

    A steering direction is saved next to the model, for `charlm sample --steer`. Needs the extra charlm-rnn\\[probe].

    Examples:
      [bold]charlm probe --positive good.txt --negative bad.txt --name sentiment[/bold]
      [bold]charlm probe runs/reviews --labelled reviews.tsv --test held-out.tsv[/bold]
    """
    import charlm
    from charlm.analysis.plots import check_plot
    from charlm.analysis.probing.classifiers import require_sklearn
    from charlm.analysis.probing.probe import probe as fit_probe
    from charlm.cli.reports.probe import plot_unit, show_probe, show_steer_hint
    from charlm.cli.ui.console import Bars, print_json, stderr
    from charlm.config import check_range
    from charlm.storage.direction import make_direction_folder
    from charlm.text_model import require_forward

    use_threads(threads)
    check_range("--seed", seed, 0, 2**32 - 1)
    require_sklearn()
    if plot is not None:
        check_plot(plot)
        plot = output_path(plot, "--plot", inputs=(positive, negative, labelled, test), overwrite=overwrite)
    with Bars(stderr()):
        train_texts, test_texts = _split(_read(positive, negative, labelled), test, seed)
    labels = train_texts.names if len(train_texts.names) > 2 else train_texts.names[1:]
    _check_labels(labels, name, plot)
    loaded = charlm.load(model)
    require_forward(loaded, "a probe")
    if model is None:
        stderr().print(f"using {loaded.path}", soft_wrap=True)
    folder = make_direction_folder(loaded.path)
    for label in labels:
        _check_direction_file(folder / f"{name or label}.safetensors", overwrite)
    train_vectors, test_vectors = _vectors(loaded, train_texts), _vectors(loaded, test_texts)
    results = []
    for label in labels:
        with Bars(stderr()) as progress:
            result = fit_probe(
                train_vectors, train_texts, test_vectors, test_texts, positive=label, seed=seed, progress=progress
            )
        path = folder / f"{name or label}.safetensors"
        _save_direction(loaded, train_vectors, train_texts, result, direction, path, seed)
        results.append(result.to_json() | {"direction": str(path)})
        if not json:
            show_probe(loaded, result)
            show_steer_hint(model or str(loaded.path.parent), path)
    if json:
        print_json(results)
    if plot is not None:
        plot_unit(plot, result, test_vectors, test_texts, loaded)


def _read(positive: Path | None, negative: Path | None, labelled: Path | None) -> "Labelled":
    """All labelled texts, except those of --test."""
    from charlm.analysis.probing.labelled import read_labelled, read_pair

    if labelled is not None and positive is None and negative is None:
        return read_labelled(labelled)
    if labelled is None and positive is not None and negative is not None:
        return read_pair(positive, negative)
    raise ConfigError("give --positive and --negative, with one text per line, or --labelled alone")


def _split(texts: "Labelled", test: Path | None, seed: int) -> "tuple[Labelled, Labelled]":
    """The training texts and the test texts."""
    from charlm.analysis.probing.labelled import distinct, read_labelled, require_alike, require_enough, split, without

    texts = distinct(texts)
    require_enough(texts)
    if test is None:
        return split(texts, _TEST_SHARE, seed)
    test_texts = without(distinct(read_labelled(test)), texts)
    require_alike(test_texts, texts)
    return texts, test_texts


def _check_labels(labels: list[str], name: str | None, plot: Path | None) -> None:
    """Raise `ConfigError` for an option that needs two labels, and for a label that can't be a file name."""
    from charlm.storage.direction import check_name

    if name is not None and len(labels) > 1:
        raise ConfigError(
            f"--name works only with two labels; with {len(labels)}, each direction is named after its label"
        )
    if plot is not None and len(labels) > 1:
        raise ConfigError(f"--plot works only with two labels, but there are {len(labels)}; leave out --plot")
    for label in labels:
        check_name(name or label)


def _vectors(loaded: "TextModel", texts: "Labelled") -> "Vectors":
    """A feature vector for each text, (N, D)."""
    from charlm.analysis.probing.features import features, stacked
    from charlm.cli.ui.console import Bars, stderr

    model, tokenizer, count = loaded.model, loaded.tokenizer, len(texts.texts)
    with Bars(stderr()) as progress:
        return stacked(features(model, tokenizer, texts.texts, total=count, progress=progress), count)


def _save_direction(
    loaded: "TextModel",
    vectors: "Vectors",
    labelled: "Labelled",
    probe: "Probe",
    kind: str,
    path: Path,
    seed: int,
) -> None:
    """Find the steering direction and save it."""
    from charlm.analysis.probing.directions import unit_direction, weighted_direction
    from charlm.analysis.probing.features import blocks
    from charlm.cli.ui.console import Bars, stderr
    from charlm.storage.checkpoint import weights_sha256
    from charlm.storage.direction import Direction, DirectionFacts

    model, tokenizer = loaded.model, loaded.tokenizer
    if kind == "unit":
        direction = unit_direction(vectors, labelled.truth(probe.positive), blocks(model))
    else:
        with Bars(stderr()) as progress:
            direction = weighted_direction(model, tokenizer, labelled, probe.positive, seed=seed, progress=progress)
    facts = DirectionFacts(
        name=path.stem,
        kind=direction.kind,
        layer=direction.layer,
        state=direction.state,
        mean=direction.mean,
        scale=direction.scale,
        negative=probe.negative,
        positive=probe.positive,
        model_sha256=weights_sha256(model),
    )
    Direction(facts, direction.vector).save(path)


def _check_direction_file(path: Path, overwrite: bool) -> None:
    """Raise `ConfigError` if a direction would replace another kind of file, unless `overwrite` is set."""
    from charlm.storage.direction import Direction

    if overwrite or not os.path.lexists(path):
        return
    try:
        Direction.load(path)
    except ModelFileError as error:
        raise ConfigError(
            f"{error}; it won't be replaced. Choose another name with --name, or add --overwrite"
        ) from None
