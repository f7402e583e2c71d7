"""Checks of a setting against its range or its choices; the message names value, range and remedy."""

import math

from charlm.config.names import closest
from charlm.errors import ConfigError


def check_range(name: str, value: float, low: float, high: float, *, exclusive_low: bool = False) -> None:
    """Raise `ConfigError` unless low <= value <= high (low < value with `exclusive_low`); NaN is never in range."""
    inside = low < value <= high if exclusive_low else low <= value <= high
    if not inside:
        allowed = f"{'above' if exclusive_low else 'at least'} {_number(low)}" + (
            "" if math.isinf(high) else f" and at most {_number(high)}"
        )
        raise ConfigError(f"{name} is {_number(value)}; it must be {allowed}")


def _number(value: float) -> str:
    """Integers in full, other numbers in short form."""
    return str(value) if isinstance(value, int) else f"{value:g}"


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise `ConfigError` unless `value` is one of `choices`."""
    if value not in choices:
        nearest = closest(str(value), choices)
        hint = "" if nearest is None else f"; did you mean {nearest}?"
        raise ConfigError(f"{name} is {value!r}; choose one of {', '.join(choices)}{hint}")
