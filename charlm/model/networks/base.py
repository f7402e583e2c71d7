"""The interface of a network: token ids and a state in, outputs and the next state out; and what all networks use."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.cells import LayerStates
from charlm.config import ModelConfig


class Network(nn.Module, ABC):
    """What lies between the embedding and the output layer of a language model: L layers whose state is passed in and
    out.

    The parts of a state are tensors (B, ...) of constant size. A network reads a text in windows of any length; the
    outputs are those of a single long window, up to rounding.
    """

    reads_zeros = True
    """Whether the embedding of a token may be zeros. A norm divides by its length, and gradients would explode."""

    @property
    def has_bfloat16_kernel(self) -> bool:
        """Whether this network trains faster in bfloat16 on this CPU."""
        return False

    @property
    @abstractmethod
    def input_weights(self) -> nn.Parameter:
        """The matrix that reads the embeddings, (..., E). Nothing else does, so scaling it scales them."""

    @abstractmethod
    def initialise(self, config: ModelConfig, generator: torch.Generator) -> None:
        """Draw all weights."""

    @abstractmethod
    def initial_state(self, batch: int, like: Tensor) -> LayerStates:
        """The states before the first token of a document, one for each layer, with B = `batch` rows; dtype and device
        are those of `like`."""

    @abstractmethod
    def forward(
        self,
        ids: Tensor,
        embedding: Tensor,
        states: LayerStates,
        generator: torch.Generator | None = None,
        extra: Tensor | None = None,
    ) -> tuple[Tensor, LayerStates]:
        """Run the layers over a window.

        Args:
            ids: token ids, (T, B) int64.
            embedding: the vector of each token, (V, E).
            states: the states before the first step.
            generator: the random generator of dropout in training mode.
            extra: vectors to add to the embeddings of the tokens, (T, B, E).

        Returns:
            Outputs of the last layer, (T, B, H), and the states after the last step.
        """


def dropout(x: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    """Zero each unit of a row with the given probability, and scale the others by 1 / (1 - probability).

    x (T, B, H) has one mask (B, H) for all steps; with a probability of 0, x is returned and nothing drawn. Source: Gal
    and Ghahramani 2016 (arXiv 1512.05287).
    """
    if probability == 0:
        return x
    keep = 1 - probability
    return x * x.new_empty(x.shape[1:]).bernoulli_(keep, generator=generator).div_(keep)


def embed(ids: Tensor, embedding: Tensor, extra: Tensor | None = None) -> Tensor:
    """The embeddings (V, E) of token ids (T, B), plus the extra vectors (T, B, E)."""
    x = F.embedding(ids, embedding)
    return x if extra is None else x + extra
