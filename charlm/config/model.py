"""Settings of the language model: its shape and its initial weights."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypedDict, get_args

from charlm.config.checks import check_choice, check_range
from charlm.config.json_config import JsonConfig
from charlm.config.labels import LabelColumn, check_labels
from charlm.config.names import names_checked, option_of
from charlm.errors import ConfigError
from charlm.nouns import count_of

RecurrentInit = Literal["auto", "orthogonal", "identity", "leaky-identity", "xavier", "uniform"]
InputInit = Literal["xavier", "uniform"]
Skip = Literal["none", "residual"]
NetworkKind = Literal["recurrent", "transformer", "convolution"]

DEFAULT_HIDDEN_SIZE = 256
"""Default for H."""
DEFAULT_CELL = "lstm"
DEFAULT_NETWORK: NetworkKind = "recurrent"
DEFAULT_HEADS = 4
DEFAULT_ATTENTION_SPAN = 128
"""Default for the tokens that a transformer's layer attends to."""
DEFAULT_KERNEL_SIZE = 3
MAX_CONVOLVED = 1 << 16
"""The most tokens that a stack of convolutions may read."""
DEFAULT_SHAPES: dict[NetworkKind, dict[str, Any]] = {
    "recurrent": {"num_layers": 1, "hidden_size": DEFAULT_HIDDEN_SIZE},
    "transformer": {"num_layers": 2, "hidden_size": 128},
    "convolution": {"num_layers": 4, "hidden_size": 128},
}
"""Default L and H of each network, about as fast as each other in training."""
DEFAULT_SKIP_STEPS = 4
"""Default for s, the number of steps that the skip path of `rnn-skip` reaches back."""
MIN_VOCAB_SIZE = 2
"""The least V: two tokens to choose from."""
SMALL_VOCABULARY = 512
"""The size up to which a vocabulary counts as small, like letters or bytes; subwords or Chinese have larger ones."""
MAX_CONTEXT_VECTORS = 1 << 14
"""The most n-grams that can have a vector."""
LEAST_ORDER_OF_CONTEXTS = 3
"""The lowest n-gram order with contexts of two tokens."""


@names_checked
@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig(JsonConfig):
    """The shape of a language model, and its initial weights."""

    vocab_size: int
    """V, including special tokens."""
    network: NetworkKind = DEFAULT_NETWORK
    """What lies between the embedding and the output layer: recurrent layers, a transformer, or causal convolutions."""
    cell: str = DEFAULT_CELL
    """A name in `charlm.cells.CELLS`."""
    num_layers: int = 1
    """L, number of layers of the network."""
    hidden_size: int = DEFAULT_HIDDEN_SIZE
    """H, width of each layer's output; of recurrent layers, of the hidden state."""
    heads: int = DEFAULT_HEADS
    """Attention heads of each layer of a transformer."""
    attention_span: int = DEFAULT_ATTENTION_SPAN
    """How many tokens before the last one each layer of a transformer attends to."""
    kernel_size: int = DEFAULT_KERNEL_SIZE
    """How many inputs a convolution reads."""
    embedding_size: int = 32
    """E, width of a token's embedding."""
    dropout: float = 0.1
    """Probability of dropping an output of a layer in training."""
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
    match: bool = False
    """Let the network use what followed the longest earlier occurrence of the last tokens in the document."""
    recent: bool = False
    """Let it also use what last followed the last few tokens in the document; needs a match."""
    skip: Skip = "none"
    """residual adds the input of each layer but the first to its output (He et al. 2016)."""
    skip_steps: int = DEFAULT_SKIP_STEPS
    """Steps that the skip path of the cell rnn-skip reaches back."""
    bidirectional: bool = False
    """Read from left and right; only for `charlm.model.encoder`, a language model refuses it."""
    labels: tuple[LabelColumn, ...] = ()
    """The labels of documents that the model knows. Each value has a vector, which is added to the embedding of every
    token of a document that has it."""

    def __post_init__(self) -> None:
        check_range("the vocabulary size", self.vocab_size, MIN_VOCAB_SIZE, 4_000_000)
        check_choice("--network", self.network, get_args(NetworkKind))
        defaults = {field.name: field.default for field in fields(type(self))}
        check_network_options(self.network, [name for name in OPTIONS_OF if getattr(self, name) != defaults[name]])
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
        if self.recent and not self.match:
            raise ConfigError("--recent needs a match; add --match, or leave --recent out")
        check_labels(self.labels)
        check_range("--skip-steps", self.skip_steps, 2, 1024)
        check_choice("--skip", self.skip, get_args(Skip))
        check_choice("--recurrent-init", self.recurrent_init, get_args(RecurrentInit))
        check_choice("--input-init", self.input_init, get_args(InputInit))
        check_range("--heads", self.heads, 1, 256)
        check_range("--attention-span", self.attention_span, 1, 8192)
        check_range("--kernel-size", self.kernel_size, 2, 64)
        if self.network == "convolution" and self.kernel_size**self.num_layers > MAX_CONVOLVED:
            raise ConfigError(
                f"--kernel-size is {self.kernel_size} and --layers {self.num_layers}, so the convolutions would read "
                f"{count_of(self.kernel_size**self.num_layers, 'token')}; lower one, since "
                f"{MAX_CONVOLVED:,} is the most"
            )
        if self.network == "transformer" and self.hidden_size % (2 * self.heads):
            raise ConfigError(
                f"--hidden is {self.hidden_size} and --heads {self.heads}; --hidden must be a multiple of twice --heads"
            )
        if self.tie_weights and self.embedding_size != self.hidden_size:
            raise ConfigError(
                f"--tie-weights needs --embedding equal to --hidden, not {self.embedding_size} and {self.hidden_size}"
            )

    @property
    def label_values(self) -> tuple[tuple[str, str], ...]:
        """The name and value of each label vector, in order."""
        return tuple((label.name, value) for label in self.labels for value in label.values)

    @property
    def layer_kind(self) -> str:
        """What the layers are: the name of their cell, or else of the network."""
        return self.cell if self.network == "recurrent" else self.network


