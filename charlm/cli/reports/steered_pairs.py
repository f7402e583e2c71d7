"""What `charlm sample --compare-steer` prints: pairs of texts from the same seed, steered in opposite directions."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from charlm.errors import ConfigError

if TYPE_CHECKING:
    from charlm.sampling import GeneratedText, SampleConfig
    from charlm.text_model import TextModel

_STRENGTH = 2.0  # in units of the steering direction's scale
_MAX_WIDTH = 100  # columns


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Pairs of texts; the pairs have consecutive seeds."""

    seed: int
    """Seed of the first pair."""
    sides: dict[str, str]
    """The two labels, each with its --steer value."""
    texts: "Iterator[tuple[GeneratedText, ...]]"


def steered_pairs(
    loaded: "TextModel",
    prefix: str,
    direction: str,
    *,
    seed: int,
    num: int,
    batch: int,
    config: "SampleConfig",
) -> Pairs:
    """Generate pairs of texts.

    Args:
        loaded: the model.
        prefix: prefix of every text.
        direction: name of a steering direction, or NAME=STRENGTH.
        seed: seed of the first pair.
        num: how many pairs.
        batch: how many texts to generate at a time.
        config: sampling settings; their own steering applies to both sides.

    Raises:
        ConfigError: `direction` names a unit, or a steering direction that doesn't exist.
    """
    from charlm.model.unit import names_unit
    from charlm.sampling.config import Steer, parse_steer

    steer = parse_steer(direction, "--compare-steer") if "=" in direction else Steer(direction, _STRENGTH)
    if names_unit(steer.name):
        raise ConfigError(
            f"--compare-steer {direction!r} is a unit; give the name of a steering direction, such as sentiment"
        )
    facts, strength = loaded.direction(steer.name).facts, abs(steer.value)
    sides = {facts.positive: Steer(steer.name, strength), facts.negative: Steer(steer.name, -strength)}
    texts = [
        loaded.generate_many(prefix, replace(config, steer=(*config.steer, side)), seed=seed, num=num, batch=batch)
        for side in sides.values()
    ]
    shown = {label: f"{side.name}={side.value:+g}" for label, side in sides.items()}
    return Pairs(seed=seed, sides=shown, texts=zip(*texts, strict=True))


def show_pairs(pairs: Pairs, form: Literal["json", "jsonl"] | None) -> None:
    """Print pairs as a table with one column per side, or as records in some form."""
    from rich.table import Table
    from rich.text import Text

    from charlm.cli.ui.console import stdout
    from charlm.cli.ui.records import print_records
    from charlm.cli.ui.visible import for_stdout

    if form is not None:
        records = (
            {"seed": seed, "texts": {label: one.text for label, one in zip(pairs.sides, pair, strict=True)}}
            for seed, pair in enumerate(pairs.texts, pairs.seed)
        )
        print_records(records, form)
        return
    table = Table(show_lines=True, header_style="bold", expand=True)
    for label, steer in pairs.sides.items():
        table.add_column(Text(for_stdout(f"{label}  ({steer})")), ratio=1, overflow="fold")
    for pair in pairs.texts:
        table.add_row(*(Text(for_stdout(one.text)) for one in pair))
    console = stdout()
    console.print(table, width=min(_MAX_WIDTH, console.width))
