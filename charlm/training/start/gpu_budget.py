"""What a GPU changes in the automatic settings: more tokens per step, wider networks, and its memory as the limit.

The rules continue those for the CPU (docs/notes/autotune.md) to larger networks. They have not been measured yet.
"""

import torch

from charlm.config import ModelConfig, TrainConfig, with_width
from charlm.model.language_model import LanguageModel
from charlm.training.start.speed import tokens_per_second

_TOKENS_PER_STEP = 16_384  # smaller steps leave most of a GPU idle
_STEPS_PER_PASS = 400  # of a text that is too small for such steps
_WIDTHS = (1024, 2048, 4096)
_READS_PER_SQUARE, _TEXT_PER_SQUARE = 64, 2
"""A width H needs 64 H^2 tokens to read in the run and 2 H^2 tokens of text. A layer has about 8 H^2 weights."""
_BYTES_PER_WEIGHT = 24  # single precision: weight, gradient, two moments, average; half: a copy and its gradient
_VALUES_PER_UNIT = 12  # gates, states and outputs that a layer keeps for each token
_VALUES_PER_LOGIT = 7  # logits, probabilities, their gradients, and three orders of n-grams
_TIMED_SECONDS = 1.0  # for each width
_USABLE = 0.8  # of the memory of a GPU


def tokens_per_step(tokens: int) -> int:
    """Tokens of a step on a GPU, for a training split of `tokens`."""
    return max(1, min(_TOKENS_PER_STEP, tokens // _STEPS_PER_PASS))


def memory_of(device: torch.device) -> int | None:
    """Bytes of memory of a GPU; None for another device."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None


def rows_that_fit(model: ModelConfig, config: TrainConfig, memory: int) -> int:
    """How many sequences of T tokens a step can have in `memory` bytes, by estimate; 0 if the weights alone are too
    large."""
    with torch.device("meta"):
        fixed = _BYTES_PER_WEIGHT * LanguageModel(model).num_parameters()
    logits = min(model.vocab_size, config.softmax_samples or model.vocab_size)
    values = _VALUES_PER_UNIT * model.hidden_size * model.num_layers + _VALUES_PER_LOGIT * logits
    return max(0, int((_USABLE * memory - fixed) / (4 * (values + 3 * model.embedding_size) * config.seq_len)))


def wider(
    narrow: ModelConfig, config: TrainConfig, *, tokens: int, seconds: float, memory: int
) -> tuple[ModelConfig, float] | None:
    """The widest network that fits the memory and the time, and its tokens per second; None to keep `narrow`.

    Args:
        narrow: the network that the rule for the CPU selects.
        config: the settings of training; its batch and window are timed.
        tokens: number of tokens in the training split.
        seconds: time for training.
        memory: bytes of memory of the GPU.
    """
    chosen = None
    for width in _WIDTHS:
        model = with_width(narrow, width)
        fits = rows_that_fit(model, config, memory) >= config.batch_size
        if width <= narrow.hidden_size or tokens < _TEXT_PER_SQUARE * width**2 or not fits:
            break
        speed = tokens_per_second(model, config, config.seq_len, most_seconds=_TIMED_SECONDS)
        if seconds * speed < _READS_PER_SQUARE * width**2:
            break
        chosen = (model, speed)
    return chosen


def out_of_memory(model: ModelConfig, config: TrainConfig, memory: int | None) -> str:
    """The message for a GPU that has run out of its `memory` bytes, with the setting that would fit, by estimate."""
    batch, rows = config.batch_size, None if memory is None else rows_that_fit(model, config, memory)
    if rows == 0:
        setting = f"--hidden {max(1, model.hidden_size // 2)}"
    elif batch == 1:
        setting = f"--seq-len {max(1, config.seq_len // 2)}"
    else:
        smaller = batch // 2 if rows is None else min(batch // 2, rows)
        setting = f"--batch-size {smaller // 8 * 8 if smaller > 8 else smaller}"
    size = "its memory" if memory is None else f"its {memory / 2**30:.3g} GiB of memory"
    return (
        f"the GPU ran out of {size} with --hidden {model.hidden_size}, --batch-size {batch} and --seq-len "
        f"{config.seq_len}; start the run again with {setting}"
    )
