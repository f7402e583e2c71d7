"""What every stepper does alike, and which one is taken."""

import pytest
import torch

from charlm.cells import CELLS
from charlm.config import LabelColumn
from charlm.errors import ConfigError
from charlm.native.compiler import compiler
from charlm.sampling import steppers
from charlm.sampling.steppers import CompiledStepper, ModelStepper, make_stepper

SHAPES = {"convolution": {}, "transformer": {"attention_span": 6}}
compiled = pytest.mark.skipif(compiler() is None, reason="no C compiler here")
STEPPERS = [ModelStepper] if compiler() is None else [CompiledStepper, ModelStepper]


@pytest.mark.parametrize("stepper", STEPPERS)
@pytest.mark.parametrize("cell", ["rnn", "rnn-skip", "lstm", "gru", "mingru"])
def test_rows_are_loaded_and_taken(uneven, letters, states_of, stepper, cell: str) -> None:
    model = uneven(letters, cell, num_layers=2)
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


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
@pytest.mark.parametrize("stepper", STEPPERS)
@pytest.mark.parametrize("cell", ["lstm", "rnn-skip", "mlstm"])
def test_rows_multiply_in_the_middle_of_a_text(uneven, letters, states_of, stepper, cell: str, steps: int) -> None:
    """As in a beam search: B grows beyond what it began with, and the states stay those of their texts."""
    model = uneven(letters, cell, spread=1.0, num_layers=2)
    beginnings = states_of(model, 2)
    made = stepper(model, beginnings)
    ids = torch.randint(9, (steps + 3, 2), generator=torch.Generator().manual_seed(3))
    for tokens in ids[:steps]:
        made.step(tokens.tolist())
    made.take([1, 0, 1, 1])
    for tokens in ids[steps:]:
        rows = made.step([int(tokens[row]) for row in (1, 0, 1, 1)])
    for row, text in enumerate((1, 0, 1, 1)):
        with torch.no_grad():
            expected, _ = model(ids[:, text : text + 1], beginnings[text])
        torch.testing.assert_close(torch.from_numpy(rows[row]), expected[-1, 0], rtol=1e-4, atol=1e-4)


def test_a_step_leaves_the_states_it_was_given(uneven, letters, states_of) -> None:
    model = uneven(letters)
    states = states_of(model, 2)
    before = [part.clone() for one in states for state in one for part in state]
    for stepper in STEPPERS:
        stepper(model, states).step([3, 4])
    assert all(torch.equal(*pair) for pair in zip(before, (p for one in states for s in one for p in s), strict=True))


@compiled
@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("cell", [*CELLS])
def test_every_cell_is_stepped_by_compiled_code(uneven, letters, states_of, cell: str, batch: int) -> None:
    model = uneven(letters, cell, skip="residual", num_layers=2)
    assert isinstance(make_stepper(model, states_of(model, batch)), CompiledStepper)


@compiled
@pytest.mark.parametrize("more", [{}, {"ngram_order": 4, "context_vectors": 30, "match": True}])
@pytest.mark.parametrize("kind", SHAPES)
def test_each_text_of_another_network_has_its_own_labels(random_network, check_steps, kind: str, more: dict) -> None:
    labels = (LabelColumn(name="stars", values=("1", "5"), documents=(1, 1)),)
    model = random_network(kind, labels=labels, **SHAPES[kind], **more)
    factors = torch.tensor([[1.0, 0.0], [0.5, -2.0], [0.0, 0.0]])
    check_steps(model, [model.with_labels(row).initial_state(1) for row in factors])


@compiled
@pytest.mark.parametrize("kind", SHAPES)
def test_texts_of_another_network_are_rearranged_and_added(
    random_network, states_of, check_rearranged, kind: str
) -> None:
    model = random_network(kind, **SHAPES[kind])
    check_rearranged(model, states_of(model, 3))


@compiled
@pytest.mark.parametrize("kind", SHAPES)
def test_other_networks_are_stepped_by_compiled_code(random_network, kind: str) -> None:
    model = random_network(kind)
    stepper = make_stepper(model, [model.initial_state(1)])
    assert isinstance(stepper, CompiledStepper)
    with pytest.raises(ConfigError, match=f"a {kind} has no recurrent state to change"):
        stepper.change(0, 0, lambda states: states)
    assert not CompiledStepper.supports(model.double())


def test_what_it_does_not_know_goes_through_the_model(bigrams) -> None:
    assert isinstance(make_stepper(bigrams(9), [((torch.zeros(1, 1),),)]), ModelStepper)


def test_without_a_compiler_the_model_is_called(uneven, letters, states_of, monkeypatch: pytest.MonkeyPatch) -> None:
    model = uneven(letters)
    monkeypatch.setattr("charlm.sampling.steppers.compiled.native_library", lambda: None)
    assert isinstance(make_stepper(model, states_of(model, 1)), ModelStepper)
    monkeypatch.setattr(steppers, "CompiledStepper", None)
    assert isinstance(make_stepper(model, states_of(model, 1)), ModelStepper)
