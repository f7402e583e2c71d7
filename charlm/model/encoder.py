"""A bidirectional encoder: vectors of tokens and documents that depend on the text on both sides.

It can't write text: a language model predicts the next token, so it can't depend on what follows.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.config import ModelConfig
from charlm.errors import ConfigError
from charlm.model.networks.base import dropout
from charlm.model.networks.recurrent import Recurrent


class BidirectionalRecurrent(Recurrent):
    """Recurrent layers that each have a twin which reads backwards; the next layer reads the outputs of both.

    Source: Schuster and Paliwal 1997, "Bidirectional recurrent neural networks", IEEE Transactions on Signal
    Processing 45.
    """

    directions = 2

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.twins = self.stack(config)

    def initialise(self, config: ModelConfig, generator: torch.Generator) -> None:
        """Draw the weights of all layers, then those of their twins."""
        super().initialise(config, generator)
        for twin in self.twins:
            twin.initialise(config, generator)  # type: ignore[operator]

    def read_both_directions(
        self, x: Tensor, lengths: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run the layers in both reading directions.

        Args:
            x: the input, (T, B, E), short rows padded at the end.
            lengths: number of steps of each row without padding, at least 1, (B,) int64.
            generator: the random generator of dropout in training mode.

        Returns:
            Outputs (T, B, 2H), undefined for padding; and the last output of the top layer in each reading direction,
            (B, H) each: forwards at the last step, backwards at the first.
        """
        steps = torch.arange(len(x), device=x.device).unsqueeze(1)
        reversed_steps = torch.where(steps < lengths, lengths - 1 - steps, steps).unsqueeze(2)  # (T, B, 1)
        last = (lengths - 1).view(1, -1, 1)
        for index, (layer, twin) in enumerate(zip(self.layers, self.twins, strict=True)):
            state = tuple(x.new_zeros(x.shape[1], self.hidden_size) for _ in self.cell.states)
            forward, _ = layer(x, state, generator)
            backward, _ = twin(x.gather(0, reversed_steps.expand_as(x)), state, generator)  # in its order of reading
            ends = tuple(y.gather(0, last.expand(1, -1, self.hidden_size))[0] for y in (forward, backward))
            y = torch.cat((forward, backward.gather(0, reversed_steps.expand_as(backward))), dim=2)  # (T, B, 2H)
            x = dropout(x + y if self.residual and index else y, self.dropout if self.training else 0.0, generator)
        return x, ends[0], ends[1]


class BidirectionalEncoder(nn.Module):
    """A vector for each token and one for each document, from layers that read in both directions."""

    def __init__(self, config: ModelConfig) -> None:
        """Allocate the weights; `initialise` or a state dict sets their values.

        The settings of the output layer, the n-gram model and the context vectors are ignored. Raises `ConfigError` for
        a network without recurrent layers.
        """
        if config.network != "recurrent":
            raise ConfigError(f"a {config.network} can't read in both directions; leave network at 'recurrent'")
        super().__init__()
        self.config = replace(config, bidirectional=True)
        self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.embedding_size))  # (V, E)
        self.recurrent = BidirectionalRecurrent(self.config)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights: embeddings from N(0, 1), the recurrent layers as configured."""
        nn.init.normal_(self.embedding, generator=generator)
        self.recurrent.initialise(self.config, generator)

    def forward(
        self, ids: Tensor, lengths: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode documents.

        Args:
            ids: token ids, (T, B) int64, each below V; short rows are padded at the end with any token.
            lengths: number of tokens of each document, (B,) int64; None if all have T.
            generator: the random generator of dropout in training mode.

        Returns:
            The vectors of the tokens, (T, B, 2H), zero for padding, and the vectors of the documents, (B, 2H): the
            outputs of both reading directions after the whole document.
        """
        if lengths is None:
            lengths = torch.full((ids.shape[1],), len(ids), device=ids.device)
        x = F.embedding(ids, self.embedding)
        outputs, last_forward, last_backward = self.recurrent.read_both_directions(x, lengths, generator)
        is_token = torch.arange(len(ids), device=ids.device).unsqueeze(1) < lengths  # (T, B)
        return torch.where(is_token.unsqueeze(2), outputs, 0.0), torch.cat((last_forward, last_backward), dim=1)
