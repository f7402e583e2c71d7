"""The compiled path of one text against the model."""

import numpy as np
import pytest
import torch

from charlm.native.compiler import compiler
from charlm.ngram.model import NgramModel
from charlm.sampling import fused, native
from charlm.sampling.fused import FUSED, FusedStepper
from charlm.sampling.native import NativeStepper
from charlm.sampling.steppers import ModelStepper, prepare
from tests.sampling.conftest import LETTERS
from tests.sampling.conftest import uneven_network as network

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler here")


def states_of(model, seed: int = 1):
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        tuple(torch.rand(part.shape, generator=generator) - 0.5 if part.is_floating_point() else part for part in state)
        for state in model.initial_state(1)
    )


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", [*FUSED])
@pytest.mark.parametrize("size", [7, 64, 130])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("order", [0, 4, 7])
def test_it_gives_the_models_logits(cell: str, layers: int, size: int, tied: bool, order: int) -> None:
    options = {"tie_weights": True, "embedding_size": size} if tied else {}
    options |= {"ngram_order": order, "context_vectors": 60 if order == 7 else 0}
    model = network(LETTERS, cell, spread=1.0, num_layers=layers, hidden_size=size, **options)
    if order:
        text = np.random.default_rng(1).integers(3, 9, 300)
        with torch.no_grad():
            model.prior.weight.copy_(torch.randn(model.prior.weight.shape, generator=torch.Generator().manual_seed(2)))
            if model.contexts is not None:
                model.contexts.vectors.normal_(std=0.3, generator=torch.Generator().manual_seed(3))
        model.build_on(NgramModel.fit(np.array([LETTERS.bos, *text]), order=order, vocab_size=9, bos=LETTERS.bos))
    assert NativeStepper.supports(model)
    made = NativeStepper(model, states_of(model))
    ids = torch.randint(9, (20, 1), generator=torch.Generator().manual_seed(3))
    found = np.stack([made.step([int(token)]).copy()[0] for token in ids])
    with torch.no_grad():
        expected, after = model(ids, states_of(model))
        torch.testing.assert_close(torch.from_numpy(found), expected[:, 0], rtol=1e-4, atol=1e-4)
        again, _ = model(ids[:1], after)
    made.load(0, after)
    made.take([0])
    torch.testing.assert_close(torch.from_numpy(made.step(ids[0].tolist())), again[0], rtol=1e-4, atol=1e-4)


def test_a_large_vocabulary_does_without_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(LETTERS, "lstm", num_layers=2)
    with_table = NativeStepper(model, states_of(model)).step([4]).copy()
    monkeypatch.setattr(fused, "LARGEST_TABLE", 0)
    without = NativeStepper(model, states_of(model)).step([4])
    np.testing.assert_allclose(without, with_table, rtol=1e-4, atol=1e-5)


def test_it_is_taken_for_one_text_of_single_precision() -> None:
    model = network(LETTERS, "lstm")
    assert isinstance(prepare(model, [states_of(model)], single=True), NativeStepper)
    assert isinstance(prepare(model, [states_of(model)]), FusedStepper)
    assert not NativeStepper.supports(network(LETTERS, "lstm").double())
    assert not NativeStepper.supports(network(LETTERS, "mut1"))
    assert isinstance(
        prepare(network(LETTERS, "mut1"), [network(LETTERS, "mut1").initial_state(1)], single=True), ModelStepper
    )


def test_without_a_compiler_the_fused_path_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "compiled", lambda: None)
    model = network(LETTERS, "lstm")
    assert isinstance(prepare(model, [states_of(model)], single=True), FusedStepper)
