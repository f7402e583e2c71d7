"""The settings of sampling as typed values, and how each is parsed from the text of an option.

Settings are parsed only here. All other code works with a `Temperature`, a `Bias` or a `Steer`.
"""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, get_args

from charlm.config import Unknown, check_choice, check_range
from charlm.config.names import check_names, names_checked
from charlm.errors import ConfigError

LONGEST = 1_000_000
"""Maximum number of characters of a text with `until_eos`."""
USUAL_LENGTH = 500
"""Number of characters near which a text ends if no length is set."""
_SHORTEST_USUAL, _LONGEST_USUAL = 400, 600
_LARGEST_STEER = 1e6
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


def takes_likeliest(config: "SampleConfig") -> bool:
    """Whether a text begins with its most likely token, so that nothing may be drawn before it."""
    return temperature_at(config.temperature, 0, 0.0) == 0


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


@dataclass(frozen=True, slots=True)
class Bias:
    """Nats that are added to the logit of the token with this text."""

    text: str
    nats: float

    def __post_init__(self) -> None:
        check_range(f"--bias of {self.text!r}", self.nats, -1000, 1000)


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


@dataclass(frozen=True, slots=True)
class Steer:
    """A part of the state that is fixed while text is written: a direction at a strength, or a unit at a value."""

    name: str
    """The name of a direction, or of a unit such as 0:12 or 0:12:c."""
    value: float

    def __post_init__(self) -> None:
        check_range(f"--steer of {self.name}", abs(self.value), 0, _LARGEST_STEER)


def parse_syllables(text: str) -> tuple[int, ...]:
    """Parse syllables such as "5/7/5"; raises `ConfigError` for any other form."""
    parts = text.split("/")
    if not all(part.strip().isdecimal() for part in parts):
        raise ConfigError(f"--syllables is {text!r}; give a number for each line, such as 5/7/5, or one for all")
    return tuple(int(part) for part in parts)


