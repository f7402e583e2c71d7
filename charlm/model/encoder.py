"""A bidirectional encoder: vectors of tokens and of documents that know both sides.

It is for reading, not for writing: a language model predicts what isn't there yet, so it can't look right.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.config import ModelConfig
from charlm.model.layers import Recurrent


class BidirectionalEncoder(nn.Module):
    """One vector for each token and one for each document, from layers that read from both sides.

    Source: Schuster and Paliwal 1997, "Bidirectional recurrent neural networks", IEEE Transactions on Signal
    Processing 45.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Make the weights, with whatever the memory held; `initialise` or a state dict gives them values.

        What the configuration says of an output layer, an n-gram model and context vectors is of no account: nothing is
        predicted here.
        """
        super().__init__()
        self.config = replace(config, bidirectional=True)
        self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.embedding_size))  # (V, E)
        self.recurrent = Recurrent(self.config)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights: embeddings from N(0, 1), the recurrent layers as the configuration says."""
        nn.init.normal_(self.embedding, generator=generator)
        self.recurrent.initialise(self.config, generator)

    def forward(
        self, ids: Tensor, lengths: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read documents.

        Args:
            ids: (T, B) int64, each below V; rows padded at the end with any token.
            lengths: (B,) int64, tokens of each document; None where all have T.
            generator: what dropout draws from in training mode.

        Returns:
            For each token a vector, (T, B, 2H), zeros where there is padding; and for each document one, (B, 2H): what
            either reader holds when it has read all.
        """
        if lengths is None:
            lengths = torch.full((ids.shape[1],), len(ids), device=ids.device)
        outputs, right, left = self.recurrent.both_ways(F.embedding(ids, self.embedding), lengths, generator)
        there = torch.arange(len(ids), device=ids.device).unsqueeze(1) < lengths
        return torch.where(there.unsqueeze(2), outputs, 0.0), torch.cat((right, left), dim=1)
