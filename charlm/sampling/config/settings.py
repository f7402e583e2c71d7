"""All settings of sampling, each checked when it is created."""

import math
from dataclasses import dataclass, replace
from typing import TypedDict, get_args

from charlm.config import Unknown, check_choice, check_range
from charlm.config.names import check_names, names_checked
from charlm.errors import ConfigError
from charlm.nouns import count_of
from charlm.sampling.config.options import Bias, Steer
from charlm.sampling.config.temperature import DEFAULT_TEMPERATURE, Ramp, Temperature, temperature_at

LONGEST = 1_000_000
"""Maximum number of characters of a text with `until_eos`."""

USUAL_LENGTH = 500
"""Number of characters near which a text ends if no length is set."""

_SHORTEST_USUAL, _LONGEST_USUAL = 400, 600


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
    source: str | None = None
    """The source for which a model of pairs writes the target."""
    no_copy: int = 0
    """Maximum length of a passage copied from the training text, in characters, prefix included; 0 for no limit."""
    unknown: Unknown = "error"
    """How to treat characters of the prefix that are not in the vocabulary."""
    pattern: str | None = None
    """A regular expression that matches the whole text after the prefix; needs outlines-core."""
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
        self._check_texts()
        if self.min_length > self.max_length:
            raise ConfigError(f"--min-length is {self.min_length}; it must be at most the length, {self.max_length}")
        self._check_constraints()
        if self.until_eos and isinstance(self.temperature, Ramp):
            raise ConfigError("a --temperature ramp runs over --length; give --length instead of --until-eos")

    def _check_texts(self) -> None:
        """Raise `ConfigError` for texts that are not UTF-8, and for texts that can't end a text or be banned."""
        for option, texts in (
            ("--stop", self.stop),
            ("--ban", self.ban),
            ("--words", self.words),
            ("--must-contain", self.must_contain),
            ("--acrostic", (self.acrostic,)),
            ("--pattern", (self.pattern or "",)),
            ("--json-schema", (self.json_schema or "",)),
        ):
            if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
                raise ConfigError(f"{option} has bytes that are not UTF-8; give text in UTF-8")
        if "" in self.stop:
            raise ConfigError("--stop is empty; give the text to stop at")
        if "" in self.ban:
            raise ConfigError("--ban is empty; give the text that must not be written")
        if any("\ufffd" in text for text in self.ban):
            raise ConfigError(
                "--ban contains U+FFFD, which stands for undecodable bytes and can't be banned; leave it out"
            )

    def _check_constraints(self) -> None:
        """Raise `ConfigError` for constraints that are empty, out of range or contradict each other."""
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
                f"--rhyme {self.rhyme} has {count_of(len(self.rhyme), 'line')}, but --lines is {self.lines}; leave "
                "out --lines"
            )
        if len(self.line_syllables) > 100:
            raise ConfigError(f"--syllables asks for {count_of(len(self.line_syllables), 'line')}; give at most 100")
        if self.acrostic and not self.acrostic.strip():
            raise ConfigError("--acrostic has no letters; give the first letters of the lines")

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
    source: str | None
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


def takes_likeliest(config: SampleConfig) -> bool:
    """Whether a text begins with its most likely token, so that nothing may be drawn before it."""
    return temperature_at(config.temperature, 0, 0.0) == 0
