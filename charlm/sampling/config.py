"""How text is written: the settings of sampling, with ranges."""

import math
from dataclasses import dataclass
from typing import get_args

from charlm.config import JsonConfig, Unknown, check_choice, check_range
from charlm.errors import ConfigError
from charlm.sampling.steering import parse_steer
from charlm.sampling.temperature import parse_temperature

LONGEST = 1_000_000
"""Most characters of a text that goes on until the model ends it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleConfig(JsonConfig):
    """How text is written. In order act bias, ban, repetition penalty, temperature, top-k, top-p, min-p, typical, and
    no-copy, which draws again."""

    temperature: float | str = 1.0
    """Softmax temperature, 0 being the argmax; or a ramp over the length, "0.5..1.2"; or a cycle, "0.5,0.7,1.0"."""
    top_k: int = 0
    """Keep the k likeliest tokens; 0 keeps all."""
    top_p: float = 1.0
    """Keep the fewest likeliest tokens that together have this probability; 1 keeps all."""
    min_p: float = 0.0
    """Keep the tokens at least this share as likely as the likeliest; 0 keeps all."""
    typical: float = 1.0
    """Keep the fewest tokens nearest to the expected surprise that together have this probability; 1 keeps all."""
    repetition_penalty: float = 1.0
    """Power to which the probability of a token among the last 64 is raised; 1 is none."""
    bias: tuple[str, ...] = ()
    """Nats added to the logit of a text that is one token, each "TEXT=+2" or "TEXT=-1.5"."""
    ban: tuple[str, ...] = ()
    """Texts never to be written, wherever tokens begin and end."""
    stop: tuple[str, ...] = ()
    """End before any of these texts would be written."""
    length: int = 500
    """Most characters to write after the prefix."""
    until_eos: bool = False
    """Write until the model ends the document, a million characters at most, whatever `length` says."""
    min_length: int = 0
    """Characters before which the model can't end the document, and a stop text is passed over."""
    prefix_in_output: bool = True
    """Write the prefix, too."""
    steer: tuple[str, ...] = ()
    """What the state is held at: a direction and a strength, "sentiment=+2", or a unit and its value, "0:12=1.5"."""
    no_copy: int = 0
    """Most characters in a row that may stand verbatim in the training text, the prefix counted; 0 allows any."""
    unknown: Unknown = "error"
    """What a prefix character outside the vocabulary does."""

    def __post_init__(self) -> None:
        temperature = parse_temperature(self.temperature)
        check_range("--top-k", self.top_k, 0, math.inf)
        check_range("--top-p", self.top_p, 0, 1, open_low=True)
        check_range("--min-p", self.min_p, 0, 1)
        check_range("--typical", self.typical, 0, 1, open_low=True)
        check_range("--repetition-penalty", self.repetition_penalty, 0, 100, open_low=True)
        check_range("--length", self.length, 0, 10**12)
        check_range("--min-length", self.min_length, 0, 10**12)
        check_range("--no-copy", self.no_copy, 0, 1_000_000)
        check_choice("--unknown", self.unknown, get_args(Unknown))
        for text in self.steer:
            parse_steer(text)
        for text in self.bias:
            parse_bias(text)
        if "" in self.stop:
            raise ConfigError("--stop is empty; give the text to stop at")
        if "" in self.ban:
            raise ConfigError("--ban is empty; give the text never to be written")
        if any("\ufffd" in text for text in self.ban):
            raise ConfigError(
                "--ban has U+FFFD, which stands for bytes that are no text and can't be banned; leave it out"
            )
        if self.min_length > self.longest:
            raise ConfigError(f"--min-length is {self.min_length}; it must be at most the length, {self.longest}")
        if self.until_eos and temperature.is_ramp:
            raise ConfigError("--temperature as a ramp goes over --length; give that instead of --until-eos")

    @property
    def longest(self) -> int:
        """Most characters to write."""
        return LONGEST if self.until_eos else self.length


def parse_bias(text: str) -> tuple[str, float]:
    """ "e=+2" as ("e", 2.0); raises `ConfigError` for another form and for more than 1000 nats."""
    written, _, number = text.rpartition("=")
    try:
        nats = float(number)
    except ValueError:
        nats = math.nan
    if not written or math.isnan(nats):
        raise ConfigError(f"--bias is {text!r}; give a text and the nats to add, such as 'e=+2' or 'e=-1.5'")
    check_range(f"--bias of {written!r}", nats, -1000, 1000)
    return written, nats
