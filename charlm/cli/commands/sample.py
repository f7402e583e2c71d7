"""`charlm sample`."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charlm.cli.options import sample as given
from charlm.cli.options.shared import JsonOption, unescape
from charlm.cli.ui.comparison import compare, show_pairs
from charlm.config import check_range
from charlm.errors import ConfigError

if TYPE_CHECKING:
    from charlm.cli.ui.texts import Texts
    from charlm.evaluation.copying import CopyIndex
    from charlm.sampling import GeneratedText
    from charlm.text_model import TextModel

ModelArgument = Annotated[
    str | None, typer.Argument(help="Model file, run folder or name of a run.", show_default="the newest run")
]


def sample(
    model: ModelArgument = None,
    model_option: Annotated[
        str | None, typer.Option("--model", help="Another way to say MODEL.", show_default=False)
    ] = None,
    prefix: given.PrefixOption = "",
    prefix_file: given.PrefixFileOption = None,
    prefix_in_output: given.PrefixInOutputOption = True,
    unknown: given.UnknownOption = "error",
    temperature: given.TemperatureOption = "1.0",
    top_k: given.TopKOption = 0,
    top_p: given.TopPOption = 1.0,
    min_p: given.MinPOption = 0.0,
    typical: given.TypicalOption = 1.0,
    repetition_penalty: given.RepetitionPenaltyOption = 1.0,
    bias: given.BiasOption = None,
    ban: given.BanOption = None,
    steer: given.SteerOption = None,
    no_copy: given.NoCopyOption = 0,
    beam: given.BeamOption = None,
    length: given.LengthOption = None,
    until_eos: given.UntilEosOption = False,
    min_length: given.MinLengthOption = 0,
    stop: given.StopOption = None,
    num: given.NumOption = 1,
    batch: given.BatchOption = 1,
    unique: given.UniqueOption = False,
    sort: given.SortOption = "seed",
    seed: given.SeedOption = None,
    show_probs: given.ShowProbsOption = False,
    interactive: given.InteractiveOption = False,
    checkpoints: given.CheckpointsOption = False,
    copy_check: given.CopyCheckOption = False,
    copy_length: given.CopyLengthOption = 40,
    compare_steer: given.CompareSteerOption = None,
    adapt: given.AdaptOption = None,
    threads: given.ThreadsOption = 1,
    json: JsonOption = False,
    jsonl: given.JsonLinesOption = False,
) -> None:
    """Write text with a model, from a prefix or from nothing.

    The text comes as it is made. It ends where the model ends the document, at --length, or at a --stop text. Controls
    act in the order in which they are listed.

    Examples:
      [bold]charlm sample --prefix "I couldn't" --temperature 0.7[/bold]
      [bold]charlm sample runs/names --num 100 --batch 64 --unique[/bold]
      [bold]charlm sample runs/novel --adapt letters.txt[/bold]
      [bold]charlm sample --length 2000 --copy-check[/bold]
      [bold]charlm sample --model reviews --prefix "I couldn't" --steer sentiment=+2[/bold]
      [bold]charlm sample --model reviews --prefix "I couldn't" --compare-steer sentiment --num 3[/bold]
      [bold]charlm sample --checkpoints[/bold]                  how its writing improved
      [bold]charlm sample --prefix ROMEO: --min-p 0.05 --stop '\\n\\n'[/bold]
    """
    check_range("--num", num, 1, 10**9)
    check_range("--batch", batch, 1, 65_536)
    check_range("--threads", threads, 1, 1024)
    if seed is not None:
        check_range("--seed", seed, 0, 2**63 - 1 - num)
    if beam is not None:
        check_range("--beam", beam, num, 10_000)
    if prefix and prefix_file is not None:
        raise ConfigError("--prefix and --prefix-file both say what the text begins with; give one of them")
    if json and jsonl:
        raise ConfigError("--json prints one value and --jsonl one a line; give one of them")
    searched, sorted_ = beam is not None, sort == "score"
    if interactive:
        _alone(
            "--interactive writes one text with you",
            num=num > 1,
            beam=searched,
            no_copy=no_copy,
            copy_check=copy_check,
            show_probs=show_probs,
            json=json,
            jsonl=jsonl,
        )
    if compare_steer is not None:
        _alone(
            "--compare-steer writes pairs of texts",
            interactive=interactive,
            beam=searched,
            copy_check=copy_check,
            show_probs=show_probs,
            checkpoints=checkpoints,
            unique=unique,
            sort=sorted_,
        )
    if until_eos and length is not None:
        raise ConfigError("--until-eos writes until the model ends the text and --length says where; give one of them")
    settings: dict[str, Any] = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "typical": typical,
        "repetition_penalty": repetition_penalty,
        "bias": tuple(unescape(text, "--bias") for text in bias or ()),
        "ban": tuple(unescape(text, "--ban") for text in ban or ()),
        "stop": tuple(unescape(text, "--stop") for text in stop or ()),
        "length": 500 if length is None else length,
        "until_eos": until_eos,
        "min_length": min_length,
        "prefix_in_output": prefix_in_output,
        "unknown": unknown,
        "no_copy": no_copy,
        "steer": tuple(steer or ()),
    }
    if model is not None and model_option is not None:
        raise ConfigError(f"--model {model_option} and MODEL {model} both say which model writes; give one of them")
    loaded = _load(model if model_option is None else model_option, threads)
    if checkpoints:
        _replay(loaded, json=json or jsonl)
        return
    prefix = _read_prefix(prefix, prefix_file)
    if adapt is not None:
        loaded = _adapted(loaded, adapt)
    first = int.from_bytes(os.urandom(4), "little") if seed is None else seed
    if interactive:
        _write_together(loaded, prefix, first, settings)
        return
    if compare_steer is not None:
        pairs = compare(loaded, prefix, compare_steer, seed=first, num=num, batch=batch, settings=settings)
        show_pairs(pairs, json=json, jsonl=jsonl)
        return
    index = loaded.copy_index(copy_length) if copy_check else None
    if beam is not None:
        found: Iterable[Seeded] = ((None, text) for text in loaded.beam(prefix, width=beam, num=num, **settings))
    elif json or jsonl or unique or batch > 1 or sort == "score" or index is not None:
        found = enumerate(loaded.write(prefix, seed=first, num=num, batch=batch, **settings), first)
    else:
        texts = _texts(loaded, show_probs)
        for number in range(num):
            pieces = loaded.pieces(prefix, seed=first + number, score=show_probs, **settings)
            _note(texts.stream(pieces), first + number)
        return
    _show(loaded, _arranged(found, unique, sort), index, json=json, jsonl=jsonl, show_probs=show_probs)


def _alone(why: str, **others: object) -> None:
    """Raise `ConfigError` if any of the other options, named as their parameters, was given."""
    options = [f"--{name.replace('_', '-')}" for name, value in others.items() if value]
    if options:
        verb = "doesn't" if len(options) == 1 else "don't"
        raise ConfigError(f"{why}; {' and '.join(options)} {verb} go with it")


Seeded = tuple[int | None, "GeneratedText"]
"""A text and the seed that it came from; a search has none."""


def _load(model: str | None, threads: int) -> "TextModel":
    """The model, and the threads to write with."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(threads))  # numpy's products, read when numpy is imported

    import torch

    import charlm
    from charlm.cli.ui.console import stderr
    from charlm.storage.runs import MODEL, PRETRAINED, RUNS, newest_models

    torch.set_num_threads(threads)
    if model is None and not newest_models():
        stderr().print(f"no run in {RUNS}/ here; the model of reviews that comes with charlm writes")
        return charlm.load(PRETRAINED / "reviews" / MODEL)
    loaded = charlm.load(model)
    if model is None:
        stderr().print(f"using {loaded.path}", markup=False, soft_wrap=True)
    return loaded


