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
    """p(next token | tokens so far), by a recurrent network whose state is passed in and out."""

    def __init__(self, config: ModelConfig) -> None:
        """Make the weights, with whatever the memory held; `initialise` or a state dict gives them values.

        Raises `ConfigError` for a bidirectional configuration.
        """
        if config.bidirectional:
            raise ConfigError(
                "a language model can't be bidirectional: it predicts, and writes, what comes next, and nothing "
                "stands to the right of that; to read whole texts from both sides use "
                "charlm.model.encoder.BidirectionalEncoder"
            )
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.embedding_size))  # (V, E)
        self.recurrent = Recurrent(config)
        self.output = (
            None if config.tie_weights else nn.Parameter(torch.empty(config.vocab_size, config.hidden_size))  # (V, H)
        )
        self.output_bias = nn.Parameter(torch.empty(config.vocab_size))  # (V,)
        self.prior = NgramPrior(config.ngram_order, config.hidden_size) if config.ngram_order else None
        number = config.context_vectors
        self.contexts = NgramEmbedding(number, config.embedding_size, config.dropout) if number else None

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, *, silent: Sequence[int] = ()) -> None:
        """Draw all weights: embeddings from N(0, 1), or N(0, 1/E) where they serve as output weights too, the output
        layer uniformly within 1/sqrt(H), the recurrent layers as the configuration says.

        Tokens named in `silent` get an embedding of zeros. A token that training hardly ever shows keeps the vector it
        began with, and a random one would throw the state where no other token leads: a text of one document has a
        single BOS, and every sample begins with it. Where the embedding is the output layer too, what that learns moves
        such a vector, by little under an n-gram prior, which leaves such tokens next to no probability.
        """
        std = self.config.embedding_size**-0.5 if self.output is None else 1.0
        nn.init.normal_(self.embedding, std=std, generator=generator)
        self.embedding[list(silent)] = 0
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
        """Give the prior its n-gram model, and for training those that are honest; the vectors of contexts, if they
        belong to another, are rearranged."""
        assert self.prior is not None
        before = self.prior.ngram
        self.prior.ngram, self.prior.cross_fit = ngram, cross_fit
        if self.contexts is not None:
            if before is None:
                self.contexts.give(ngram)
            else:
                self.contexts.move(before, ngram)

    def initial_state(self, batch: int) -> LayerStates:
        """The state before the first token of a document, for B rows."""
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
            ids: (T, B) int64, each below V.
            states: of the step before the first token; None is the empty past.
            generator: what dropout draws from in training mode.
            starts: where in the training text each row begins; see `NgramPrior.forward`.

        Returns:
            Logits (T, B, V), in nats up to a constant for each token, and the states after the last token.
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
        """As `forward`, with the outputs of the last layer (T, B, H) between the logits and the states."""
        if states is None:
            states = self.initial_state(ids.shape[1])
        nodes, beside = self._known(ids, states, generator)
        hidden, after = self.recurrent(ids, self.embedding, self._own(states), generator, beside)
        weight = self.embedding if self.output is None else self.output
        logits = F.linear(hidden, weight, self.output_bias).to(hidden.dtype)  # (T, B, V)
        if self.prior is not None:
            assert nodes is not None
            with torch.autocast(hidden.device.type, enabled=False):
                logits = logits + self.prior(nodes, hidden, starts)
        return logits, hidden, self._with_last(after, nodes)

    def record_states(
        self, ids: Tensor, states: LayerStates | None = None
    ) -> tuple[tuple[dict[str, Tensor], ...], LayerStates]:
        """`Recurrent.record_states` of ids (T, B), and the states after the last token; None is the empty past."""
        if states is None:
            states = self.initial_state(ids.shape[1])
        nodes, beside = self._known(ids, states)
        held, after = self.recurrent.record_states(ids, self.embedding, self._own(states), beside)
        return held, self._with_last(after, nodes)

    def inputs(self, ids: Tensor, states: LayerStates) -> tuple[Tensor, LayerStates]:
        """What the first layer reads, (T, B, E), and the last states but for those of the layers; arguments as those of
        `forward`."""
        nodes, beside = self._known(ids, states)
        return embed(ids, self.embedding, beside), self._with_last((), nodes)

    def _own(self, states: LayerStates) -> LayerStates:
        """The states of the layers, without that of the prior."""
        return states[: self.config.num_layers]

    def _known(
        self, ids: Tensor, states: LayerStates, generator: torch.Generator | None = None
    ) -> tuple[Nodes | None, Tensor | None]:
        """The states of the n-gram model after each token, and the vectors of contexts to add to the embeddings."""
        if self.prior is None:
            return None, None
        nodes = self.prior.advance(ids, states[-1])
        return nodes, None if self.contexts is None else self.contexts(nodes, generator)

    def _with_last(self, after: LayerStates, nodes: Nodes | None) -> LayerStates:
        return after if nodes is None else (*after, (torch.from_numpy(nodes[-1]),))

    def training_precision(self, precision: Precision) -> torch.autocast:
        """The context in which to compute a loss, in the precision that `TrainConfig` asks for."""
        brief = self.computes_in_bfloat16(precision)
        return torch.autocast(self.output_bias.device.type, torch.bfloat16, enabled=brief)

    def computes_in_bfloat16(self, precision: Precision) -> bool:
        """Whether products in training are of bfloat16 numbers; raises `ConfigError` where that is asked of a GPU."""
        on_cpu = self.output_bias.device.type == "cpu"
        if precision == "bfloat16" and not on_cpu:
            raise ConfigError("--precision bfloat16 is for the CPU; leave it out, or add --device cpu")
        return precision == "bfloat16" or (precision == "auto" and on_cpu and self.recurrent.has_bfloat16_kernel)

    def num_parameters(self) -> int:
        """How many weights there are."""
        return sum(parameter.numel() for parameter in self.parameters())
