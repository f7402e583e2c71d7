"""The compiled step of a transformer against the model, on random weights."""

import pytest
import torch

from charlm.compression.portable import portable_stepper
from charlm.kernels import compiled
from charlm.kernels.program import TRANSFORMER
from charlm.native.compiler import compiler
from charlm.sampling.steppers.compiled import CompiledStepper
from charlm.sampling.steppers.layout import StepWeights
from charlm.sampling.steppers.transformer import TransformerLayout

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler here")


def states_after(model, lengths: list[int]):
    """The state of a text after each number of random tokens."""
    ids = torch.randint(9, (max(lengths), 1), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        return [model(ids[:length])[1] if length else model.initial_state(1) for length in lengths]


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"attention_span": 5, "heads": 1, "num_layers": 1},
        {"attention_span": 1, "heads": 2, "num_layers": 3},
        {"attention_span": 13, "heads": 4, "tie_weights": True, "embedding_size": 8},
        {"attention_span": 7, "heads": 3, "hidden_size": 102},
        {"attention_span": 6, "ngram_order": 4, "context_vectors": 30, "match": True},
        {"attention_span": 6, "match": True, "recent": True},
    ],
)
@pytest.mark.parametrize("lengths", [[0], [50], [0, 3, 50], [3, 5, 6, 7, 12, 13, 14, 0, 1, 2, 50, 9, 4]], ids=str)
def test_it_gives_the_models_logits(random_network, check_steps, lengths: list[int], shape: dict) -> None:
    """The texts are longer than the span, shorter, and just as long, and begin anywhere in a period of the step."""
    model = random_network("transformer", **shape)
    check_steps(model, states_after(model, lengths))


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_threads_share_the_heads(random_network, check_steps, heads: int) -> None:
    torch.set_num_threads(3)
    model = random_network("transformer", hidden_size=132, heads=heads, attention_span=5)
    check_steps(model, states_after(model, [0, 3, 50]))


def test_its_memory_has_a_constant_size(random_network) -> None:
    model = random_network("transformer", attention_span=6)
    code = compiled.program_library(TRANSFORMER, torch.float32)
    assert code is not None
    layout = TransformerLayout(StepWeights(model, code, portable=False), rows=1)
    assert [[tuple(part.shape) for part in layer] for layer in layout.histories] == [[(12, 1, 8)] * 2 + [(7, 1)]] * 2


def test_it_has_no_portable_form(random_network) -> None:
    model = random_network("transformer")
    assert CompiledStepper.supports(model) and not CompiledStepper.supports(model, portable=True)
    assert portable_stepper(model) is None
