"""The precision of a training loss: float32, or products in bfloat16."""

import torch

from charlm.config import Precision
from charlm.errors import ConfigError
from charlm.model.device import has_bfloat16_cores
from charlm.model.language_model import LanguageModel


def training_precision(model: LanguageModel, precision: Precision) -> torch.autocast:
    """The context in which to compute a training loss; `precision` is that of `TrainConfig`."""
    in_bfloat16 = computes_in_bfloat16(model, precision)
    return torch.autocast(model.output_bias.device.type, torch.bfloat16, enabled=in_bfloat16)


def computes_in_bfloat16(model: LanguageModel, precision: Precision) -> bool:
    """Whether training computes products in bfloat16; raises `ConfigError` for a device that can't."""
    kind = model.output_bias.device.type
    can = kind == "cpu" or (kind == "cuda" and has_bfloat16_cores())
    if precision == "bfloat16" and not can:
        raise ConfigError(
            f"--precision is bfloat16, which the device {kind} doesn't support; leave it out, or add --device cpu"
        )
    return precision == "bfloat16" or (
        precision == "auto" and can and (kind == "cuda" or model.network.has_bfloat16_kernel)
    )
