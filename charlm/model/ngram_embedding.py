"""Vectors for the last few tokens together, which a network reads beside that of the last token."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.ngram.model import FREQUENT_LENGTHS, NgramModel

_SIZE = 32  # numbers of a vector, at most


class NgramEmbedding(nn.Module):
    """A vector for each of the most frequent n-grams of a training text, of 2 to 5 tokens (`NgramModel.frequent`).

    What a network reads at a step is the sum of the last token's embedding and the vectors of those n-grams that end
    there: x = e(w_t) + sum over k of U v(w_{t-k+1} ... w_t). An n-gram without a vector adds nothing. U is there where
    embeddings are longer than 32: vectors of that length would learn a text by heart.
    """

    def __init__(self, number: int, embedding_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        size = min(_SIZE, embedding_size)
        self.vectors = nn.Parameter(torch.empty(number + 1, size))  # (R + 1, S); row 0 stands for no vector
        self.spread = nn.Parameter(torch.empty(embedding_size, size)) if size < embedding_size else None  # U, (E, S)
        self.rows = np.zeros(1, dtype=np.int32)
        """The row of each node of the n-gram model, up to the last that has one, and 0 behind it; from `give`."""

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """All are 0: training begins as it would without them. U is drawn from N(0, 1/S)."""
        self.vectors.zero_()
        if self.spread is not None:
            nn.init.normal_(self.spread, std=self.spread.shape[1] ** -0.5, generator=generator)

    @torch.no_grad()
    def give(self, ngram: NgramModel) -> None:
        """Say which n-grams the vectors belong to: the first R that `ngram` calls frequent."""
        self.vectors[0] = 0  # whatever a file says
        nodes = ngram.frequent[: len(self.vectors) - 1]
        self.rows = np.zeros(nodes.max(initial=-1) + 2, dtype=np.int32)
        self.rows[nodes] = 1 + np.arange(len(nodes), dtype=np.int32)

    @torch.no_grad()
    def move(self, before: NgramModel, after: NgramModel) -> None:
        """Rearrange the vectors for the n-grams of another text; those that were not known get 0."""
        number = len(self.vectors) - 1
        known = {before.tokens_of(node): row for row, node in enumerate(before.frequent[:number].tolist(), 1)}
        kept = [known.get(after.tokens_of(node), 0) for node in after.frequent[:number].tolist()]
        moved = torch.zeros_like(self.vectors)
        moved[1 : len(kept) + 1] = self.vectors[kept]
        moved[1 : len(kept) + 1][[row == 0 for row in kept]] = 0
        self.vectors.copy_(moved)
        self.give(after)

    def table(self) -> Tensor:
        """What each row adds to an embedding, (R + 1, E)."""
        return self.vectors if self.spread is None else F.linear(self.vectors, self.spread)

    def rows_of(self, nodes: NDArray[Any]) -> NDArray[np.int32]:
        """The rows of `vectors` to add up in states of the n-gram model, (..., n - 1), as (..., K)."""
        longer = nodes[..., FREQUENT_LENGTHS[0] - 1 : FREQUENT_LENGTHS[1]]
        rows: NDArray[np.int32] = self.rows[np.minimum(longer, len(self.rows) - 1)]  # -1 is the last, and 0
        return rows

    def forward(self, nodes: NDArray[Any], generator: torch.Generator | None = None) -> Tensor:
        """What to add to the embeddings (T, B, E) in states of the n-gram model, (T, B, n - 1).

        In training mode each vector is left out with the probability `dropout`, wherever its n-gram ends anew, by
        `generator`, and the rest are scaled by 1 / (1 - dropout).
        """
        rows = torch.from_numpy(self.rows_of(nodes)).to(self.vectors.device)  # (T, B, K)
        keep = 1 - self.dropout if self.training else 1.0
        if keep < 1:
            rows *= torch.empty_like(rows, dtype=torch.float32).bernoulli_(keep, generator=generator).to(rows.dtype)
        summed = F.embedding(rows, self.vectors, padding_idx=0).sum(2) / keep
        return summed if self.spread is None else F.linear(summed, self.spread)