def read_words(path: str) -> tuple[str, ...]:
    """The words of a file, one per line; raises `ConfigError` if it has none or can't be read."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"--words {path} can't be read: {reason}; give a file of one word per line") from None
    words = tuple(word for line in text.splitlines() if (word := line.strip()))
    if not words:
        raise ConfigError(f"--words {path} has no words; give a file of one word per line")
    return words


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


@names_checked
@dataclass(frozen=True, kw_only=True, slots=True)
class SampleConfig:
    """The settings of sampling.

    The controls act in this order: bias, ban, repetition penalty, temperature, top-k, top-p, min-p, typical, and
    no-copy, which draws again.
    """

    temperature: Temperature = DEFAULT_TEMPERATURE
    """Softmax temperature; 0 always chooses the likeliest token."""
    top_k: int = 0
    """Keep the k likeliest tokens; 0 keeps all."""
    top_p: float = 1.0
    """Keep the fewest, likeliest tokens whose probabilities add up to this; 1 keeps all."""
    min_p: float = 0.0
    """Keep tokens whose probability is at least this fraction of the highest; 0 keeps all."""
    typical: float = 1.0
    """Keep the smallest set of tokens whose surprise is closest to the entropy and whose probabilities add up to this;
    1 keeps all."""
    repetition_penalty: float = 1.0
    """Values above 1 make the last 64 tokens less likely: p becomes p^penalty; 1 turns it off."""
    bias: tuple[Bias, ...] = ()
    """Nats added to the logits of single tokens."""
    ban: tuple[str, ...] = ()
    """Texts that are never written, however they are split into tokens."""
    stop: tuple[str, ...] = ()
    """Texts before which the text ends."""
    length: int | None = None
    """Maximum number of characters after the prefix. Without one, the text ends with a sentence after about 500
    characters, or with a line or word if it has no sentences."""
    until_eos: bool = False
    """Write until the model ends the document, up to a million characters; `length` is ignored."""
    min_length: int = 0
    """Until this many characters the model can't end the document, and stop texts are ignored."""
    prefix_in_output: bool = True
    """Whether the text includes the prefix."""
    steer: tuple[Steer, ...] = ()
    """Directions or units of the state that are fixed."""
    label: str | tuple[str, ...] = ()
    """Labels of the text, such as "stars=5", or a mixture such as "author=Austen:0.5,Melville:0.5"."""
    no_copy: int = 0
    """Maximum length of a passage copied from the training text, in characters, prefix included; 0 for no limit."""
    unknown: Unknown = "error"
    """How to treat characters of the prefix that are not in the vocabulary."""
    pattern: str | None = None
    """A regular expression that the text after the prefix matches from first to last; needs outlines-core."""
    json_schema: str | None = None
    """A JSON schema, itself as JSON, that the text after the prefix satisfies; needs outlines-core."""
    words: tuple[str, ...] = ()
    """The only words of the text after the prefix; () allows all."""
    must_contain: tuple[str, ...] = ()
    """Texts that the text after the prefix contains."""
    acrostic: str = ""
    """The first letters of the lines of the text after the prefix."""
    lines: int | None = None
    """The number of lines of the text after the prefix, without blank lines."""
    syllables: tuple[int, ...] = ()
    """The number of syllables of each line, repeated for further lines of `rhyme` or `lines`. English;
    the first use downloads a pronouncing dictionary."""
    rhyme: str = ""
    """A letter for each line, the same for lines that rhyme, such as "ABAB". English; needs `syllables`."""

    def __post_init__(self) -> None:
        if isinstance(self.temperature, int | float):
            check_range("--temperature", self.temperature, 0, math.inf)
        check_range("--top-k", self.top_k, 0, math.inf)
        check_range("--top-p", self.top_p, 0, 1, exclusive_low=True)
        check_range("--min-p", self.min_p, 0, 1)
        check_range("--typical", self.typical, 0, 1, exclusive_low=True)
        check_range("--repetition-penalty", self.repetition_penalty, 0, 100, exclusive_low=True)
        if self.length is not None:
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
                "--ban contains U+FFFD, which stands for undecodable bytes and can't be banned; leave it out"
            )
        if self.min_length > self.max_length:
            raise ConfigError(f"--min-length is {self.min_length}; it must be at most the length, {self.max_length}")
        if "" in self.must_contain:
            raise ConfigError("--must-contain is empty; give the text that must be written")
        if self.lines is not None:
            check_range("--lines", self.lines, 1, 10_000)
        for number in self.syllables:
            check_range("--syllables", number, 1, 30)
        if self.rhyme and not (self.rhyme.isascii() and self.rhyme.isalpha()):
            raise ConfigError(f"--rhyme is {self.rhyme!r}; give a letter for each line, such as ABAB or AABB")
        if self.rhyme and not self.syllables:
            raise ConfigError(f"--rhyme {self.rhyme} needs --syllables, such as --syllables 8 for lines of 8 each")
        if self.rhyme and self.lines not in (None, len(self.rhyme)):
            raise ConfigError(
                f"--rhyme {self.rhyme} has {len(self.rhyme)} lines, but --lines is {self.lines}; leave out --lines"
            )
        if len(self.line_syllables) > 100:
            raise ConfigError(f"--syllables has {len(self.line_syllables)} lines; it may have 100")
        if self.acrostic and not self.acrostic.strip():
            raise ConfigError("--acrostic has no letters; give the first letters of the lines")
        if self.until_eos and isinstance(self.temperature, Ramp):
            raise ConfigError("a --temperature ramp runs over --length; give --length instead of --until-eos")

    @property
    def is_constrained(self) -> bool:
        """Whether the text must satisfy a constraint."""
        return bool(self.constraints)

    @property
    def constraints(self) -> tuple[str, ...]:
        """The options that constrain the text."""
        values = {
            "--pattern": self.pattern is not None,
            "--json-schema": self.json_schema is not None,
            "--words": self.words,
            "--must-contain": self.must_contain,
            "--acrostic": self.acrostic,
            "--lines": self.lines is not None,
            "--syllables": self.syllables,
        }
        return tuple(name for name, value in values.items() if value)

    @property
    def line_syllables(self) -> tuple[int, ...]:
        """The syllables of each line; () if they are free."""
        if not self.syllables:
            return ()
        number = len(self.rhyme) or self.lines or len(self.syllables)
        return tuple(self.syllables[line % len(self.syllables)] for line in range(number))

    @property
    def max_length(self) -> int:
        """Maximum number of characters after the prefix."""
        if self.until_eos:
            return LONGEST
        return max(_LONGEST_USUAL, self.min_length + 100) if self.length is None else self.length

    @property
    def may_end_with_unit(self) -> int | None:
        """From this many characters on the text ends where a sentence ends; None if only other things end it."""
        if self.until_eos or self.length is not None:
            return None
        return max(_SHORTEST_USUAL, self.min_length)


class SampleSettings(TypedDict, total=False):
    """Fields of `SampleConfig`."""

    temperature: Temperature
    top_k: int
    top_p: float
    min_p: float
    typical: float
    repetition_penalty: float
    bias: tuple[Bias, ...]
    ban: tuple[str, ...]
    stop: tuple[str, ...]
    length: int | None
    until_eos: bool
    min_length: int
    prefix_in_output: bool
    steer: tuple[Steer, ...]
    label: str | tuple[str, ...]
    no_copy: int
    unknown: Unknown
    pattern: str | None
    json_schema: str | None
    words: tuple[str, ...]
    must_contain: tuple[str, ...]
    acrostic: str
    lines: int | None
    syllables: tuple[int, ...]
    rhyme: str


def sample_config(config: SampleConfig | None, settings: SampleSettings) -> SampleConfig:
    """The configuration with other settings; raises `ConfigError` for one that doesn't exist."""
    if config is not None and not isinstance(config, SampleConfig):
        raise ConfigError(
            f"config is {type(config).__name__}, not SampleConfig; settings can also be named, as in temperature=0.7"
        )
    check_names("SampleConfig", settings, SampleSettings.__annotations__)
    return replace(config or SampleConfig(), **settings)
