"""`charlm sample`: texts written by a model."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, product
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charlm.cli.options import constraints
from charlm.cli.options import sample as options
from charlm.cli.options.completion import complete_model
from charlm.cli.options.corpus import LabelOption
from charlm.cli.options.models import load_model
from charlm.cli.options.shared import JsonOption, ModelArgument, given, unescape, use_threads
from charlm.cli.reports.steered_pairs import show_pairs, steered_pairs
from charlm.cli.training.repeated import given_options
from charlm.config import check_range
from charlm.errors import ConfigError
from charlm.files import MODEL_FILE

if TYPE_CHECKING:
    from charlm.cli.reports.sample import Seeded
    from charlm.sampling import GeneratedText, SampleConfig
    from charlm.text_model import TextModel

_ONE_OF = {
    ("--prefix", "--prefix-file"): "--prefix and --prefix-file both set the beginning of the text",
    ("--json", "--jsonl"): "--json prints one value and --jsonl one per line",
    ("--until-eos", "--length"): "--until-eos and --length both set where the text ends",
}
_ALONE = {
    "--interactive": (
        "writes a single text with you",
        ("--num", "--beam", "--no-copy", "--copy-check", "--show-probs", "--json", "--jsonl"),
    ),
    "--compare-steer": (
        "writes pairs of texts",
        ("--interactive", "--beam", "--copy-check", "--show-probs", "--checkpoints", "--unique", "--sort"),
    ),
}
"""What each of these options does, and what it can't be combined with."""


