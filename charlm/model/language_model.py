"""The language model: embedding, recurrent layers, output layer."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.cells import LayerStates
from charlm.config import ModelConfig, Precision
from charlm.errors import ConfigError
from charlm.model.layers import Recurrent, embed
from charlm.model.ngram_embedding import NgramEmbedding
from charlm.model.ngram_prior import CrossFit, NgramPrior
from charlm.ngram.model import NgramModel
from charlm.ngram.trie import Nodes


class LanguageModel(nn.Module):
    """p(next token | tokens so far), computed by a recurrent network whose state is passed in and out."""

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
        self.recurrent = Recurrent(config)
        self.output = (
            None if config.tie_weights else nn.Parameter(torch.empty(config.vocab_size, config.hidden_size))  # (V, H)
        )
        self.output_bias = nn.Parameter(torch.empty(config.vocab_size))  # (V,)
        # `prior` and `contexts` are weight names in model files: renaming them makes existing files unreadable
        self.prior = NgramPrior(config.ngram_order, config.hidden_size) if config.ngram_order else None
        number = config.context_vectors
        self.contexts = NgramEmbedding(number, config.embedding_size, config.dropout) if number else None

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, *, zero_tokens: Sequence[int] = ()) -> None:
        """Draw all weights: embeddings from N(0, 1), or N(0, 1/E) with tied weights, the output layer uniformly within
        1/sqrt(H), the recurrent layers as configured.

        The embeddings of `zero_tokens` are zeros. A token that training rarely shows keeps its initial vector, and a
        random vector would move the state to where no other token does: a text of one document has a single BOS, and
        every sample begins with it. With tied weights the gradients of the output layer change such a vector too, but
        only a little with an n-gram prior, which gives such tokens almost no probability.
        """
        std = self.config.embedding_size**-0.5 if self.output is None else 1.0
        nn.init.normal_(self.embedding, std=std, generator=generator)
        self.embedding[list(zero_tokens)] = 0
        self.recurrent.initialise(self.config, generator)
        if self.output is not None:
            bound = self.config.hidden_size**-0.5
            nn.init.uniform_(self.output, -bound, bound, generator=generator)
        nn.init.zeros_(self.output_bias)
        if self.prior is not None:
            self.prior.initialise()
        if self.contexts is not None:
            self.contexts.initialise(generator)

    def build_on(self, ngram: NgramModel, cross_fit: CrossFit | None = None) -> None:
        """Give the prior its n-gram model and, for training, the cross-fitted models.

        If there was another n-gram model before, the context vectors are rearranged to fit the new one.
        """
        assert self.prior is not None
        before = self.prior.ngram
        self.prior.ngram, self.prior.cross_fit = ngram, cross_fit
        if self.contexts is not None:
            if before is None:
                self.contexts.give(ngram)
            else:
                self.contexts.move(before, ngram)

    def initial_state(self, batch: int) -> LayerStates:
        """The state before the first token of a document, for B = `batch` rows."""
        states = self.recurrent.initial_state(batch, self.embedding)
        return states if self.prior is None else (*states, self.prior.initial_state(batch))

    def forward(
        self,
        ids: Tensor,
        states: LayerStates | None = None,
        *,
        generator: torch.Generator | None = None,
        starts: NDArray[np.int64] | None = None,
    ) -> tuple[Tensor, LayerStates]:
        """Logits of each next token.

        Args:
            ids: token ids, (T, B) int64, each below V.
            states: the state before the first token; None is the initial state.
            generator: the random generator of dropout in training mode.
            starts: position in the training text at which each row begins; see `NgramPrior.forward`.

        Returns:
            Logits (T, B, V), in nats up to a constant for each token, and the state after the last token.
        """
        logits, _, states = self.read(ids, states, generator=generator, starts=starts)
        return logits, states

    def read(
        self,
        ids: Tensor,
        states: LayerStates | None = None,
        *,
        generator: torch.Generator | None = None,
        starts: NDArray[np.int64] | None = None,
    ) -> tuple[Tensor, Tensor, LayerStates]:
        """Like `forward`, but also returns the outputs of the last layer, (T, B, H), as the second of three results."""
        if states is None:
            states = self.initial_state(ids.shape[1])
        nodes, extra = self._read_ngrams(ids, states, generator)
        hidden, after = self.recurrent(ids, self.embedding, self._layer_states(states), generator, extra)
        weight = self.embedding if self.output is None else self.output
        logits = F.linear(hidden, weight, self.output_bias).to(hidden.dtype)  # (T, B, V)
        if self.prior is not None:
            assert nodes is not None
            with torch.autocast(hidden.device.type, enabled=False):
                logits = logits + self.prior(nodes, hidden, starts)
        return logits, hidden, self._with_ngram_state(after, nodes)

    def record_states(
        self, ids: Tensor, states: LayerStates | None = None
    ) -> tuple[tuple[dict[str, Tensor], ...], LayerStates]:
        """`Recurrent.record_states` for ids (T, B), and the state after the last token; `states` as in `forward`."""
        if states is None:
            states = self.initial_state(ids.shape[1])
        nodes, extra = self._read_ngrams(ids, states)
        recorded, after = self.recurrent.record_states(ids, self.embedding, self._layer_states(states), extra)
        return recorded, self._with_ngram_state(after, nodes)

    def inputs(self, ids: Tensor, states: LayerStates) -> tuple[Tensor, LayerStates]:
        """What the first layer reads, (T, B, E), and the state of the n-gram prior after the last token, if there is
        one; arguments as in `forward`."""
        nodes, extra = self._read_ngrams(ids, states)
        return embed(ids, self.embedding, extra), self._with_ngram_state((), nodes)

    def _layer_states(self, states: LayerStates) -> LayerStates:
        """The states of the layers, without the state of the prior."""
        return states[: self.config.num_layers]

    def _read_ngrams(
        self, ids: Tensor, states: LayerStates, generator: torch.Generator | None = None
    ) -> tuple[Nodes | None, Tensor | None]:
        """The states of the n-gram model after each token, (T, B, n - 1), and the context vectors to add to the
        embeddings, (T, B, E); None for a part that the model doesn't have."""
        if self.prior is None:
            return None, None
        nodes = self.prior.advance(ids, states[-1])
        return nodes, None if self.contexts is None else self.contexts(nodes, generator)

    def _with_ngram_state(self, after: LayerStates, nodes: Nodes | None) -> LayerStates:
        """The states of the layers, followed by the state of the prior after the last token."""
        return after if nodes is None else (*after, (torch.from_numpy(nodes[-1]),))

    def training_precision(self, precision: Precision) -> torch.autocast:
        """The context in which to compute a training loss; `precision` is that of `TrainConfig`."""
        in_bfloat16 = self.computes_in_bfloat16(precision)
        return torch.autocast(self.output_bias.device.type, torch.bfloat16, enabled=in_bfloat16)

    def computes_in_bfloat16(self, precision: Precision) -> bool:
        """Whether training computes products in bfloat16; raises `ConfigError` if a GPU is told to."""
        on_cpu = self.output_bias.device.type == "cpu"
        if precision == "bfloat16" and not on_cpu:
            raise ConfigError("--precision bfloat16 is for the CPU; leave it out, or add --device cpu")
        return precision == "bfloat16" or (precision == "auto" and on_cpu and self.recurrent.has_bfloat16_kernel)

    def num_parameters(self) -> int:
        """The number of weights."""
        return sum(parameter.numel() for parameter in self.parameters())
