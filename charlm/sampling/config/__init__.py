"""The settings of sampling as typed values, and how each is parsed from the text of an option.

Settings are parsed only here. All other code works with a `Temperature`, a `Bias` or a `Steer`.
"""

from charlm.sampling.config.options import Bias, Steer, parse_bias, parse_steer, parse_syllables, read_words
from charlm.sampling.config.settings import (
    USUAL_LENGTH,
    SampleConfig,
    SampleSettings,
    sample_config,
    takes_likeliest,
)
from charlm.sampling.config.temperature import Cycle, Ramp, Temperature, parse_temperature, temperature_at

__all__ = [
    "USUAL_LENGTH",
    "Bias",
    "Cycle",
    "Ramp",
    "SampleConfig",
    "SampleSettings",
    "Steer",
    "Temperature",
    "parse_bias",
    "parse_steer",
    "parse_syllables",
    "parse_temperature",
    "read_words",
    "sample_config",
    "takes_likeliest",
    "temperature_at",
]
