"""Texts in pairs, steered one way and the other from the same seeds, as the lecture's last slides show them."""

from typing import TYPE_CHECKING, Any

from charlm.errors import ConfigError

if TYPE_CHECKING:
    from charlm.loaded import LoadedModel

_STRENGTH = 2.0  # standard deviations
_WIDEST = 100  # columns of a terminal


def compare(
    loaded: "LoadedModel",
    prefix: str,
    direction: str,
    *,
    seed: int,
    num: int,
    batch: int,
    settings: dict[str, Any],
    json: bool,
) -> None:
    """Write and print the pairs.

    Args:
        loaded: what writes.
        prefix: of every text.
        direction: its name, or the name, "=" and a strength in standard deviations.
        seed: of the first pair.
        num: how many pairs.
        batch: how many texts at a time.
        settings: of the sampler; what they steer by themselves is held, too.
        json: print one JSON value.
    """
    from rich.table import Table
    from rich.text import Text

    from charlm.cli.console import print_json, stdout
    from charlm.sampler.steering import names_unit, parse_steer

    name, strength = parse_steer(direction) if "=" in direction else (direction, _STRENGTH)
    if names_unit(name):
        raise ConfigError(f"--compare-steer is {direction!r}; name a direction, since a unit has no scale to step by")
    facts = loaded.direction(name).facts
    sides = {facts.positive: abs(strength), facts.negative: -abs(strength)}
    steer = settings["steer"]
    texts = {
        label: loaded.write(
            prefix, seed=seed, num=num, batch=batch, **settings | {"steer": (*steer, f"{name}={value}")}
        )
        for label, value in sides.items()
    }
    pairs = zip(*texts.values(), strict=True)
    if json:
        print_json(
            [
                {"seed": seed + number} | {label: one.text for label, one in zip(sides, pair, strict=True)}
                for number, pair in enumerate(pairs)
            ]
        )
        return
    table = Table(show_lines=True, header_style="bold", expand=True)
    for label, value in sides.items():
        table.add_column(f"{label}  ({name}={value:+g})", ratio=1, overflow="fold")
    for pair in pairs:
        table.add_row(*(Text(one.text) for one in pair))
    console = stdout()
    console.print(table, width=min(_WIDEST, console.width))
