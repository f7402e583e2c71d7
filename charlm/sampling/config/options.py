"""Settings that are parsed from the text of an option: a bias, a steering setting, syllables and words."""

import math
from dataclasses import dataclass

from charlm.config import check_range
from charlm.data.encoding import read_utf8
from charlm.errors import ConfigError

_LARGEST_STEER = 1e6


@dataclass(frozen=True, slots=True)
class Bias:
    """Nats that are added to the logit of the token with this text."""

    text: str
    nats: float

    def __post_init__(self) -> None:
        check_range(f"--bias of {self.text!r}", self.nats, -1000, 1000)


@dataclass(frozen=True, slots=True)
class Steer:
    """A part of the state that is fixed while text is written: a direction at a strength, or a unit at a value."""

    name: str
    """The name of a direction, or of a unit such as 0:12 or 0:12:c."""
    value: float

    def __post_init__(self) -> None:
        check_range(f"--steer of {self.name}", abs(self.value), 0, _LARGEST_STEER)


def parse_bias(text: str) -> Bias:
    """Parse a bias such as "e=+2", 2 nats for "e". Raises `ConfigError` for any other form."""
    token_text, _, number = text.rpartition("=")
    try:
        nats = float(number)
    except ValueError:
        nats = math.nan
    if not token_text or math.isnan(nats):
        raise ConfigError(f"--bias is {text!r}; give a text and the nats to add, such as 'e=+2' or 'e=-1.5'")
    return Bias(token_text, nats)


def parse_steer(text: str, option: str = "--steer") -> Steer:
    """Parse a steering setting such as "sentiment=+2", a strength of 2 for "sentiment".

    Raises `ConfigError`, which names `option`, for any other form.
    """
    name, _, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not name or not abs(value) <= _LARGEST_STEER:
        raise ConfigError(
            f"{option} is {text!r}; give a direction and a strength, such as sentiment=+2, or a unit and its value, "
            "such as 0:12=1.5 or 0:12:c=1.5"
        )
    return Steer(name, value)


def parse_syllables(text: str) -> tuple[int, ...]:
    """Parse syllables such as "5/7/5"; raises `ConfigError` for any other form."""
    parts = text.split("/")
    if not all(part.strip().isdecimal() and len(part) < 10 for part in parts):
        raise ConfigError(f"--syllables is {text!r}; give a number for each line, such as 5/7/5, or one for all")
    return tuple(int(part) for part in parts)


def read_words(path: str) -> tuple[str, ...]:
    """The words of a file, one per line; raises `CorpusError` if it can't be read, and `ConfigError` if it has none."""
    words = tuple(word for line in read_utf8(path).splitlines() if (word := line.strip()))
    if not words:
        raise ConfigError(f"--words {path} has no words; give a file of one word per line")
    return words
