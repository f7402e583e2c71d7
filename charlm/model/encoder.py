"""A bidirectional encoder: vectors of tokens and documents that depend on the text on both sides.

It can't write text: a language model predicts the next token, so it can't depend on what follows.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.config import ModelConfig
from charlm.errors import ConfigError
from charlm.model.layers import Recurrent


class BidirectionalEncoder(nn.Module):
    """A vector for each token and one for each document, from layers that read in both directions.

    Source: Schuster and Paliwal 1997, "Bidirectional recurrent neural networks", IEEE Transactions on Signal
    Processing 45.
    """

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
        self.recurrent = Recurrent(self.config)

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
