"""The prepared path against the model, on random weights."""

import numpy as np
import pytest
import torch

from charlm.cells import CELLS
from charlm.ngram.model import NgramModel
from charlm.sampling import fused
from charlm.sampling.fused import FUSED, FusedStepper
from charlm.sampling.steppers import ModelStepper, prepare
from tests.sampling.conftest import LETTERS
from tests.sampling.conftest import random_bigrams as bigrams
from tests.sampling.conftest import uneven_network as network


class NumpyStepper(FusedStepper):
    """The fused path where there is no C compiler."""

    def __init__(self, model, states) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fused, "compiled", lambda: None)
            super().__init__(model, states)


STEPPERS = [FusedStepper, NumpyStepper, ModelStepper]


def states_of(model, batch: int):
    """Random states of single texts."""
    generator = torch.Generator().manual_seed(batch)
    return [
        tuple(
            tuple(torch.rand(part.shape, generator=generator) - 0.5 for part in state)
            for state in model.initial_state(1)
        )
        for _ in range(batch)
    ]


@pytest.mark.parametrize("stepper", STEPPERS)
@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", [*FUSED])
@pytest.mark.parametrize("tied", [False, True])
def test_it_gives_the_models_logits(stepper, cell: str, layers: int, batch: int, tied: bool) -> None:
    tying = {"tie_weights": True, "embedding_size": 12} if tied else {}
    model = network(LETTERS, cell, spread=1.0, num_layers=layers, **tying)
    beginnings = states_of(model, batch)
    made = stepper(model, beginnings)
    ids = torch.randint(9, (20, batch), generator=torch.Generator().manual_seed(3))
    found = torch.stack([torch.from_numpy(made.step(tokens.tolist()).copy()) for tokens in ids])  # (T, B, V)
    for row, beginning in enumerate(beginnings):
        with torch.no_grad():
            expected, _ = model(ids[:, row : row + 1], beginning)
        torch.testing.assert_close(found[:, row], expected[:, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("stepper", STEPPERS)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("vectors", "size"), [(0, 8), (30, 8), (30, 40)])
def test_it_heeds_the_prior_and_the_vectors_of_contexts(stepper, batch: int, vectors: int, size: int) -> None:
    shape = {"ngram_order": 4, "context_vectors": vectors, "embedding_size": size}
    model = network(LETTERS, "lstm", spread=1.0, num_layers=2, **shape)
    text = np.random.default_rng(1).integers(3, 9, 200)
    ngram = NgramModel.fit(np.array([LETTERS.bos, *text]), order=4, vocab_size=9, bos=LETTERS.bos)
    with torch.no_grad():
        if vectors:
            model.contexts.vectors.normal_(generator=torch.Generator().manual_seed(1))
        model.build_on(ngram)
        model.prior.weight.copy_(torch.linspace(-1, 1, 12))
        model.prior.bias.copy_(torch.tensor([[0.5, 1.0, 1.5, 0.1], [0.2, 0.3, -0.1, 0.6]]))
    ids = torch.from_numpy(text[:198].astype(np.int64)).view(-1, batch)[:20]
    made = stepper(model, [model.initial_state(1)] * (batch + 1))
    made.take([*range(batch)])
    found = torch.stack([torch.from_numpy(made.step(tokens.tolist()).copy()) for tokens in ids])
    with torch.no_grad():
        expected, states = model(ids)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    made.load(0, tuple(tuple(part[:1] for part in state) for state in states))
    with torch.no_grad():
        expected, _ = model(ids[:1, :1], tuple(tuple(part[:1] for part in state) for state in states))
    torch.testing.assert_close(torch.from_numpy(made.step(ids[0].tolist())[0]), expected[0, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", [*FUSED])
def test_a_large_vocabulary_does_without_the_table(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(LETTERS, cell, num_layers=2)
    for batch in (1, 3):
        with_table = FusedStepper(model, states_of(model, batch)).step([4] * batch).copy()
        monkeypatch.setattr(fused, "LARGEST_TABLE", 0)
        without = FusedStepper(model, states_of(model, batch)).step([4] * batch)
        monkeypatch.undo()
        torch.testing.assert_close(torch.from_numpy(without), torch.from_numpy(with_table))


@pytest.mark.parametrize("stepper", STEPPERS)
@pytest.mark.parametrize("cell", [*FUSED])
def test_rows_are_loaded_and_taken(stepper, cell: str) -> None:
    model = network(LETTERS, cell, num_layers=2)
    states = states_of(model, 4)
    alone = [stepper(model, [state]).step([3])[0].copy() for state in states]
    made = stepper(model, states[:3])
    made.load(1, states[3])
    made.take([2, 1])
    rows = made.step([3, 3])
    assert len(rows) == 2
    for found, expected in zip(rows, (alone[2], alone[3]), strict=True):
        torch.testing.assert_close(torch.from_numpy(found), torch.from_numpy(expected), rtol=1e-5, atol=1e-5)
    made.take([0])
    assert made.step([3]).shape == (1, 9)


def test_a_step_leaves_the_states_it_was_given() -> None:
    model = network(LETTERS)
    states = states_of(model, 2)
    before = [part.clone() for one in states for state in one for part in state]
    for stepper in STEPPERS:
        stepper(model, states).step([3, 4])
    assert all(torch.equal(*pair) for pair in zip(before, (p for one in states for s in one for p in s), strict=True))


def test_many_texts_of_an_lstm_go_through_torchs_layer() -> None:
    for cell, kind in (("lstm", ModelStepper), ("rnn", FusedStepper)):
        model = network(LETTERS, cell)
        assert type(prepare(model, states_of(model, 32))) is kind
        assert type(prepare(model, states_of(model, 31))) is FusedStepper


def test_what_is_not_known_goes_through_the_model() -> None:
    assert set(FUSED) <= set(CELLS)
    for cell in FUSED:
        assert isinstance(prepare(network(LETTERS, cell), states_of(network(LETTERS, cell), 1)), FusedStepper)
    model = network(LETTERS)
    model.register_parameter("more", torch.nn.Parameter(torch.zeros(1)))
    assert not FusedStepper.supports(model)
    assert not FusedStepper.supports(network(LETTERS).bfloat16())
    assert not FusedStepper.supports(network(LETTERS, num_layers=2, skip="residual"))
    assert not FusedStepper.supports(bigrams(9))
    assert isinstance(prepare(bigrams(9), [((torch.zeros(1, 1),),)]), ModelStepper)


@pytest.mark.parametrize("cell", [*CELLS])
@pytest.mark.parametrize("skip", ["none", "residual"])
def test_every_cell_is_sampled_as_the_model_has_it(cell: str, skip: str) -> None:
    """Whichever path is taken, B rows with states of their own give the model's logits."""
    model = network(LETTERS, cell, spread=1.0, num_layers=2, skip=skip)
    beginnings = states_of(model, 3)
    made = prepare(model, beginnings)
    assert isinstance(made, FusedStepper) == (cell in FUSED and skip == "none")
    made.load(0, beginnings[2])
    made.take([2, 0, 1])
    ids = torch.randint(9, (10, 3), generator=torch.Generator().manual_seed(3))
    found = torch.stack([torch.from_numpy(made.step(tokens.tolist()).copy()) for tokens in ids])
    for row, beginning in enumerate((beginnings[2], beginnings[2], beginnings[1])):
        with torch.no_grad():
            expected, _ = model(ids[:, row : row + 1], beginning)
        torch.testing.assert_close(found[:, row], expected[:, 0], rtol=1e-5, atol=1e-5)