OPTIONS_OF: dict[str, NetworkKind] = {
    **dict.fromkeys(("cell", "weight_dropout", "recurrent_init", "input_init"), "recurrent"),
    **dict.fromkeys(("forget_bias", "update_bias", "skip", "skip_steps"), "recurrent"),
    **dict.fromkeys(("heads", "attention_span"), "transformer"),
    "kernel_size": "convolution",
}
"""The fields of `ModelConfig` that only one kind of network has."""


SHAPE_OPTIONS = (
    *("network", "cell", "num_layers", "hidden_size", "heads", "attention_span", "kernel_size"),
    *("embedding_size", "tie_weights", "skip", "skip_steps"),
)
"""The options for the shape of a network, which fine-tuning can't change."""
FIRST_WEIGHTS_OPTIONS = ("recurrent_init", "input_init", "forget_bias", "update_bias")
"""The options for the first weights of a new network, which mean nothing to fine-tuning."""
FINE_TUNING_OPTIONS = ("dropout", "weight_dropout", "ngram_order", "context_vectors", "match", "recent")
"""All other options, which fine-tuning may change."""


def check_network_options(network: NetworkKind, names: Iterable[str]) -> None:
    """Raise `ConfigError` for the first field of `ModelConfig` that a network doesn't have."""
    for name in names:
        if (owner := OPTIONS_OF.get(name, network)) != network:
            raise ConfigError(f"{option_of(name)} is for --network {owner}, not {network}; leave it out")


class ModelOptions(TypedDict, total=False):
    """Fields of `ModelConfig` except `vocab_size`; missing ones are auto-selected or have the default."""

    network: NetworkKind
    cell: str
    num_layers: int
    hidden_size: int
    heads: int
    attention_span: int
    kernel_size: int
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
    match: bool
    recent: bool
    skip: Skip
    skip_steps: int


def default_embedding(vocab_size: int, hidden_size: int, *, tie_weights: bool | None = None) -> dict[str, Any]:
    """The default `embedding_size` and `tie_weights` for a vocabulary of V tokens.

    A small vocabulary has narrow embeddings. A token of a large one is too rare to learn two vectors, so embedding and
    output layer are tied (docs/notes/experiments.md) unless `tie_weights` is given.
    """
    large = vocab_size > SMALL_VOCABULARY
    tied = large if tie_weights is None else tie_weights
    return {"tie_weights": tied, "embedding_size": hidden_size if tied else 128 if large else 32}


def without_additions(config: ModelConfig) -> ModelConfig:
    """The network alone, without n-gram prior, context vectors, match and labels."""
    return replace(config, ngram_order=0, context_vectors=0, match=False, recent=False, labels=())


def with_width(network: ModelConfig, hidden_size: int) -> ModelConfig:
    """The same network with another width, and the default embedding that goes with it."""
    embedding = default_embedding(network.vocab_size, hidden_size, tie_weights=network.tie_weights)
    return replace(network, hidden_size=hidden_size, **embedding)
