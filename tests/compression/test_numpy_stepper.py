"""The step in NumPy: the same numbers, to the last bit, as the portable compiled step."""

import numpy as np
import pytest
import torch

from charlm.cells import CELLS
from charlm.compression.numpy_stepper import NumpyStepper
from charlm.kernels import PROGRAMS
from charlm.sampling.steppers import CompiledStepper

SHAPES = [
    {},
    {"ngram_order": 5, "match": True},
    {"match": True, "recent": True},
    {"ngram_order": 5, "context_vectors": 20, "match": True, "recent": True, "num_layers": 2, "embedding_size": 7},
    {
        "ngram_order": 3,
        "context_vectors": 20,
        "embedding_size": 80,
        "hidden_size": 33,
        "skip": "residual",
        "num_layers": 3,
    },
    {"tie_weights": True, "embedding_size": 8},
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", [name for name in CELLS if name in PROGRAMS])
def test_it_equals_the_portable_compiled_step(model_for, dataset, cell: str, shape: dict) -> None:
    model = model_for(dataset, cell=cell, **shape).model
    if not CompiledStepper.supports(model, portable=True):
        pytest.skip("no C compiler here")
    states = model.initial_state(1)
    one, other = CompiledStepper(model, [states], portable=True), NumpyStepper(model, states)
    tokens = [0, *dataset.tokenizer.encode("owl and the owl, a 3 of owls.\nowl and the owl")]
    for token in tokens:
        assert np.array_equal(one.step([token]), other.step([token]))
    one.load(0, states)
    other.load(0, states)
    assert np.array_equal(one.step([5]), other.step([5]))


@pytest.mark.parametrize(
    "shape", [{}, {"kernel_size": 2, "num_layers": 3, "hidden_size": 33, "ngram_order": 5, "context_vectors": 20}]
)
def test_convolutions_equal_the_portable_compiled_step(model_for, dataset, shape: dict) -> None:
    model = model_for(dataset, network="convolution", **shape).model
    if not CompiledStepper.supports(model, portable=True):
        pytest.skip("no C compiler here")
    states = model.initial_state(1)
    one, other = CompiledStepper(model, [states], portable=True), NumpyStepper(model, states)
    for token in [0, *dataset.tokenizer.encode("owl and the owl, a 3 of owls.")]:
        assert np.array_equal(one.step([token]), other.step([token]))
    with torch.no_grad():
        _, states = model(torch.tensor([[3], [4], [5], [6]]))
    one.load(0, states)
    other.load(0, states)
    assert np.array_equal(one.step([5]), other.step([5]))


def test_a_network_that_it_does_not_know_is_refused(model_for, dataset) -> None:
    model = model_for(dataset).model
    assert NumpyStepper.supports(model)
    assert NumpyStepper.supports(model_for(dataset, network="convolution").model)
    assert not NumpyStepper.supports(model.double())
    assert not NumpyStepper.supports(model_for(dataset, network="transformer").model)