def _replay(loaded: "TextModel", *, json: bool) -> None:
    """Show what a run wrote while it learnt."""
    from charlm.analysis.runs.curves import read_samples
    from charlm.cli.ui.console import print_json, stdout, thousands
    from charlm.storage.runs import RunFolder

    found = read_samples(RunFolder(loaded.path.parent))
    if json:
        print_json([one.to_json() for one in found])
        return
    console = stdout()
    for one in found:
        score = "" if one.nats_per_token is None else f", validation {one.nats_per_token:.4f} nats per token"
        console.print(f"step {thousands(one.step)}{score}", style="bold")
        print(one.text.rstrip("\n"), end="\n\n")


def _write_together(loaded: "TextModel", prefix: str, seed: int, settings: dict[str, Any]) -> None:
    """Let a person and the model write a text, and print it."""
    from charlm.cli.ui.picker import pick

    text = pick(loaded.session(prefix, seed=seed, **settings))
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def _adapted(loaded: "TextModel", text: str) -> "TextModel":
    """The model after it has learnt from a text."""
    from charlm.cli.ui.console import Bars, stderr

    with Bars(stderr()) as progress:
        return loaded.adapted([text], progress=progress)


def _read_prefix(prefix: str, file: str | None) -> str:
    """The prefix that was given, or the text of a file or of standard input, its last line end left out."""
    if file is None and prefix != "-":
        return prefix
    name = "standard input" if file is None else file
    try:
        data = sys.stdin.buffer.read() if file is None else Path(file).read_bytes()
        return data.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ConfigError(f"--prefix-file {name} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the prefix in {name} is no UTF-8: byte 0x{data[error.start]:02x} at byte offset {error.start}; "
            "save it as UTF-8"
        ) from None