def sample(
    context: typer.Context,  # from which `_config` takes the settings that the body does not name
    model: ModelArgument = None,
    model_option: Annotated[
        str | None, typer.Option("--model", help="Same as MODEL.", show_default=False, autocompletion=complete_model)
    ] = None,
    prefix: options.PrefixOption = "",
    prefix_file: options.PrefixFileOption = None,
    prefix_in_output: options.PrefixInOutputOption = True,
    source: options.SourceOption = None,
    source_file: options.SourceFileOption = None,
    unknown: options.UnknownOption = "error",
    temperature: options.TemperatureOption = "0.8",
    top_k: options.TopKOption = 0,
    top_p: options.TopPOption = 1.0,
    min_p: options.MinPOption = 0.0,
    typical: options.TypicalOption = 1.0,
    repetition_penalty: options.RepetitionPenaltyOption = 1.0,
    bias: options.BiasOption = None,
    ban: options.BanOption = None,
    steer: options.SteerOption = None,
    label: LabelOption = None,
    no_copy: options.NoCopyOption = 0,
    beam: options.BeamOption = None,
    pattern: constraints.PatternOption = None,
    json_schema: constraints.JsonSchemaOption = None,
    words: constraints.WordsOption = None,
    must_contain: constraints.MustContainOption = None,
    acrostic: constraints.AcrosticOption = "",
    lines: constraints.LinesOption = None,
    syllables: constraints.SyllablesOption = None,
    rhyme: constraints.RhymeOption = "",
    length: options.LengthOption = None,
    until_eos: options.UntilEosOption = False,
    min_length: options.MinLengthOption = 0,
    stop: options.StopOption = None,
    num: options.NumOption = 1,
    batch: options.BatchOption = 1,
    unique: options.UniqueOption = False,
    sort: options.SortOption = "seed",
    seed: options.SeedOption = None,
    show_probs: options.ShowProbsOption = False,
    interactive: options.InteractiveOption = False,
    checkpoints: options.CheckpointsOption = False,
    copy_check: options.CopyCheckOption = False,
    copy_length: options.CopyLengthOption = 40,
    compare_steer: options.CompareSteerOption = None,
    adapt: options.AdaptOption = None,
    threads: options.ThreadsOption = 1,
    json: JsonOption = False,
    jsonl: options.JsonLinesOption = False,
) -> None:
    """Write text with a model, with or without a prefix.

    The text is printed as it is written. It ends at --length, before a --stop text, or when the model ends the
    document. Without a prefix, a model of one long document starts at the beginning of a paragraph, sentence or
    line.

    The controls apply in this order: --bias, --ban,
    --repetition-penalty, --temperature, --top-k, --top-p, --min-p, --typical, --no-copy.

    Examples:
      [bold]charlm sample --prefix "I couldn't" --temperature 0.7[/bold]
      [bold]charlm sample runs/names --num 100 --batch 64 --unique[/bold]
      [bold]charlm sample runs/novel --adapt letters.txt[/bold]
      [bold]charlm sample runs/reviews --label stars=5[/bold]
      [bold]charlm sample runs/nouns --source ox --source city --temperature 0[/bold]
      [bold]charlm sample --length 2000 --copy-check[/bold]
      [bold]charlm sample --model reviews --prefix "I couldn't" --steer sentiment=+2[/bold]
      [bold]charlm sample --model reviews --prefix "I couldn't" --compare-steer sentiment --num 3[/bold]
      [bold]charlm sample --must-contain "the purple king" --lines 6[/bold]
      [bold]charlm sample --checkpoints[/bold]                  how the writing improved during training
      [bold]charlm sample --prefix ROMEO: --min-p 0.05 --stop '\\n\\n'[/bold]
    """
    from charlm.cli.reports.sample import arranged, show_checkpoints, show_texts
    from charlm.cli.ui.console import Bars, stderr

    check_range("--num", num, 1, 10**9)
    check_range("--batch", batch, 1, 65_536)
    if seed is not None:
        check_range("--seed", seed, 0, 2**63 - 1 - num)
    if beam is not None:
        check_range("--beam", beam, num, 10_000)
    _check_combinations(context)
    form: Literal["json", "jsonl"] | None = "json" if json else "jsonl" if jsonl else None
    config = _config(context)
    if interactive and config.is_constrained:
        raise ConfigError(f"--interactive can't be combined with {config.constraints[0]}; leave one of them out")
    if model is not None and model_option is not None:
        raise ConfigError(f"--model {model_option} and MODEL {model} both name the model; pass one of them")
    loaded = _load(model if model_option is None else model_option, threads)
    if checkpoints:
        show_checkpoints(loaded, json=form is not None)
        return
    prefix = _read_prefix(prefix, prefix_file)
    sources = _read_sources(source or [], source_file)
    configs = [replace(config, source=one) for one in sources] or [config]
    config = configs[0]
    if len(configs) > 1:
        _refuse(context, "several sources are written one after the other", ("--interactive", "--compare-steer"))
    if adapt is not None:
        loaded = _adapted(loaded, adapt)
    first = int.from_bytes(os.urandom(4), "little") if seed is None else seed
    if interactive:
        _write_together(loaded, prefix, first, config)
        return
    if compare_steer is not None:
        pairs = steered_pairs(loaded, prefix, compare_steer, seed=first, num=num, batch=batch, config=config)
        show_pairs(pairs, form)
        return
    index = loaded.copy_index(copy_length) if copy_check else None
    if config.syllables:
        _fetch_dictionary()
    if beam is not None:
        with Bars(stderr()) as progress:
            found = [
                text for own in configs for text in loaded.beam(prefix, own, width=beam, num=num, progress=progress)
            ]
        texts: Iterable[Seeded] = ((None, text) for text in found)
    elif form is not None or unique or batch > 1 or sort == "score" or index is not None:
        texts = chain.from_iterable(
            enumerate(_generate_many(loaded, prefix, own, seed=first, num=num, batch=batch), first) for own in configs
        )
    else:
        _stream(loaded, prefix, configs, first, num, show_probs=show_probs)
        return
    show_texts(loaded, arranged(texts, unique, sort), index, form=form, show_probs=show_probs)


def _check_combinations(context: typer.Context) -> None:
    """Raise `ConfigError` for options that exclude each other."""
    passed = {option for option, _ in given_options(context, without=())}
    for pair, why in _ONE_OF.items():
        if passed.issuperset(pair):
            raise ConfigError(f"{why}; pass one of them")
    for option, (what, others) in _ALONE.items():
        if option in passed:
            _refuse(context, f"{option} {what}", others)


def _config(context: typer.Context) -> "SampleConfig":
    """The settings that are options of the same name, without a source; raises `ConfigError` for a bad one."""
    from charlm.data.encoding import read_utf8
    from charlm.sampling.config import (
        SampleConfig,
        SampleSettings,
        parse_bias,
        parse_steer,
        parse_syllables,
        parse_temperature,
        read_words,
    )

    def unescaped(option: str) -> Callable[[Sequence[str]], tuple[str, ...]]:
        return lambda texts: tuple(unescape(text, option) for text in texts)

    parsers: dict[str, Callable[[Any], Any]] = {
        "temperature": parse_temperature,
        "bias": lambda texts: tuple(map(parse_bias, unescaped("--bias")(texts))),
        "ban": unescaped("--ban"),
        "stop": unescaped("--stop"),
        "steer": lambda texts: tuple(map(parse_steer, texts)),
        "label": tuple,
        "json_schema": read_utf8,
        "words": read_words,
        "must_contain": unescaped("--must-contain"),
        "syllables": parse_syllables,
    }
    settings = given(context, SampleSettings.__annotations__.keys() - {"source"})
    parsed = {name: parse(settings[name]) for name, parse in parsers.items() if name in settings}
    return SampleConfig(**settings | parsed)


