"""The compiled step of convolutions against the model, on random weights."""

import pytest

from charlm.compression.portable import portable_stepper
from charlm.native.compiler import compiler
from charlm.sampling.steppers.compiled import CompiledStepper

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler here")


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
def test_it_gives_the_models_logits(random_network, check_steps, states_of, batch: int, shape: dict) -> None:
    model = random_network("convolution", **shape)
    check_steps(model, states_of(model, batch))


@pytest.mark.parametrize("shape", [{}, {"ngram_order": 4, "context_vectors": 30, "match": True}])
def test_the_portable_step_gives_them_too(random_network, check_steps, states_of, shape: dict) -> None:
    model = random_network("convolution", **shape)
    check_steps(model, states_of(model, 1), portable=True)
    assert isinstance(portable_stepper(model), CompiledStepper)
