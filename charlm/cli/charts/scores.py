"""The score of a network and those of the baselines: in one sentence, and as bars."""

import math
from collections.abc import Mapping, Sequence

from rich.text import Text

from charlm.cli.ui.console import stdout
from charlm.evaluation.baselines import Baseline

_MAX_WIDTH = 100
_MIN_BAR = 10  # columns; in a narrower terminal there are no bars
_OWN, _OTHER = "█", "░"
_NAMES = {"unigram": "the unigram model", "uniform": "the uniform distribution"}


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
    count = f"{characters:,} character{'s' * (characters != 1)}"
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
