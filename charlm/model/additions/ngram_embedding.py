"""Vectors of frequent n-grams, which are added to the embedding of their last token."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.ngram.model import FREQUENT_LENGTHS, NgramModel

_MAX_SIZE = 32  # of a vector


class NgramEmbedding(nn.Module):
    """A vector for each of the most frequent n-grams of a training text, of 2 to 5 tokens (`NgramModel.frequent`).

    At each step the network reads the embedding of the last token plus the vectors of the n-grams that end with it:
    x = e(w_t) + sum over k of U v(w_{t-k+1} ... w_t). An n-gram without a vector adds nothing. Vectors have at most 32
    elements, since longer ones memorise the text; U projects them if the embedding is longer.
    """

    def __init__(self, number: int, embedding_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        size = min(_MAX_SIZE, embedding_size)
        self.vectors = nn.Parameter(torch.empty(number + 1, size))  # (R + 1, S); row 0 is for n-grams without a vector
        self.spread = nn.Parameter(torch.empty(embedding_size, size)) if size < embedding_size else None  # U, (E, S)
        self.rows = np.zeros(1, dtype=np.int32)
        """The row in `vectors` of each node of the n-gram model. The last entry is 0 and serves all later nodes."""

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Set the vectors to 0, so that training begins as without them, and draw U from N(0, 1/S)."""
        self.vectors.zero_()
        if self.spread is not None:
            nn.init.normal_(self.spread, std=self.spread.shape[1] ** -0.5, generator=generator)

    @torch.no_grad()
    def assign(self, ngram: NgramModel) -> None:
        """Assign the vectors to the first R frequent n-grams of `ngram`."""
        self.vectors[0] = 0  # a file may have anything here
        nodes = ngram.frequent[: len(self.vectors) - 1]
        self.rows = np.zeros(nodes.max(initial=-1) + 2, dtype=np.int32)
        self.rows[nodes] = 1 + np.arange(len(nodes), dtype=np.int32)

    @torch.no_grad()
    def copy_shared(
        self, ngram: NgramModel, other: "NgramEmbedding", others: NgramModel, sources: Mapping[int, tuple[int, ...]]
    ) -> None:
        """Copy the vectors of another embedding for the n-grams that both have.

        Args:
            ngram: the n-gram model whose vectors these are; see `assign`.
            other: the embedding to copy from, with vectors of the same size.
            others: its n-gram model.
            sources: for each token the tokens of `others` that stand for it; a token with another number than one has
                no vectors to copy.
        """
        row_of = {others.tokens_of(node): row for row, node in enumerate(_frequent(others, other), 1)}
        for row, node in enumerate(_frequent(ngram, self), 1):
            same = [sources.get(token, ()) for token in ngram.tokens_of(node)]
            old_row = row_of.get(tuple(token for tokens in same for token in tokens), 0)
            if old_row and all(len(tokens) == 1 for tokens in same):
                self.vectors[row] = other.vectors[old_row]
        if self.spread is not None and other.spread is not None:
            self.spread.copy_(other.spread)

    def table(self) -> Tensor:
        """What each row adds to an embedding, (R + 1, E)."""
        return self.vectors if self.spread is None else F.linear(self.vectors, self.spread)

    def rows_of(self, nodes: NDArray[Any]) -> NDArray[np.int32]:
        """The rows of `vectors` that are summed in each state (..., n - 1) of the n-gram model: (..., K)."""
        longer = nodes[..., FREQUENT_LENGTHS[0] - 1 : FREQUENT_LENGTHS[1]]
        rows: NDArray[np.int32] = self.rows[np.minimum(longer, len(self.rows) - 1)]  # -1 takes the last entry, 0
        return rows

    def forward(
        self, nodes: NDArray[Any], generator: torch.Generator | None = None, *, rows: Tensor | None = None
    ) -> Tensor:
        """What to add to the embeddings, (T, B, E), in the states `nodes` (T, B, n - 1) of the n-gram model.

        In training mode each occurrence of an n-gram is dropped with the probability `dropout`, drawn from `generator`,
        and the others are scaled by 1 / (1 - dropout). `rows` are those of `nodes`, if they are known already.
        """
        rows = torch.from_numpy(self.rows_of(nodes)) if rows is None else rows
        rows = rows.to(self.vectors.device, non_blocking=True)  # (T, B, K)
        keep = 1 - self.dropout if self.training else 1.0
        if keep < 1:
            kept = torch.empty_like(rows, dtype=torch.float32).bernoulli_(keep, generator=generator)
            rows = rows * kept.to(rows.dtype)
        summed = F.embedding(rows, self.vectors, padding_idx=0).sum(2) / keep
        return summed if self.spread is None else F.linear(summed, self.spread)


def _frequent(ngram: NgramModel, embedding: NgramEmbedding) -> list[int]:
    """The nodes of the n-grams that have a vector, in the order of their rows."""
    nodes: list[int] = ngram.frequent[: len(embedding.vectors) - 1].tolist()
    return nodes
