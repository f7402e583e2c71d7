"""The language model: embedding, network, output layer. Its training loss is in `charlm.model.loss`."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.cells import LayerStates, State
from charlm.config import ModelConfig, NetworkKind
from charlm.data.encoded.label_codes import Codes
from charlm.data.windows import Window, carry
from charlm.errors import ConfigError
from charlm.model.additions.additions import Added, Additions, AdditionStates
from charlm.model.additions.label_embedding import LabelEmbedding
from charlm.model.additions.label_ngrams import LabelNgrams
from charlm.model.additions.lookups import Lookups
from charlm.model.additions.match import Match
from charlm.model.additions.ngram_embedding import NgramEmbedding
from charlm.model.additions.ngram_prior import CrossFit, NgramPrior
from charlm.model.networks.base import Network, embed
from charlm.model.networks.convolution import Convolution
from charlm.model.networks.recurrent import Recurrent
from charlm.model.networks.transformer import Transformer
from charlm.ngram.match import Predictions
from charlm.ngram.model import NgramModel

NETWORKS: dict[NetworkKind, type[Network]] = {
    "recurrent": Recurrent,
    "transformer": Transformer,
    "convolution": Convolution,
}
"""The networks by the name in a configuration, which is also the first part of the names of their weights."""


class NetworkOutputs(NamedTuple):
    """What a model makes of a window, before its output layer."""

    hidden: Tensor
    """The outputs of the last layer, (T, B, H)."""
    added: Added
    """What the additions make of the tokens."""
    states: LayerStates
    """The state after the last token."""


class LanguageModel(nn.Module):
    """p(next token | tokens so far), computed by a network whose state is passed in and out."""

    def __init__(self, config: ModelConfig) -> None:
        """Allocate the weights; `initialise` or a state dict sets their values.

        Raises `ConfigError` for a bidirectional configuration.
        """
        if config.bidirectional:
            raise ConfigError(
                "a language model can't be bidirectional, since it predicts, and writes, what comes next; to read text "
                "in both directions use charlm.model.encoder.BidirectionalEncoder"
            )
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.embedding_size))  # (V, E)
        setattr(self, config.network, NETWORKS[config.network](config))
        self.output = (
            None if config.tie_weights else nn.Parameter(torch.empty(config.vocab_size, config.hidden_size))  # (V, H)
        )
        self.output_bias = nn.Parameter(torch.empty(config.vocab_size))  # (V,)
        # `prior` and `contexts` are weight names in model files: renaming them makes existing files unreadable
        self.prior = NgramPrior(config.ngram_order, config.hidden_size) if config.ngram_order else None
        number = config.context_vectors
        self.contexts = NgramEmbedding(number, config.embedding_size, config.dropout) if number else None
        self.match = Match(config.vocab_size, config.hidden_size, recent=config.recent) if config.match else None
        values = sum(len(label.values) for label in config.labels)
        self.labels = LabelEmbedding(values, config.embedding_size) if values else None
        self._fixed_labels: State | None = None
        self.label_ngrams: LabelNgrams | None = None
        """An n-gram model of the documents of each value of the labels; None without labels or prior, for pairs, and in
        older files."""
        self.source: tuple[int, ...] = ()
        """The tokens of the source for which a target is written, with EOS; see `after_source`."""

    @property
    def network(self) -> Network:
        """What lies between the embedding and the output layer."""
        network = self._modules[self.config.network]
        assert isinstance(network, Network)
        return network

    @property
    def recurrent(self) -> Recurrent:
        """The network, if it has recurrent layers; raises `ConfigError` for another network."""
        if not isinstance(self.network, Recurrent):
            raise ConfigError(
                f"the network of this model is a {self.config.network}, which has no recurrent units to look at; use a "
                "model trained with --network recurrent"
            )
        return self.network

    @property
    def additions(self) -> Additions:
        """What the model adds to the inputs and logits of its network."""
        ngrams = self.label_ngrams if self.label_ngrams is not None and self.label_ngrams.weight else None
        return Additions(self.prior, self.contexts, self.labels, ngrams, self.match, self._fixed_labels)

    @property
    def embedding_std(self) -> float:
        """The standard deviation of the initial embeddings."""
        return self.config.embedding_size**-0.5 if self.output is None else 1.0

    @property
    def output_weight(self) -> Tensor:
        """The weights of the output layer, (V, H)."""
        return self.embedding if self.output is None else self.output

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, *, zero_tokens: Sequence[int] = ()) -> None:
        """Draw all weights: embeddings from N(0, 1), or N(0, 1/E) with tied weights, the output layer uniformly within
        1/sqrt(H), the network as configured.

        The embeddings of `zero_tokens` are zeros, unless the network has norms. A token that training rarely shows
        keeps its initial vector, and a random vector would move the state to where no other token does: a text of one
        document has a single BOS, and every sample begins with it. With tied weights the gradients of the output layer
        change such a vector too, but only a little with an n-gram prior, which gives such tokens almost no probability.
        """
        nn.init.normal_(self.embedding, std=self.embedding_std, generator=generator)
        if self.network.reads_zeros:
            self.embedding[list(zero_tokens)] = 0
        self.network.initialise(self.config, generator)
        if self.output is not None:
            bound = self.config.hidden_size**-0.5
            nn.init.uniform_(self.output, -bound, bound, generator=generator)
        nn.init.zeros_(self.output_bias)
        self.additions.initialise(generator)

    def build_on(self, ngram: NgramModel, cross_fit: CrossFit | None = None) -> None:
        """Give the prior its n-gram model and, for training, the cross-fitted models."""
        assert self.prior is not None
        self.prior.ngram, self.prior.cross_fit = ngram, cross_fit
        if self.contexts is not None:
            self.contexts.assign(ngram)

    def with_labels(self, factors: Tensor) -> "LanguageModel":
        """The same model, with the same weights, for texts with certain labels, whatever labels their documents have.

        `factors` are those of the vectors of all values, (N,); zeros are no labels. The model must have labels.
        """
        assert self.labels is not None
        labelled = copy.copy(self)
        labelled._fixed_labels = (factors.to(self.labels.vectors).unsqueeze(0),)
        return labelled

    def with_label_ngrams(self, weight: float) -> "LanguageModel":
        """The same model, with the same weights, which adds the n-grams of its labels, if any, with this weight."""
        weighted = copy.copy(self)
        if self.label_ngrams is not None:
            weighted.label_ngrams = replace(self.label_ngrams, weight=weight)
        return weighted

    def after_source(self, source: Sequence[int]) -> "LanguageModel":
        """The same model, with the same weights, to write or read the target of a source, whose tokens it reads after
        BOS; they end with EOS."""
        with_source = copy.copy(self)
        with_source.source = tuple(source)
        return with_source

    def initial_state(
        self, batch: int, labels: Codes | None = None, generator: torch.Generator | None = None
    ) -> LayerStates:
        """The state before the first token of a document, for B = `batch` rows.

        Args:
            batch: the number of rows.
            labels: the labels of each row, (B, C); None for texts without labels.
            generator: in training, what decides which labels are left out.
        """
        states = self.network.initial_state(batch, self.embedding)
        return (*states, *self.additions.initial_state(batch, labels, generator if self.training else None))

    def carry(
        self, states: LayerStates | None, window: Window, generator: torch.Generator | None = None
    ) -> LayerStates | None:
        """The states with which a window starts; None for the initial state without a match and without labels.

        They are those after the last window, as `charlm.data.windows.carry` gives them. If none are carried, they are
        the initial state, in which the match has read what precedes the window's rows in their documents. `generator`
        is as in `initial_state`.
        """
        carried = carry(states, window)
        if carried is not None:
            return carried
        matched = None if self.match is None else self.match.state_before(window)
        if matched is None and window.labels is None:
            return None
        initial = self.initial_state(window.ids.shape[1], window.labels, generator)
        if matched is None:
            return initial
        layers, additions = self.split_states(initial)
        return (*layers, *additions._replace(match=matched).joined())

    def forward(
        self,
        ids: Tensor,
        states: LayerStates | None = None,
        *,
        generator: torch.Generator | None = None,
        lookups: Lookups | None = None,
    ) -> tuple[Tensor, LayerStates]:
        """Logits of each next token.

        Args:
            ids: token ids, (T, B) int64, each below V.
            states: the state before the first token; None is the initial state.
            generator: the random generator of dropout in training mode.
            lookups: what is known of the tokens already; for training at least `Lookups.starts`.

        Returns:
            Logits (T, B, V), in nats up to a constant for each token, and the state after the last token.
        """
        logits, _, states = self.read(ids, states, generator=generator, lookups=lookups)
        return logits, states

    def read(
        self,
        ids: Tensor,
        states: LayerStates | None = None,
        *,
        generator: torch.Generator | None = None,
        lookups: Lookups | None = None,
    ) -> tuple[Tensor, Tensor, LayerStates]:
        """The logits, the outputs of the last layer (T, B, H), and the state after the last token; all else as in
        `forward`."""
        outputs = self.read_network(ids, states, generator=generator, lookups=lookups)
        logits = self.logits_without_match(outputs, lookups)
        if outputs.added.predictions is not None:
            logits = self.add_match(logits, outputs.added.predictions, outputs.hidden)
        if outputs.added.by_labels is not None:
            logits = logits + outputs.added.by_labels
        return logits, outputs.hidden, outputs.states

    def read_network(
        self,
        ids: Tensor,
        states: LayerStates | None = None,
        *,
        generator: torch.Generator | None = None,
        lookups: Lookups | None = None,
    ) -> NetworkOutputs:
        """Run the additions and the network over a window, without the output layer; arguments as in `forward`."""
        added, layers = self._read_additions(ids, states, generator, lookups)
        hidden, after = self.network(ids, self.embedding, layers, generator, added.extra)
        return NetworkOutputs(hidden, added, (*after, *added.states))

    def logits_without_match(self, outputs: NetworkOutputs, lookups: Lookups | None = None) -> Tensor:
        """The logits (T, B, V) of the output layer and the n-gram prior."""
        hidden = outputs.hidden
        logits: Tensor = F.linear(hidden, self.output_weight, self.output_bias).to(hidden.dtype)  # (T, B, V)
        if self.prior is None:
            return logits
        assert outputs.added.nodes is not None
        with torch.autocast(hidden.device.type, enabled=False):
            logits = logits + self.prior(outputs.added.nodes, hidden, lookups)
        return logits

    def add_match(self, logits: Tensor, predictions: Predictions, hidden: Tensor) -> Tensor:
        """The logits (T, B, V) with what the match adds, given its predictions and the outputs of the last layer."""
        assert self.match is not None
        with torch.autocast(logits.device.type, enabled=False):
            changed: Tensor = self.match(logits.float(), predictions, hidden)
        return changed

    def record_states(
        self, ids: Tensor, states: LayerStates | None = None
    ) -> tuple[tuple[dict[str, Tensor], ...], LayerStates]:
        """`Recurrent.record_states` for ids (T, B), and the state after the last token; `states` as in `forward`."""
        added, layers = self._read_additions(ids, states)
        recorded, after = self.recurrent.record_states(ids, self.embedding, layers, added.extra)
        return recorded, (*after, *added.states)

    def inputs(self, ids: Tensor, states: LayerStates) -> tuple[Tensor, LayerStates]:
        """What the first layer reads, (T, B, E), and the states of the additions after the last token; arguments as in
        `forward`."""
        added, _ = self._read_additions(ids, states)
        return embed(ids, self.embedding, added.extra), added.states

    def _read_additions(
        self,
        ids: Tensor,
        states: LayerStates | None,
        generator: torch.Generator | None = None,
        lookups: Lookups | None = None,
    ) -> tuple[Added, LayerStates]:
        """What the additions make of the tokens (T, B), and the states of the layers before them."""
        layers, additions = self.split_states(self.initial_state(ids.shape[1]) if states is None else states)
        return self.additions.read(ids, additions, generator, lookups), layers

    def split_states(self, states: LayerStates) -> tuple[LayerStates, AdditionStates]:
        """The states of the layers, and those of the additions."""
        layers = self.config.num_layers
        return states[:layers], self.additions.split(states[layers:])

    def num_parameters(self) -> int:
        """The number of weights."""
        return sum(parameter.numel() for parameter in self.parameters())
