"""Settings of training, and the configuration of a run."""

import math
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, get_args

from charlm.config.checks import check_choice, check_range
from charlm.config.corpus import CorpusConfig, CorpusOptions, TokenizerConfig
from charlm.config.json_config import JsonConfig
from charlm.config.model import ModelConfig, ModelOptions
from charlm.config.names import names_checked
from charlm.errors import ConfigError

Device = Literal["auto", "cpu", "cuda", "mps"]
Optimizer = Literal["adamw", "muon"]
Precision = Literal["auto", "float32", "bfloat16"]

MIN_PRIOR_MEMORY = 10_000_000
"""The least bytes for counting the n-grams of a prior."""


@names_checked
@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig(JsonConfig):
    """How a model is trained. The run ends when it reaches the first of its lengths."""

    minutes: float | None = None
    """Length in minutes of wall-clock time from the start of the command."""
    epochs: float | None = None
    """Length in passes over the training split."""
    steps: int | None = None
    """Length in optimiser steps."""
    batch_size: int = 16
    """B, sequences per step."""
    seq_len: int = 32
    """T, window length of truncated backpropagation through time, in tokens."""
    learning_rate: float = 3e-3
    """Peak learning rate."""
    warmup: float = 0.02
    """Share of the run in which the learning rate rises to its peak."""
    final_learning_rate: float = 0.02
    """Final value of the cosine schedule, as a share of the peak."""
    optimizer: Optimizer = "adamw"
    """AdamW for all weights, or Muon for the matrices of the recurrent layers and AdamW for the rest."""
    weight_decay: float = 0.01
    """Decoupled weight decay (Loshchilov and Hutter 2019), on matrices only; a share of each optimiser's rate."""
    averaging: float = 0.0
    """Share of the steps so far over which weights are averaged for the model that is scored and saved; 0 uses the
    weights of the last step."""
    softmax_samples: int = 0
    """Tokens whose logits a step computes, on average, drawn by how frequent they are (sampled softmax); 0 for all."""
    clip: float = 1.0
    """Largest global gradient norm (Pascanu et al. 2013); 0 turns clipping off."""
    seed: int = 1
    """Seed for the initial weights, the order of the text and dropout."""
    validations: int = 20
    """Number of times that a run scores the validation split."""
    threads: int | None = None
    """CPU threads; None leaves the choice to torch."""
    device: Device = "auto"
    """Where to compute; auto is CUDA or the CPU, whichever trains faster in a second of timing."""
    precision: Precision = "auto"
    """Precision of matrix products in training: bfloat16 rounds factors to 8 bits; auto uses bfloat16 if the CPU or GPU
    supports it. cuDNN's layers then use float16, with 11 bits. Weights, states and scoring stay in single precision."""
    prior_memory: int | None = None
    """Bytes of memory for counting the n-grams of the prior; None is 2 GB. See `charlm.model.additions.ngram_prior`."""

    def __post_init__(self) -> None:
        for name, length in (("--minutes", self.minutes), ("--epochs", self.epochs), ("--steps", self.steps)):
            if length is not None:
                check_range(name, length, 0, math.inf, exclusive_low=True)
                if math.isinf(length):
                    raise ConfigError(f"{name} is infinite; give a finite number")
        if self.minutes is None and self.epochs is None and self.steps is None:
            raise ConfigError("a run needs a length: --minutes, --epochs or --steps")
        check_range("--batch-size", self.batch_size, 1, 65_536)
        check_range("--seq-len", self.seq_len, 1, 65_536)
        check_range("--learning-rate", self.learning_rate, 0, 10, exclusive_low=True)
        check_range("the warmup", self.warmup, 0, 1)
        check_range("the final learning rate", self.final_learning_rate, 0, 1)
        check_range("--weight-decay", self.weight_decay, 0, 10)
        check_range("--averaging", self.averaging, 0, 1)
        check_range("--softmax-samples", self.softmax_samples, 0, 4_000_000)
        check_range("--clip", self.clip, 0, math.inf)
        check_range("--seed", self.seed, 0, 2**63 - 1)
        check_range("--validations", self.validations, 1, 10_000)
        if self.threads is not None:
            check_range("--threads", self.threads, 1, 1024)
        check_choice("--optimizer", self.optimizer, get_args(Optimizer))
        check_choice("--device", self.device, get_args(Device))
        check_choice("--precision", self.precision, get_args(Precision))
        if self.prior_memory is not None:
            check_range("--prior-memory (in bytes)", self.prior_memory, MIN_PRIOR_MEMORY, 1 << 50)


class _TrainSettings(TypedDict, total=False):
    """Fields of `TrainConfig` without the length of the run."""

    batch_size: int
    seq_len: int
    learning_rate: float
    warmup: float
    final_learning_rate: float
    optimizer: Optimizer
    weight_decay: float
    averaging: float
    softmax_samples: int
    clip: float
    seed: int
    validations: int
    threads: int | None
    device: Device
    precision: Precision
    prior_memory: int | None


class TrainOptions(_TrainSettings, total=False):
    """Fields of `TrainConfig`; missing ones are auto-selected or have the default."""

    minutes: float | None
    epochs: float | None
    steps: int | None


class RunSettings(CorpusOptions, ModelOptions, _TrainSettings, total=False):
    """What `CorpusOptions`, `ModelOptions` and `TrainOptions` hold, without the length of the run."""


@names_checked
@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig(JsonConfig):
    """The configuration of a run, as saved in its folder."""

    text: tuple[str, ...]
    """Arguments with which `find_sources` finds the text from any working folder."""
    valid: tuple[str, ...] | None = None
    """The same for the validation split, if it is a text of its own."""
    test: tuple[str, ...] | None = None
    """The same for the test split."""
    corpus: CorpusConfig
    tokenizer: TokenizerConfig | None
    """None when `init_from` provides the tokenizer."""
    model: dict[str, Any]
    """The fields of `ModelConfig` that were set."""
    training: TrainConfig
    init_from: str | None
    """The model that training starts from."""

    def __post_init__(self) -> None:
        ModelConfig.check(self.model)