def _stream(
    loaded: "TextModel", prefix: str, configs: "list[SampleConfig]", seed: int, num: int, *, show_probs: bool
) -> None:
    """Print texts as they are written."""
    from charlm.cli.reports.sample import note_if_banned, texts_of
    from charlm.cli.ui.console import Bars, passing_bar, stderr

    texts = texts_of(loaded, show_probs)
    with Bars(stderr()) as bars:
        for config, own_seed in product(configs, range(seed, seed + num)):
            progress = passing_bar(bars)
            chunks = loaded.generate_chunks(prefix, config, seed=own_seed, score=show_probs, progress=progress)
            note_if_banned(texts.stream(chunks), own_seed)


def _generate_many(
    loaded: "TextModel", prefix: str, config: "SampleConfig", *, seed: int, num: int, batch: int
) -> Iterator["GeneratedText"]:
    """Write texts, with a bar while the prefix is read."""
    from charlm.cli.ui.console import Bars, passing_bar, stderr

    with Bars(stderr()) as bars:
        progress = passing_bar(bars)
        yield from loaded.generate_many(prefix, config, seed=seed, num=num, batch=batch, progress=progress)


def _read_sources(sources: list[str], file: str | None) -> list[str]:
    """The sources of the options, and then those of a file; raises `ConfigError` for an empty file or line."""
    if file is None:
        return sources
    from charlm.data.encoding import read_utf8
    from charlm.data.inputs.line_ends import with_lf

    lines = with_lf(read_utf8(file)).rstrip("\n").split("\n")
    if lines == [""]:
        raise ConfigError(f"--source-file {file} has no sources; give a file with one per line")
    if "" in lines:
        raise ConfigError(
            f"--source-file {file}, line {lines.index('') + 1} is empty, and a target needs a source; remove the line"
        )
    return [*sources, *lines]


def _fetch_dictionary() -> None:
    """Download the pronouncing dictionary, with a bar."""
    from charlm.cli.ui.console import Bars, stderr
    from charlm.sampling.constraints.automata.lexicon import english

    with Bars(stderr()) as progress:
        english(progress)


def _refuse(context: typer.Context, why: str, others: Sequence[str]) -> None:
    """Raise `ConfigError` if any of these other options was passed."""
    passed = {option for option, _ in given_options(context, without=())}
    if wrong := [option for option in others if option in passed]:
        raise ConfigError(f"{why} and can't be combined with {' or '.join(wrong)}")


def _load(model: str | None, threads: int) -> "TextModel":
    """Load the model, and set the threads to write with."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(threads))  # numpy's products, read when numpy is imported

    import charlm
    from charlm.cli.ui.console import stderr
    from charlm.storage.runs import PRETRAINED, RUNS, newest_models

    use_threads(threads)
    if model is None and not newest_models():
        stderr().print(f"no run in {RUNS}/; using the bundled model of film reviews")
        return charlm.load(PRETRAINED / "reviews" / MODEL_FILE)
    return load_model(model)


def _write_together(loaded: "TextModel", prefix: str, seed: int, config: "SampleConfig") -> None:
    """Let a person and the model write a text together, and print it."""
    from charlm.cli.ui.console import Bars, stderr
    from charlm.cli.ui.picker import pick, require_terminal
    from charlm.cli.ui.visible import for_stdout

    require_terminal()
    with Bars(stderr()) as progress:
        session = loaded.session(prefix, config, seed=seed, progress=progress)
    try:
        pick(session)
    finally:  # after Ctrl-C too
        text = for_stdout(session.text)
        sys.stdout.write(text if text.endswith("\n") else text + "\n")


def _adapted(loaded: "TextModel", text: str) -> "TextModel":
    """The model after it has learned from a text."""
    from charlm.cli.ui.console import Bars, stderr

    with Bars(stderr()) as progress:
        return loaded.adapt([text], progress=progress)


def _read_prefix(prefix: str, file: str | None) -> str:
    """The prefix, or the text of a file or of standard input without its last line end."""
    if file is None and prefix != "-":
        return prefix
    from charlm.data.encoding import read_utf8

    return read_utf8("-" if file is None else file).removesuffix("\n").removesuffix("\r")
