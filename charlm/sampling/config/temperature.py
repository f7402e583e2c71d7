"""The softmax temperature of a text: a number, a ramp or a cycle."""

import math
import re
from dataclasses import dataclass

from charlm.config import check_range
from charlm.errors import ConfigError

_TWO_WHOLE_NUMBERS = re.compile(r"\s*(\d+)\s*,\s*(\d+)\s*")

_TEMPERATURES = "give a number such as 0.7, a ramp such as 0.5..1.2, or a cycle such as 0.5,0.7,1.0"


@dataclass(frozen=True, slots=True)
class Ramp:
    """A temperature that changes linearly over the length of a text."""

    start: float
    end: float

    def __post_init__(self) -> None:
        for value in (self.start, self.end):
            check_range("--temperature", value, 0, math.inf)
            if math.isinf(value):
                raise ConfigError(
                    f"--temperature is {self.start:g}..{self.end:g}; both ends of a ramp must be finite, as in 0.5..1.2"
                )


@dataclass(frozen=True, slots=True)
class Cycle:
    """Temperatures that alternate from token to token."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        for value in self.values:
            check_range("--temperature", value, 0, math.inf)


Temperature = float | Ramp | Cycle
"""The softmax temperature; 0 is the argmax."""

DEFAULT_TEMPERATURE = 0.8


def temperature_at(temperature: Temperature, token: int, progress: float) -> float:
    """The temperature for the next token of a text.

    Args:
        temperature: the temperature of the whole text.
        token: number of tokens drawn so far, which selects the temperature of a cycle.
        progress: the position in the text, 0 at the first character, 1 at the last of its maximum length; selects
            the temperature of a ramp.
    """
    if isinstance(temperature, Ramp):
        return temperature.start + (temperature.end - temperature.start) * min(1.0, progress)
    if isinstance(temperature, Cycle):
        return temperature.values[token % len(temperature.values)]
    return temperature


def parse_temperature(text: str) -> Temperature:
    """Parse a temperature: 0.7, 0.5..1.2 or 0.5,0.7,1.0. Raises `ConfigError` for any other form.

    A comma between two whole numbers, as in 0,7, may be a decimal comma and is refused; in a ramp it can't be anything
    else.
    """
    is_ramp = ".." in text
    if is_ramp:
        text = text.replace(",", ".")
    elif (match := _TWO_WHOLE_NUMBERS.fullmatch(text)) is not None:
        raise ConfigError(
            f"--temperature is {text!r}; for a number write a point, {match[1]}.{match[2]}, and for a cycle of two "
            f"temperatures {match[1]}.0,{match[2]}.0"
        )
    try:
        values = tuple(float(part) for part in text.split(".." if is_ramp else ","))
    except ValueError:
        raise ConfigError(f"--temperature is {text!r}; {_TEMPERATURES}") from None
    if is_ramp:
        if len(values) != 2:
            raise ConfigError(f"--temperature is {text!r}; a ramp has two ends, such as 0.5..1.2")
        return Ramp(*values)
    return values[0] if len(values) == 1 else Cycle(values)
