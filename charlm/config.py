"""Every setting and its range, as frozen dataclasses that convert to and from JSON.

Every class checks its values when it is created and raises `ConfigError`, which names the value, what is allowed and
what to do. An unknown key in a file is an error.
"""

import math
import reprlib
import sys
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from types import NoneType, UnionType
from typing import Any, Literal, Self, TypedDict, TypeGuard, get_args, get_origin

from charlm.errors import ConfigError

DocumentKind = Literal["file", "line", "paragraph", "separator"]
TokenizerKind = Literal["char", "byte", "subword"]
SubwordAlgorithm = Literal["unigram", "bpe"]
RecurrentInit = Literal["auto", "orthogonal", "identity", "leaky-identity", "xavier", "uniform"]
InputInit = Literal["xavier", "uniform"]
Skip = Literal["none", "residual"]
Unknown = Literal["error", "nearest", "skip", "replace"]
ReadingDirection = Literal["forward", "backward"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Optimizer = Literal["adamw", "muon"]
Precision = Literal["auto", "float32", "bfloat16"]
SplitName = Literal["train", "valid", "test"]

DEFAULT_HIDDEN_SIZE = 256
"""Default for H."""
DEFAULT_CELL = "lstm"
SMALL_VOCABULARY = 512
"""The size up to which a vocabulary counts as small, like letters or bytes; subwords or Chinese have larger ones."""
MAX_CONTEXT_VECTORS = 1 << 14
"""The most n-grams that can have a vector."""
LEAST_ORDER_OF_CONTEXTS = 3
"""The lowest n-gram order with contexts of two tokens."""


def check_range(name: str, value: float, low: float, high: float, *, open_low: bool = False) -> None:
    """Raise `ConfigError` unless low <= value <= high (low < value with `open_low`); NaN is never in range."""
    inside = low < value <= high if open_low else low <= value <= high
    if not inside:
        allowed = f"{'above' if open_low else 'at least'} {_number(low)}" + (
            "" if math.isinf(high) else f" and at most {_number(high)}"
        )
        raise ConfigError(f"{name} is {_number(value)}; it must be {allowed}")


def _number(value: float) -> str:
    """Integers in full, other numbers in short form."""
    return str(value) if isinstance(value, int) else f"{value:g}"


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise `ConfigError` unless `value` is one of `choices`."""
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}; choose one of {', '.join(choices)}")


def check_amounts(config: "JsonConfig") -> None:
    """Raise `ConfigError` for a field with a number that is negative, infinite or NaN."""
    for field in fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise ConfigError(f"{type(config).__name__}: {field.name} is {value}; it must be at least 0 and finite")


def _accepts(annotation: Any, value: object) -> bool:
    """Whether a JSON value fits a field's annotation: int, float, str, bool, None, Literal, tuple or a union.

    An int must fit into 64 bits, and a float may be any int that doesn't overflow.
    """
    if isinstance(annotation, UnionType):
        return any(_accepts(option, value) for option in get_args(annotation))
    if get_origin(annotation) is Literal:
        return value in get_args(annotation)
    if get_origin(annotation) is tuple:
        return isinstance(value, list | tuple) and _accepts_elements(get_args(annotation), value)
    if get_origin(annotation) is dict or issubclass(annotation, JsonConfig):
        return isinstance(value, dict)
    if annotation is float:
        return isinstance(value, float) or (_is_int(value) and abs(value) <= sys.float_info.max)
    if annotation is int:
        return _is_int(value) and -(2**63) <= value < 2**63
    return value is None if annotation in (None, NoneType) else isinstance(value, annotation)


def _accepts_elements(annotations: tuple[Any, ...], values: Sequence[object]) -> bool:
    """`_accepts` for the elements of a tuple, whose annotations all are the same, or one and an ellipsis."""
    fits = annotations[-1] is Ellipsis or len(values) == len(annotations)
    return fits and all(_accepts(annotations[0], value) for value in values)


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _value(annotation: Any, value: Any) -> Any:
    """A JSON value converted to the type of a field's annotation."""
    options = get_args(annotation) or (annotation,)
    if isinstance(value, list):
        return tuple(_value(options[0], element) for element in value)
    if isinstance(value, dict):
        for option in options:
            if isinstance(option, type) and issubclass(option, JsonConfig):
                return option.from_json(value)
    return value


def _shown(value: object) -> str:
    """A value of a file for a message: short, whatever it is."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxlong = shown.maxother = 60
    return shown.repr(value)


class JsonConfig:
    """Base of the frozen dataclasses: conversion to and from checked JSON values."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def check(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The annotation of each field; raises `ConfigError` for unknown keys and wrong types."""
        if not isinstance(values, dict):
            raise ConfigError(f"{cls.__name__} must be an object, not {type(values).__name__}")
        annotations = {field.name: field.type for field in fields(cls)}  # type: ignore[arg-type]
        for key, value in values.items():
            if key not in annotations:
                raise ConfigError(
                    f"{cls.__name__} has no setting {_shown(key)}; its settings are {', '.join(sorted(annotations))}"
                )
            if not _accepts(annotations[key], value):
                raise ConfigError(f"{cls.__name__}: {key} can't be {_shown(value)}")
        return annotations

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_json`; raises `ConfigError` for unknown or missing keys and wrong types."""
        annotations = cls.check(values)
        converted = {key: _value(annotations[key], value) for key, value in values.items()}
        absent = [field for field in fields(cls) if field.name not in values]  # type: ignore[arg-type]
        if missing := [field.name for field in absent if field.default is field.default_factory is MISSING]:
            raise ConfigError(f"{cls.__name__} lacks {', '.join(missing)}; add what is missing")
        return cls(**converted)


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusConfig(JsonConfig):
    """How a text is read, cut into documents and split."""

    documents: DocumentKind = "file"
    """What one document is: a file, a line, a paragraph (blank lines between), or the text between separators."""
    separator: str | None = None
    """The text that separates documents; only with documents "separator"."""
    splits: tuple[float, float, float] = (90.0, 5.0, 5.0)
    """Train, validation and test split, in per cent of the characters; contiguous and in this order."""
    direction: ReadingDirection = "forward"
    """The reading direction: documents are read from left to right or, token by token, from right to left."""
    encoding: str = "utf-8"
    """The text's encoding, by its name in Python."""
    errors: Literal["strict", "replace"] = "strict"
    """How to treat undecodable bytes: stop with an error, or replace them by U+FFFD."""

    def __post_init__(self) -> None:
        check_choice("--documents", self.documents, get_args(DocumentKind))
        check_choice("--direction", self.direction, get_args(ReadingDirection))
        check_choice("--errors", self.errors, ("strict", "replace"))
        if (self.separator is not None) != (self.documents == "separator"):
            raise ConfigError("--separator and --documents separator need each other; give both or neither")
        if self.separator == "":
            raise ConfigError("--separator is empty; give the text that separates documents")
        splits = self.splits
        if len(splits) != 3 or not all(0 <= part <= 100 for part in splits) or abs(sum(splits) - 100) > 1e-9:
            text = "/".join(f"{part:g}" for part in splits)
            raise ConfigError(f"--splits is {text}; give three shares in per cent that add up to 100, such as 90/5/5")
        if splits[0] == 0:
            raise ConfigError("--splits leaves nothing to train on; give a first share above 0, such as 90/5/5")


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerConfig(JsonConfig):
    """How text becomes token ids."""

    kind: TokenizerKind = "char"
    """Unicode characters of the training split, the 256 bytes, or SentencePiece subwords."""
    vocab_size: int = 2000
    """Subwords only: size of the vocabulary, including the 256 bytes and 3 special tokens."""
    algorithm: SubwordAlgorithm = "unigram"
    """Subwords only: the unigram model (Kudo 2018) or byte-pair encoding (Sennrich et al. 2016)."""

    def __post_init__(self) -> None:
        check_choice("--tokenizer", self.kind, get_args(TokenizerKind))
        check_choice("--subword-algorithm", self.algorithm, get_args(SubwordAlgorithm))
        check_range("--vocab-size", self.vocab_size, 300, 1_000_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig(JsonConfig):
    """The shape of a language model, and its initial weights."""

    vocab_size: int
    """V, including special tokens."""
    cell: str = DEFAULT_CELL
    """A name in `charlm.cells.CELLS`."""
    num_layers: int = 1
    """L, number of recurrent layers."""
    hidden_size: int = DEFAULT_HIDDEN_SIZE
    """H, width of each layer's hidden state."""
    embedding_size: int = 32
    """E, width of a token's embedding."""
    dropout: float = 0.1
    """Probability of dropping an output of a recurrent layer in training."""
    weight_dropout: float = 0.0
    """Probability of dropping a recurrent weight for a window in training (Merity, Keskar and Socher 2018, arXiv
    1708.02182)."""
    tie_weights: bool = False
    """Use the embedding also as the weights of the output layer (Press and Wolf 2017); needs E = H."""
    recurrent_init: RecurrentInit = "auto"
    """Initial recurrent weights of each gate; leaky-identity is 0.9 I; auto is that for irnn, otherwise orthogonal."""
    input_init: InputInit = "xavier"
    """Initial input weights of each gate."""
    forget_bias: float = 1.0
    """Initial bias of an LSTM's forget gate (Gers et al. 1999; Jozefowicz et al. 2015)."""
    update_bias: float = 0.0
    """Initial bias of the gate that keeps the state in gru, mut1 to 3 and mingru; a high value keeps it from the start.
    Gates that are 1 for the new state get the negative value."""
    ngram_order: int = 0
    """n of the n-gram model whose log-probabilities, times learnt weights, are added to the logits; 0 for none."""
    context_vectors: int = 0
    """How many of the most frequent n-grams of 2 to 5 tokens have a vector, which is added to the embedding of their
    last token; needs an n-gram model of order 3 or more."""
    skip: Skip = "none"
    """residual adds the input of each layer but the first to its output (He et al. 2016)."""
    skip_steps: int = 4
    """Steps that the skip path of the cell rnn-skip reaches back."""
    bidirectional: bool = False
    """Read from left and right; only for `charlm.model.encoder`, a language model refuses it."""

    def __post_init__(self) -> None:
        check_range("the vocabulary size", self.vocab_size, 2, 4_000_000)
        check_range("--layers", self.num_layers, 1, 64)
        check_range("--hidden", self.hidden_size, 1, 65_536)
        check_range("--embedding", self.embedding_size, 1, 65_536)
        check_range("--dropout", self.dropout, 0, 0.95)
        check_range("--weight-dropout", self.weight_dropout, 0, 0.95)
        check_range("--forget-bias", self.forget_bias, -100, 100)
        check_range("--update-bias", self.update_bias, -100, 100)
        check_range("--ngram-order", self.ngram_order, 0, 12)
        check_range("--context-vectors", self.context_vectors, 0, MAX_CONTEXT_VECTORS)
        if self.context_vectors and self.ngram_order < LEAST_ORDER_OF_CONTEXTS:
            raise ConfigError(
                f"--context-vectors is {self.context_vectors}, but --ngram-order is {self.ngram_order}; they need "
                f"--ngram-order {LEAST_ORDER_OF_CONTEXTS} or more"
            )
        check_range("--skip-steps", self.skip_steps, 2, 1024)
        check_choice("--skip", self.skip, get_args(Skip))
        check_choice("--recurrent-init", self.recurrent_init, get_args(RecurrentInit))
        check_choice("--input-init", self.input_init, get_args(InputInit))
        if self.tie_weights and self.embedding_size != self.hidden_size:
            raise ConfigError(
                f"--tie-weights needs --embedding equal to --hidden, not {self.embedding_size} and {self.hidden_size}"
            )


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
    clip: float = 1.0
    """Largest global gradient norm (Pascanu et al. 2013); 0 turns clipping off."""
    seed: int = 1
    """Seed for the initial weights, the order of the text and dropout."""
    validations: int = 20
    """Number of times that a run scores the validation split."""
    threads: int | None = None
    """CPU threads; None leaves the choice to torch."""
    device: Device = "auto"
    """Where to compute; auto prefers CUDA, then MPS, then the CPU."""
    precision: Precision = "auto"
    """Precision of matrix products in training: bfloat16 rounds factors to 8 bits; auto uses bfloat16 if the CPU
    supports it. Weights, states and scoring stay in single precision."""

    def __post_init__(self) -> None:
        for name, length in (("--minutes", self.minutes), ("--epochs", self.epochs), ("--steps", self.steps)):
            if length is not None:
                check_range(name, length, 0, math.inf, open_low=True)
                if math.isinf(length):
                    raise ConfigError(f"{name} is infinite; give a finite number")
        if self.minutes is None and self.epochs is None and self.steps is None:
            raise ConfigError("a run needs a length: --minutes, --epochs or --steps")
        check_range("--batch-size", self.batch_size, 1, 65_536)
        check_range("--seq-len", self.seq_len, 1, 65_536)
        check_range("--learning-rate", self.learning_rate, 0, 10, open_low=True)
        check_range("--warmup", self.warmup, 0, 1)
        check_range("the final learning rate", self.final_learning_rate, 0, 1)
        check_range("--weight-decay", self.weight_decay, 0, 10)
        check_range("--averaging", self.averaging, 0, 1)
        check_range("--clip", self.clip, 0, math.inf)
        check_range("--seed", self.seed, 0, 2**63 - 1)
        check_range("--validations", self.validations, 1, 10_000)
        if self.threads is not None:
            check_range("--threads", self.threads, 1, 1024)
        check_choice("--optimizer", self.optimizer, get_args(Optimizer))
        check_choice("--device", self.device, get_args(Device))
        check_choice("--precision", self.precision, get_args(Precision))


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig(JsonConfig):
    """The configuration of a run, as saved in its folder."""

    text: tuple[str, ...]
    """Arguments with which `find_sources` finds the text from any working folder."""
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


class CorpusOptions(TypedDict, total=False):
    """Fields of `CorpusConfig`; what isn't given is as the registry says, or the default."""

    documents: DocumentKind
    separator: str | None
    splits: tuple[float, float, float]
    direction: ReadingDirection
    encoding: str
    errors: Literal["strict", "replace"]


class ModelOptions(TypedDict, total=False):
    """Fields of `ModelConfig` except `vocab_size`; missing ones are auto-selected or have the default."""

    cell: str
    num_layers: int
    hidden_size: int
    embedding_size: int
    dropout: float
    weight_dropout: float
    tie_weights: bool
    recurrent_init: RecurrentInit
    input_init: InputInit
    forget_bias: float
    update_bias: float
    ngram_order: int
    context_vectors: int
    skip: Skip
    skip_steps: int


class TrainOptions(TypedDict, total=False):
    """Fields of `TrainConfig`; missing ones are auto-selected or have the default."""

    minutes: float | None
    epochs: float | None
    steps: int | None
    batch_size: int
    seq_len: int
    learning_rate: float
    warmup: float
    final_learning_rate: float
    optimizer: Optimizer
    weight_decay: float
    averaging: float
    clip: float
    seed: int
    validations: int
    threads: int | None
    device: Device
    precision: Precision


def default_vectors(vocab_size: int, hidden_size: int, *, tie_weights: bool | None = None) -> dict[str, Any]:
    """The default `embedding_size` and `tie_weights` for a vocabulary of V tokens.

    A small vocabulary has narrow embeddings. A token of a large one is too rare to learn two vectors, so embedding and
    output layer are tied (docs/notes/experiments.md) unless `tie_weights` is given.
    """
    large = vocab_size > SMALL_VOCABULARY
    tied = large if tie_weights is None else tie_weights
    return {"tie_weights": tied, "embedding_size": hidden_size if tied else 128 if large else 32}
