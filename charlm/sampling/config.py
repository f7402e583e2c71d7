"""How text is written: the settings of sampling as typed values, and how each is read from text.

Text is parsed here and nowhere else: everything else works with a `Temperature`, a `Bias` or a `Steer`.
"""

import math
from dataclasses import dataclass
from typing import get_args

from charlm.config import Unknown, check_choice, check_range
from charlm.errors import ConfigError

LONGEST = 1_000_000
"""The most characters of a text with `until_eos`."""
_LARGEST_STEER = 1e6
_TEMPERATURES = "give a number such as 0.7, a ramp such as 0.5..1.2, or a cycle such as 0.5,0.7,1.0"


@dataclass(frozen=True, slots=True)
class Ramp:
    """A temperature that changes evenly over the length of the text."""

    start: float
    end: float

    def __post_init__(self) -> None:
        for value in (self.start, self.end):
            check_range("--temperature", value, 0, math.inf)
            if math.isinf(value):
                raise ConfigError(
                    f"--temperature is {self.start:g}..{self.end:g}; both ends of a ramp must be finite, such as 0.5..1.2"
                )


@dataclass(frozen=True, slots=True)
class Cycle:
    """Temperatures that take turns from token to token."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        for value in self.values:
            check_range("--temperature", value, 0, math.inf)


Temperature = float | Ramp | Cycle
"""The softmax temperature; 0 is the argmax."""


def temperature_at(temperature: Temperature, token: int, progress: float) -> float:
    """The temperature at a place of a text.

    Args:
        temperature: of the whole text.
        token: how many tokens of the text were drawn before; a cycle turns with it.
        progress: from 0 at the first character of the text to 1 at the last that there is room for.
    """
    if isinstance(temperature, Ramp):
        return temperature.start + (temperature.end - temperature.start) * min(1.0, progress)
    if isinstance(temperature, Cycle):
        return temperature.values[token % len(temperature.values)]
    return temperature


def parse_temperature(text: str) -> Temperature:
    """0.7, 0.5..1.2 or 0.5,0.7,1.0 as a temperature; raises `ConfigError` for any other form."""
    is_ramp = ".." in text
    try:
        values = tuple(float(part) for part in text.split(".." if is_ramp else ","))
    except ValueError:
        raise ConfigError(f"--temperature is {text!r}; {_TEMPERATURES}") from None
    if is_ramp:
        if len(values) != 2:
            raise ConfigError(f"--temperature is {text!r}; a ramp has two ends, such as 0.5..1.2")
        return Ramp(*values)
    return values[0] if len(values) == 1 else Cycle(values)


@dataclass(frozen=True, slots=True)
class Bias:
    """Nats that are added to the logit of a text that is one token."""

    text: str
    nats: float

    def __post_init__(self) -> None:
        check_range(f"--bias of {self.text!r}", self.nats, -1000, 1000)


def parse_bias(text: str) -> Bias:
    """ "e=+2" as a bias of 2 nats for "e"; raises `ConfigError` for any other form."""
    written, _, number = text.rpartition("=")
    try:
        nats = float(number)
    except ValueError:
        nats = math.nan
    if not written or math.isnan(nats):
        raise ConfigError(f"--bias is {text!r}; give a text and the nats to add, such as 'e=+2' or 'e=-1.5'")
    return Bias(written, nats)


@dataclass(frozen=True, slots=True)
class Steer:
    """What the state is held at while writing: a direction at a strength, or a unit at a value."""

    name: str
    """Of a direction, or of a unit such as 0:12 or 0:12:c."""
    value: float

    def __post_init__(self) -> None:
        check_range(f"--steer of {self.name}", abs(self.value), 0, _LARGEST_STEER)


def parse_steer(text: str, option: str = "--steer") -> Steer:
    """ "sentiment=+2" as a strength of 2 for "sentiment"; raises `ConfigError`, which names the option, for any other
    form."""
    name, _, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not name or not abs(value) <= _LARGEST_STEER:
        raise ConfigError(
            f"{option} is {text!r}; give a direction and a strength, such as sentiment=+2, or a unit and its value, such "
            "as 0:12=1.5 or 0:12:c=1.5"
        )
    return Steer(name, value)


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleConfig:
    """How text is written. The controls act in this order: bias, ban, repetition penalty, temperature, top-k, top-p,
    min-p, typical, and no-copy, which draws again."""

    temperature: Temperature = 1.0
    """Softmax temperature; 0 always takes the likeliest token."""
    top_k: int = 0
    """Keep the k likeliest tokens; 0 keeps all."""
    top_p: float = 1.0
    """Keep the fewest likeliest tokens whose probabilities add up to this; 1 keeps all."""
    min_p: float = 0.0
    """Keep tokens at least this fraction as likely as the likeliest; 0 keeps all."""
    typical: float = 1.0
    """Keep the fewest tokens with the most expected surprise whose probabilities add up to this; 1 keeps all."""
    repetition_penalty: float = 1.0
    """Raise the probability of each of the last 64 tokens to this power; 1 changes nothing."""
    bias: tuple[Bias, ...] = ()
    """Nats added to the logits of texts that are one token."""
    ban: tuple[str, ...] = ()
    """Texts that are never written, however they are split into tokens."""
    stop: tuple[str, ...] = ()
    """The text ends before any of these texts would be written."""
    length: int = 500
    """The most characters after the prefix."""
    until_eos: bool = False
    """Write until the model ends the document, up to a million characters, instead of `length`."""
    min_length: int = 0
    """Before so many characters the model can't end the document, and stop texts are ignored."""
    prefix_in_output: bool = True
    """Whether the text includes the prefix."""
    steer: tuple[Steer, ...] = ()
    """Directions or units at which the state is held."""
    no_copy: int = 0
    """The most characters in a row that may stand verbatim in the training text, the prefix included; 0 allows any."""
    unknown: Unknown = "error"
    """How to treat characters of the prefix that are not in the vocabulary."""

    def __post_init__(self) -> None:
        if isinstance(self.temperature, int | float):
            check_range("--temperature", self.temperature, 0, math.inf)
        check_range("--top-k", self.top_k, 0, math.inf)
        check_range("--top-p", self.top_p, 0, 1, open_low=True)
        check_range("--min-p", self.min_p, 0, 1)
        check_range("--typical", self.typical, 0, 1, open_low=True)
        check_range("--repetition-penalty", self.repetition_penalty, 0, 100, open_low=True)
        check_range("--length", self.length, 0, 10**12)
        check_range("--min-length", self.min_length, 0, 10**12)
        check_range("--no-copy", self.no_copy, 0, 1_000_000)
        check_choice("--unknown", self.unknown, get_args(Unknown))
        if "" in self.stop:
            raise ConfigError("--stop is empty; give the text to stop at")
        if "" in self.ban:
            raise ConfigError("--ban is empty; give the text that must not be written")
        if any("\ufffd" in text for text in self.ban):
            raise ConfigError(
                "--ban contains U+FFFD, which stands for bytes that are not text and can't be banned; leave it out"
            )
        if self.min_length > self.max_length:
            raise ConfigError(f"--min-length is {self.min_length}; it must be at most the length, {self.max_length}")
        if self.until_eos and isinstance(self.temperature, Ramp):
            raise ConfigError("a --temperature ramp runs over --length; give --length instead of --until-eos")

    @property
    def max_length(self) -> int:
        """The most characters after the prefix."""
        return LONGEST if self.until_eos else self.length
