from collections.abc import Callable

import pytest
import torch

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel


@pytest.fixture(scope="session")
def states_of() -> Callable[..., list[LayerStates]]:
    """Make random states of B single texts."""

    def states_of(model: LanguageModel, batch: int) -> list[LayerStates]:
        generator = torch.Generator().manual_seed(batch)
        return [
            tuple(
                tuple(
                    torch.rand(part.shape, generator=generator) - 0.5 if part.is_floating_point() else part
                    for part in state
                )
                for state in model.initial_state(1)
            )
            for _ in range(batch)
        ]

    return states_of
