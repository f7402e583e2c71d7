"""A small model and a text for it."""

from collections.abc import Callable

import pytest
import torch

from charlm.model.language_model import LanguageModel


@pytest.fixture
def model_of(network: Callable[..., LanguageModel]) -> Callable[..., LanguageModel]:
    """Make a model of 5 units and 7 tokens in float64; all weights are drawn, biases too."""

    def model_of(cell: str, layers: int = 1, skip: str = "none") -> LanguageModel:
        shape = {"vocab_size": 7, "hidden_size": 5, "embedding_size": 4}
        model = network(seed=3, cell=cell, num_layers=layers, skip=skip, **shape).double().requires_grad_(False)
        generator = torch.Generator().manual_seed(4)
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        return model

    return model_of


@pytest.fixture
def ids() -> torch.Tensor:
    """Two rows of ten tokens."""
    return torch.randint(7, (10, 2), generator=torch.Generator().manual_seed(5))