def _arranged(texts: Iterable[Seeded], unique: bool, sort: Literal["seed", "score"]) -> Iterator[Seeded]:
    """The texts in their order, those left out that were there before."""
    from charlm.cli.ui.console import stderr

    seen: set[str] = set()
    again = 0
    for seed, text in texts if sort == "seed" else sorted(texts, key=lambda pair: pair[1].bits_per_character):
        if unique and text.text in seen:
            again += 1
            continue
        seen.add(text.text)
        yield seed, text
    if again:
        stderr().print(f"note: {again} texts had been written before and are left out", style="yellow")


def _texts(loaded: "TextModel", show_probs: bool) -> "Texts":
    from charlm.cli.ui.texts import Texts

    return Texts(one_line=loaded.corpus_config.documents == "line", show_probs=show_probs)


def _show(
    loaded: "TextModel",
    found: Iterable[Seeded],
    index: "CopyIndex | None",
    *,
    json: bool,
    jsonl: bool,
    show_probs: bool,
) -> None:
    """Print whole texts, with what `index` finds to be copied."""
    from charlm.cli.ui.texts import print_records, record, tell_copied
    from charlm.evaluation.copying import Copied, find_copies

    def copied_of(text: str) -> Copied | None:
        return None if index is None else find_copies(text, index)

    def noted() -> Iterator[Seeded]:
        for seed, text in found:
            _note(text, seed)
            yield seed, text

    if json or jsonl:
        records = (record(text, seed, show_probs=show_probs, copied=copied_of(text.text)) for seed, text in noted())
        print_records(records, lines=jsonl)
        return
    texts = _texts(loaded, show_probs)
    copies = []
    for _, text in noted():
        copied = copied_of(text.text)
        texts.show(text, copied)
        if copied is not None:
            copies.append((text.text, copied))
    if index is not None:
        tell_copied(copies, index.least)


def _note(text: "GeneratedText", seed: int | None) -> None:
    """Say so when a text could not go on."""
    from charlm.cli.ui.console import stderr

    if text.ended == "banned":
        which = "a text" if seed is None else f"the text of seed {seed}"
        stderr().print(
            f"note: {which} ended where every token is banned; ban less, or allow it to end before --min-length",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
