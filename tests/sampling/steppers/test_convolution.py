"""The compiled step of convolutions against the model, on random weights."""

import numpy as np
import pytest
import torch

from charlm.compression.portable import portable_stepper
from charlm.config import LabelColumn
from charlm.native.compiler import compiler
from charlm.ngram.model import NgramModel
from charlm.sampling.steppers import ModelStepper, make_stepper
from charlm.sampling.steppers.compiled import CompiledStepper

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler here")


@pytest.fixture(scope="session")
def convolution(network, letters):
    """Make a network of convolutions on n-grams of random letters, whose order weights and vectors are not zero."""

    def convolution(**shape):
        model = network(vocab_size=9, network="convolution", **{"num_layers": 2} | shape).eval()
        generator = torch.Generator().manual_seed(4)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=0.3, generator=generator)
        if model.prior is not None:
            ids = np.array([letters.bos, *np.random.default_rng(1).integers(3, 9, 300)])
            model.build_on(NgramModel.fit(ids, order=model.prior.order, vocab_size=9, bos=letters.bos))
        return model

    return convolution


def check(model, states, *, portable: bool = False) -> None:
    """Forty steps of B texts, the last of which begins again on the way, give the model's logits."""
    assert CompiledStepper.supports(model, portable=portable)
    compiled, plain = CompiledStepper(model, states, portable=portable), ModelStepper(model, states)
    ids = torch.randint(9, (40, len(states)), generator=torch.Generator().manual_seed(3)).tolist()
    for step, tokens in enumerate(ids):
        if step == 13:
            for stepper in (compiled, plain):
                stepper.load(len(states) - 1, model.initial_state(1))
        np.testing.assert_allclose(compiled.step(tokens), plain.step(tokens), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"kernel_size": 2, "num_layers": 4},
        {"kernel_size": 5, "num_layers": 1, "hidden_size": 33},
        {"tie_weights": True, "embedding_size": 8},
        {"ngram_order": 4, "context_vectors": 30, "match": True},
    ],
)
@pytest.mark.parametrize("batch", [1, 13])
def test_it_gives_the_models_logits(convolution, states_of, batch: int, shape: dict) -> None:
    model = convolution(**shape)
    check(model, states_of(model, batch))


@pytest.mark.parametrize("shape", [{}, {"ngram_order": 4, "context_vectors": 30, "match": True}])
def test_the_portable_step_gives_them_too(convolution, states_of, shape: dict) -> None:
    model = convolution(**shape)
    check(model, states_of(model, 1), portable=True)
    assert isinstance(portable_stepper(model), CompiledStepper)


@pytest.mark.parametrize("shape", [{}, {"ngram_order": 4, "context_vectors": 30, "match": True}])
def test_each_text_has_its_own_labels(convolution, shape: dict) -> None:
    model = convolution(labels=(LabelColumn(name="stars", values=("1", "5"), documents=(1, 1)),), **shape)
    factors = torch.tensor([[1.0, 0.0], [0.5, -2.0], [0.0, 0.0]])
    check(model, [model.with_labels(row).initial_state(1) for row in factors])


def test_rows_can_be_rearranged_and_added(convolution, states_of) -> None:
    model = convolution()
    states = states_of(model, 3)
    steppers = CompiledStepper(model, states), ModelStepper(model, states)
    for rows, tokens in (([0, 1, 2], [3, 4, 5]), ([2, 0], [6, 7]), ([1, 1, 0, 0], [3, 4, 5, 6])):
        for stepper in steppers:
            stepper.take(rows)
        one, other = (stepper.step(tokens) for stepper in steppers)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_it_is_the_stepper_of_convolutions(convolution) -> None:
    model = convolution()
    assert isinstance(make_stepper(model, [model.initial_state(1)]), CompiledStepper)
    assert not CompiledStepper.supports(model.double())
