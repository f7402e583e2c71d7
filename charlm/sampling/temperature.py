"""The softmax temperature: a number, a ramp over the length of the text, or a cycle from token to token."""

import math
from dataclasses import dataclass

from charlm.config import check_range
from charlm.errors import ConfigError

_FORMS = "give a number such as 0.7, a ramp such as 0.5..1.2, or a cycle such as 0.5,0.7,1.0"


@dataclass(frozen=True, slots=True)
class Temperature:
    """A temperature for every place of a text."""

    values: tuple[float, ...]
    """One number; or the two ends of a ramp; or what a cycle goes through."""
    is_ramp: bool = False

    @property
    def constant(self) -> float | None:
        """The temperature, where it is the same all along."""
        return self.values[0] if len(self.values) == 1 else None

    def at(self, token: int, progress: float) -> float:
        """The temperature for a token.

        Args:
            token: how many tokens of the text were drawn before this one; a cycle turns with it.
            progress: how far the text is, from 0 for its first character to 1 for the last that there is room for; a
                ramp goes evenly with it.
        """
        if self.is_ramp:
            low, high = self.values
            return low + (high - low) * min(1.0, progress)
        return self.values[token % len(self.values)]


def parse_temperature(value: float | str) -> Temperature:
    """A temperature from a number or a text: 0.7, 0.5..1.2, or 0.5,0.7,1.0.

    Raises `ConfigError` for a text of another form, a temperature below 0, and a ramp with an infinite end.
    """
    if isinstance(value, int | float):
        check_range("--temperature", value, 0, math.inf)
        return Temperature((float(value),))
    is_ramp = ".." in value
    try:
        values = tuple(float(part) for part in value.split(".." if is_ramp else ","))
    except ValueError:
        raise ConfigError(f"--temperature is {value!r}; {_FORMS}") from None
    for part in values:
        check_range("--temperature", part, 0, math.inf)
    if is_ramp and (len(values) != 2 or math.inf in values):
        raise ConfigError(f"--temperature is {value!r}; a ramp has two finite ends, such as 0.5..1.2")
    return Temperature(values, is_ramp)
