"""What can be set, with ranges: frozen dataclasses that go to JSON and back.

Every class checks itself when it is made and raises `ConfigError` naming the value, what is allowed and the remedy.
A key in a file that no field has is an error, never ignored.
"""

import math
from dataclasses import asdict, dataclass, fields
from types import NoneType, UnionType
from typing import Any, Literal, Self, TypedDict, get_args, get_origin

from charlm.errors import ConfigError

DocumentKind = Literal["file", "line", "paragraph", "separator"]
TokenizerKind = Literal["char", "byte", "subword"]
SubwordAlgorithm = Literal["unigram", "bpe"]
RecurrentInit = Literal["auto", "orthogonal", "identity", "leaky-identity", "xavier", "uniform"]
InputInit = Literal["xavier", "uniform"]
Skip = Literal["none", "residual"]
Unknown = Literal["error", "nearest", "skip", "replace"]
Direction = Literal["forward", "backward"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Optimizer = Literal["adamw", "muon"]
Precision = Literal["auto", "float32", "bfloat16"]
SplitName = Literal["train", "valid", "test"]

DEFAULT_HIDDEN = 256
"""H where nobody says otherwise."""
DEFAULT_CELL = "lstm"
SMALL_VOCABULARY = 512
"""The most tokens of a small vocabulary, as of letters or bytes; a larger one is of subwords, or of Chinese."""
MAX_CONTEXT_VECTORS = 1 << 14
"""The most n-grams that have a vector."""
LEAST_ORDER_OF_CONTEXTS = 3
"""n of an n-gram model that knows contexts of two tokens."""


def check_range(name: str, value: float, low: float, high: float, *, open_low: bool = False) -> None:
    """Raise `ConfigError` unless low <= value <= high (low < value with `open_low`); NaN is never in range."""
    inside = low < value <= high if open_low else low <= value <= high
    if not inside:
        allowed = f"{'above' if open_low else 'at least'} {_number(low)}" + (
            "" if math.isinf(high) else f" and at most {_number(high)}"
        )
        raise ConfigError(f"{name} is {_number(value)}; it must be {allowed}")


def _number(value: float) -> str:
    """Whole numbers in full, others short."""
    return str(value) if isinstance(value, int) else f"{value:g}"


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise `ConfigError` unless `value` is one of `choices`."""
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}; choose one of {', '.join(choices)}")


def _accepts(annotation: Any, value: object) -> bool:
    """Whether a JSON value fits a field's annotation: int, float, str, bool, None, Literal, tuple or a union."""
    if isinstance(annotation, UnionType):
        return any(_accepts(part, value) for part in get_args(annotation))
    if get_origin(annotation) is Literal:
        return value in get_args(annotation)
    if get_origin(annotation) is tuple:
        return isinstance(value, list | tuple) and all(_accepts(get_args(annotation)[0], part) for part in value)
    if get_origin(annotation) is dict or issubclass(annotation, JsonConfig):
        return isinstance(value, dict)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return value is None if annotation in (None, NoneType) else isinstance(value, annotation)


def _value(annotation: Any, value: Any) -> Any:
    """A JSON value as a field of that annotation holds it."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        for part in get_args(annotation) or (annotation,):
            if isinstance(part, type) and issubclass(part, JsonConfig):
                return part.from_json(value)
    return value


class JsonConfig:
    """To and from plain JSON values, checked; a base of frozen dataclasses."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def check(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The annotation of each field; raises `ConfigError` on unknown keys and wrong types."""
        if not isinstance(values, dict):
            raise ConfigError(f"{cls.__name__} must be an object, not {type(values).__name__}")
        known = {field.name: field.type for field in fields(cls)}  # type: ignore[arg-type]
        for key, value in values.items():
            if key not in known:
                raise ConfigError(f"{cls.__name__} has no setting {key!r}; it knows {', '.join(sorted(known))}")
            if not _accepts(known[key], value):
                raise ConfigError(f"{cls.__name__}: {key} can't be {value!r}")
        return known

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Build from `to_json`'s result; raises `ConfigError` on unknown or missing keys and wrong types."""
        known = cls.check(values)
        try:
            return cls(**{key: _value(known[key], value) for key, value in values.items()})
        except TypeError as error:  # a key without default is missing
            raise ConfigError(f"{cls.__name__} can't be made: {error}") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusConfig(JsonConfig):
    """How a text is read, cut into documents and split."""

    documents: DocumentKind = "file"
    """What one document is: a file, a line, a paragraph (blank lines between), or what stands between separators."""
    separator: str | None = None
    """The text between documents; only with documents "separator"."""
    splits: tuple[float, float, float] = (90.0, 5.0, 5.0)
    """Train, validation and test, in per cent of the characters; contiguous, in this order."""
    direction: Direction = "forward"
    """Whether documents are read from left to right or, token by token, from right to left."""
    encoding: str = "utf-8"
    """The text's encoding, any that Python knows."""
    errors: Literal["strict", "replace"] = "strict"
    """What undecodable bytes do: stop with an error, or become U+FFFD."""

    def __post_init__(self) -> None:
        check_choice("--documents", self.documents, get_args(DocumentKind))
        check_choice("--direction", self.direction, get_args(Direction))
        check_choice("--errors", self.errors, ("strict", "replace"))
        if (self.separator is not None) != (self.documents == "separator"):
            raise ConfigError("a separator goes with documents 'separator' and with nothing else")
        if self.separator == "":
            raise ConfigError("--separator is empty; give the text that stands between documents")
        splits = self.splits
        if len(splits) != 3 or not all(0 <= part <= 100 for part in splits) or abs(sum(splits) - 100) > 1e-9:
            text = "/".join(f"{part:g}" for part in splits)
            raise ConfigError(f"--splits is {text}; give three shares in per cent that add up to 100, such as 90/5/5")
        if splits[0] == 0:
            raise ConfigError("--splits leaves nothing to train on; give the first share more than 0, such as 90/5/5")


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerConfig(JsonConfig):
    """How text becomes token ids."""

    kind: TokenizerKind = "char"
    """Unicode characters of the training split, the 256 bytes, or SentencePiece subwords."""
    vocab_size: int = 2000
    """Subwords only: how many pieces, the 256 bytes and 3 special tokens among them."""
    algorithm: SubwordAlgorithm = "unigram"
    """Subwords only: the unigram model (Kudo 2018) or byte-pair encoding (Sennrich et al. 2016)."""

    def __post_init__(self) -> None:
        check_choice("--tokenizer", self.kind, get_args(TokenizerKind))
        check_choice("--subword-algorithm", self.algorithm, get_args(SubwordAlgorithm))
        check_range("--vocab-size", self.vocab_size, 300, 1_000_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig(JsonConfig):
    """The shape of a language model and how its weights begin."""

    vocab_size: int
    """V, special tokens among them."""
    cell: str = DEFAULT_CELL
    """A name in `charlm.cells.CELLS`."""
    num_layers: int = 1
    """L, recurrent layers one upon the other."""
    hidden_size: int = DEFAULT_HIDDEN
    """H, width of the hidden state of each layer."""
    embedding_size: int = 32
    """E, width of a token's vector."""
    dropout: float = 0.1
    """Probability with which an output of a recurrent layer is dropped in training."""
    weight_dropout: float = 0.0
    """Probability with which a weight from state to state is dropped for a window in training (Merity, Keskar and
    Socher 2018, arXiv 1708.02182)."""
    tie_weights: bool = False
    """Use the embedding as the output layer too (Press and Wolf 2017); needs E = H."""
    recurrent_init: RecurrentInit = "auto"
    """Initial recurrent weights, gate by gate; leaky-identity is 0.9 I; auto is that for irnn, else orthogonal."""
    input_init: InputInit = "xavier"
    """Initial input weights, gate by gate."""
    forget_bias: float = 1.0
    """Initial bias of an LSTM's forget gate (Gers et al. 1999; Jozefowicz et al. 2015)."""
    update_bias: float = 0.0
    """Initial bias of the gate that keeps the state in gru, mut1 to 3 and mingru: high remembers from the start. It is
    negated where the equation's gate is 1 for the new."""
    ngram_order: int = 0
    """n of the n-gram model whose log-probabilities, times a learnt gate, are added to the logits; 0 is none."""
    context_vectors: int = 0
    """How many of the most frequent n-grams of 2 to 5 tokens have a vector, which is added to the embedding of the last
    token where they end; needs an n-gram model of order 3 or more."""
    skip: Skip = "none"
    """residual adds to the output of each layer but the first what went into it (He et al. 2016)."""
    skip_steps: int = 4
    """How far back the second path of the cell rnn-skip leads."""
    bidirectional: bool = False
    """Read from both sides; for `charlm.model.encoder` only, a language model refuses it."""

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
                f"--context-vectors is {self.context_vectors}, and they are those of an n-gram model; give "
                f"--ngram-order {LEAST_ORDER_OF_CONTEXTS} or more, not {self.ngram_order}"
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
    """How a model is trained. Of the three lengths, the one reached first ends the run."""

    minutes: float | None = None
    """Wall-clock length, from the start of the command."""
    epochs: float | None = None
    """Length in passes over the training split."""
    steps: int | None = None
    """Length in optimiser steps."""
    batch_size: int = 16
    """B, stretches of text side by side in a step."""
    seq_len: int = 32
    """T, tokens of truncated backpropagation through time."""
    learning_rate: float = 3e-3
    """Peak learning rate."""
    warmup: float = 0.02
    """Share of the run over which the learning rate rises to its peak."""
    final_learning_rate: float = 0.02
    """Where the cosine ends, as a share of the peak."""
    optimizer: Optimizer = "adamw"
    """What changes the weights: AdamW all, or Muon the matrices inside the recurrent layers and AdamW the others."""
    weight_decay: float = 0.01
    """Decoupled weight decay (Loshchilov and Hutter 2019), on matrices only; in shares of each optimiser's own rate."""
    averaging: float = 0.0
    """Share of the steps so far over which weights are averaged for the model that is scored and kept; 0 keeps those of
    the last step."""
    clip: float = 1.0
    """Largest global gradient norm (Pascanu et al. 2013); 0 turns clipping off."""
    seed: int = 1
    """Seed of initial weights, order of the text and dropout."""
    validations: int = 20
    """How many times in a run the validation split is scored."""
    threads: int | None = None
    """CPU threads; None leaves torch's choice."""
    device: Device = "auto"
    """Where to compute; auto takes CUDA, then MPS, then the CPU."""
    precision: Precision = "auto"
    """Of the products in training: bfloat16 rounds them to 8 bits, auto does so where the CPU has instructions for it.
    Weights and states stay in single precision, and so does scoring."""

    def __post_init__(self) -> None:
        for name, length in (("--minutes", self.minutes), ("--epochs", self.epochs), ("--steps", self.steps)):
            if length is not None:
                check_range(name, length, 0, math.inf, open_low=True)
                if math.isinf(length):
                    raise ConfigError(f"{name} is infinite; give a number")
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
    """What was asked of a run, as its folder keeps it."""

    text: tuple[str, ...]
    """Arguments that `find_sources` finds the text by, from wherever it is called."""
    corpus: CorpusConfig
    tokenizer: TokenizerConfig | None
    """None where `init_from` brings one."""
    model: dict[str, Any]
    """Those fields of `ModelConfig` that were given."""
    training: TrainConfig
    init_from: str | None
    """The model to begin with."""

    def __post_init__(self) -> None:
        ModelConfig.check(self.model)


class CorpusOptions(TypedDict, total=False):
    """Fields of `CorpusConfig`; what isn't given is as the registry says, or the default."""

    documents: DocumentKind
    separator: str | None
    splits: tuple[float, float, float]
    direction: Direction
    encoding: str
    errors: Literal["strict", "replace"]


class ModelOptions(TypedDict, total=False):
    """Fields of `ModelConfig` but the size of the vocabulary; what isn't given is auto-selected, or the default."""

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
    """Fields of `TrainConfig`; what isn't given is auto-selected, or the default."""

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
    """`embedding_size` and `tie_weights` that serve a vocabulary of V tokens, where nobody has given a width E.

    Few tokens have narrow vectors of their own. Of many each is seen too seldom to learn two vectors for it, so that
    embedding and output layer are one (docs/experiments.md), unless `tie_weights` says otherwise.
    """
    large = vocab_size > SMALL_VOCABULARY
    tied = large if tie_weights is None else tie_weights
    return {"tie_weights": tied, "embedding_size": hidden_size if tied else 128 if large else 32}
