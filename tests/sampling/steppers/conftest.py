from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel
from charlm.ngram.model import NgramModel
from charlm.sampling.steppers import ModelStepper
from charlm.sampling.steppers.compiled import CompiledStepper


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


@pytest.fixture(scope="session")
def random_network(network, letters) -> Callable[..., LanguageModel]:
    """Make a network of a kind on n-grams of random letters, with no weight that is zero."""

    def random_network(kind: str, **shape: Any) -> LanguageModel:
        model = network(vocab_size=9, network=kind, **{"num_layers": 2} | shape).eval()
        generator = torch.Generator().manual_seed(4)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=0.3, generator=generator)
        if model.prior is not None:
            ids = np.array([letters.bos, *np.random.default_rng(1).integers(3, 9, 300)])
            model.build_on(NgramModel.fit(ids, order=model.prior.order, vocab_size=9, bos=letters.bos))
        return model

    return random_network


@pytest.fixture(scope="session")
def check_rearranged() -> Callable[..., None]:
    """Check that the steps of texts that are rearranged, left out and added give the model's logits; B = 3."""

    def check_rearranged(model: LanguageModel, states: list[LayerStates]) -> None:
        made = CompiledStepper(model, states), ModelStepper(model, states)
        for _ in range(5):
            for rows in ([0, 1, 2], [2, 0], [1, 1, 0, 0]):
                tokens = [3 + row for row in rows]
                for stepper in made:
                    stepper.take(rows)
                np.testing.assert_allclose(*(stepper.step(tokens) for stepper in made), rtol=1e-4, atol=1e-4)

    return check_rearranged


@pytest.fixture(scope="session")
def check_steps() -> Callable[..., None]:
    """Check that forty steps of B texts, the last of which begins again on the way, give the model's logits."""

    def check_steps(model: LanguageModel, states: list[LayerStates], *, portable: bool = False) -> None:
        assert CompiledStepper.supports(model, portable=portable)
        compiled, plain = CompiledStepper(model, states, portable=portable), ModelStepper(model, states)
        ids = torch.randint(9, (40, len(states)), generator=torch.Generator().manual_seed(3)).tolist()
        for step, tokens in enumerate(ids):
            if step == 13:
                for stepper in (compiled, plain):
                    stepper.load(len(states) - 1, model.initial_state(1))
            np.testing.assert_allclose(compiled.step(tokens), plain.step(tokens), rtol=1e-4, atol=1e-4)

    return check_steps
