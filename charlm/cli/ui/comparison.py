"""Texts in pairs, steered one way and the other from the same seeds, as the lecture's last slides show them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from charlm.errors import ConfigError

if TYPE_CHECKING:
    from charlm.sampling import GeneratedText, SampleConfig
    from charlm.text_model import TextModel

_STRENGTH = 2.0  # in the direction's own scale
_WIDEST = 100  # columns of a terminal


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Texts from seeds that follow each other, two from each."""

    seed: int
    """Of the first pair."""
    sides: dict[str, str]
    """Both labels, and how each side is steered."""
    texts: "Iterator[tuple[GeneratedText, ...]]"


def compare(
    loaded: "TextModel",
    prefix: str,
    direction: str,
    *,
    seed: int,
    num: int,
    batch: int,
    config: "SampleConfig",
) -> Pairs:
    """Write pairs of texts.

    Args:
        loaded: what writes.
        prefix: of every text.
        direction: its name, or the name, "=" and a strength.
        seed: of the first pair.
        num: how many pairs.
        batch: how many texts at a time.
        config: of the sampler; what it steers by itself is held, too.
    """
    from charlm.model.unit import names_unit
    from charlm.sampling.config import Steer, parse_steer

    steer = parse_steer(direction, "--compare-steer") if "=" in direction else Steer(direction, _STRENGTH)
    if names_unit(steer.name):
        raise ConfigError(f"--compare-steer is {direction!r}; name a direction, since a unit has no scale to step by")
    facts, strength = loaded.direction(steer.name).facts, abs(steer.value)
    sides = {facts.positive: Steer(steer.name, strength), facts.negative: Steer(steer.name, -strength)}
    texts = [
        loaded.generate_many(prefix, replace(config, steer=(*config.steer, side)), seed=seed, num=num, batch=batch)
        for side in sides.values()
    ]
    shown = {label: f"{side.name}={side.value:+g}" for label, side in sides.items()}
    return Pairs(seed=seed, sides=shown, texts=zip(*texts, strict=True))


def show_pairs(pairs: Pairs, *, json: bool, jsonl: bool) -> None:
    """Print pairs side by side, or as one JSON value, or each as a line."""
    from rich.table import Table
    from rich.text import Text

    from charlm.cli.ui.console import stdout
    from charlm.cli.ui.texts import print_records

    if json or jsonl:
        records = (
            {"seed": seed, "texts": {label: one.text for label, one in zip(pairs.sides, pair, strict=True)}}
            for seed, pair in enumerate(pairs.texts, pairs.seed)
        )
        print_records(records, lines=jsonl)
        return
    table = Table(show_lines=True, header_style="bold", expand=True)
    for label, steer in pairs.sides.items():
        table.add_column(Text(f"{label}  ({steer})"), ratio=1, overflow="fold")
    for pair in pairs.texts:
        table.add_row(*(Text(one.text) for one in pair))
    console = stdout()
    console.print(table, width=min(_WIDEST, console.width))
