"""What `charlm eval` prints: the score of a network in one sentence, bars for the baselines, a table of figures."""

import math
from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from charlm.cli.ui.console import stdout
from charlm.cli.ui.numbers import perplexity_of, thousands
from charlm.evaluation.baselines import Baseline
from charlm.evaluation.copying import Copied
from charlm.evaluation.score import Evaluation
from charlm.nouns import count_of
from charlm.sampling.pairs.targets import ExactMatches
from charlm.text_model.measurement import Measurement

_FEW = 3  # texts that the headline names
_MAX_WIDTH = 100
_MIN_BAR = 10  # columns; in a narrower terminal there are no bars
_OWN, _OTHER = "█", "░"
_NAMES = {"unigram": "the unigram model", "uniform": "the uniform distribution"}


def show_evaluation(measured: Measurement, texts: Sequence[str], *, adaptations: Sequence[str]) -> None:
    """Print the figures of a model on a text, with charts.

    Args:
        measured: the figures.
        texts: the texts as the user named them; none are the model's own text.
        adaptations: how the network adapted while it scored.
    """
    name, result = measured.name, measured.result
    if len(texts) > _FEW:
        name = count_of(len(texts), "text")
    elif name == "-":
        name = "standard input"
    text = f"the {measured.split} split of {name}" if measured.split else name
    bits, console = result.bits_per_character, stdout()
    line = headline(text, result.characters, bits, measured.baselines, adaptations=adaptations)
    console.print(line, style="bold")
    if measured.baselines:
        show_bars(bits, measured.baselines)
    _show_figures(result)
    if measured.matches is not None:
        _show_matches(measured.matches, result)
    if measured.verdict:
        console.print()
    for sentence in measured.verdict:
        console.print(sentence)
    if measured.copying is not None:
        _show_copying(*measured.copying)


def headline(
    text: str, characters: int, bits: float, baselines: Mapping[str, Baseline], *, adaptations: Sequence[str] = ()
) -> str:
    """The result in one sentence.

    Args:
        text: what was scored, such as "the test split of novel.txt".
        characters: length of the text.
        bits: the network's bits per character.
        baselines: the scores of simple predictors on the text; may be empty.
        adaptations: how the network adapted while it scored.
    """
    count = count_of(characters, "character")
    adapting = f" with {' and '.join(adaptations)}" if adaptations else ""
    sentence = f"{bits:.4f} bits per character on {text} ({count}){adapting}"
    if not baselines:
        return sentence
    name, best = min(baselines.items(), key=lambda item: item[1].bits_per_character)
    named = f"the n-gram model of order {best.order}" if best.order is not None else _NAMES.get(name, name)
    return f"{sentence}: {_comparison(bits, best.bits_per_character)} the best baseline, {named}"


def _comparison(bits: float, other: float) -> str:
    """How the bits compare with others, such as "8% fewer than"."""
    if other <= 0:  # gzip and xz may need no byte more
        return "more than"
    ratio = bits / other
    if ratio >= 2:
        return f"{ratio:.3g} times as many as"
    percent = 100 * abs(ratio - 1)
    if percent < 0.05:
        return "as many as"
    shown = f"{percent:.1f}" if percent < 9.95 else f"{percent:.0f}"
    return f"{shown}% {'fewer' if ratio < 1 else 'more'} than"


def show_bars(bits: float, baselines: Mapping[str, Baseline]) -> None:
    """Print the bits per character of the network and of each baseline, the best first, with bars."""
    rows = [("this network", bits, True)]
    for name, baseline in baselines.items():
        label = name if baseline.order is None else f"n-gram, order {baseline.order}"
        rows.append((label, baseline.bits_per_character, False))
    rows.sort(key=lambda row: row[1])
    largest = max((value for _, value, _ in rows if math.isfinite(value)), default=0.0) or 1.0
    console = stdout()
    longest = max(len(label) for label, _, _ in rows)
    digits = max(len(f"{value:.4f}") for _, value, _ in rows)
    room = min(console.width, _MAX_WIDTH) - longest - digits - 4
    console.print()
    console.print("bits per character (lower is better)", style="bold")
    for label, value, is_own in rows:
        line = Text(f"{label:<{longest}}  {value:>{digits}.4f}", style="bold cyan" if is_own else "")
        if room >= _MIN_BAR:
            cells = max(1, round(value / largest * room)) if math.isfinite(value) else room
            line.append(f"  {(_OWN if is_own else _OTHER) * cells}")
        console.print(line, no_wrap=True)


def _show_matches(matches: ExactMatches, result: Evaluation) -> None:
    """How many targets are written exactly."""
    sample = "" if matches.pairs == result.documents else f", a sample of {thousands(result.documents)}"
    console = stdout()
    console.print()
    console.print("all figures are those of the targets, each given its source")
    console.print(
        f"exact matches: {matches.share:.1%} of {count_of(matches.pairs, 'target')}{sample}, with the likeliest token "
        "at each step (--temperature 0)",
        soft_wrap=True,
    )


def _show_figures(result: Evaluation) -> None:
    """A table of all figures."""
    per_word = result.perplexity_per_word
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in (
        ("bits per character", f"{result.bits_per_character:.4f}"),
        ("bits per byte", f"{result.bits_per_byte:.4f}"),
        ("nats per character", f"{result.nats_per_character:.4f}"),
        ("nats per token", f"{result.nats_per_token:.4f}"),
        ("perplexity per token", perplexity_of(result.perplexity, 3)),
        ("perplexity per word", "" if per_word is None else perplexity_of(per_word, 2)),
        *_spelling(result),
        ("nats", f"{result.nats:,.1f}"),
        ("tokens", thousands(result.tokens)),
        ("characters", thousands(result.characters)),
        ("words", "" if result.words is None else thousands(result.words)),
        ("bytes", thousands(result.bytes)),
        ("unknown characters", thousands(result.unknown_characters)),
        ("documents", thousands(result.documents)),
    ):
        table.add_row(name, value)
    console = stdout()
    console.print()
    console.print(table)


def _spelling(result: Evaluation) -> Iterator[tuple[str, str]]:
    """What spelling the words outside a vocabulary of words costs; nothing without such words."""
    if result.spelled_words:
        if result.perplexity_with_unk is not None:
            yield "perplexity per word, as <unk>", perplexity_of(result.perplexity_with_unk, 2)
        share = 100 * result.spelling_nats / result.nats
        yield "words spelled", f"{thousands(result.spelled_words)} ({share:.1f}% of the nats)"


def _show_copying(written: Copied, scored: Copied) -> None:
    """How much generated text is copied from the training text, and how much of the scored text."""

    def describe(copied: Copied) -> str:
        if not copied.passages:
            return "no passage of 40 characters or more"
        return f"{copied.share:.1%}, longest passage {count_of(copied.longest, 'character')}"

    console = stdout()
    console.print()
    console.print("copied from the training text", style="bold")
    console.print(f"{count_of(written.characters, 'generated character')}: {describe(written)}")
    console.print(f"first {count_of(scored.characters, 'character')} of this text: {describe(scored)}")
