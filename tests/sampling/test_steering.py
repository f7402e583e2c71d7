"""A state that is held: on a model whose unit 3 says which letter it writes."""

from collections import Counter

import numpy as np
import pytest
import torch
from planted import TOKENS, UNIT, planted
from toys import network

from charlm.errors import ConfigError
from charlm.sampling import SampleConfig, beam_search, write_many
from charlm.sampling.session import Session
from charlm.sampling.steering import Hold, Steered, names_unit, parse_steer
from charlm.sampling.steppers import ModelStepper, SteeredStepper, prepare

ONE = np.eye(6, dtype=np.float32)[UNIT]


def hold(value: float, vector: np.ndarray = ONE) -> Hold:
    return Hold(layer=0, part=0, vector=vector, value=value)


def texts(value: float | None, batch: int = 1, **settings) -> list[str]:
    config = SampleConfig(length=20, prefix_in_output=False, **settings)
    steering = [] if value is None else [hold(value)]
    found = write_many(planted(), TOKENS, seed=1, num=6, batch=batch, prefix="ab", config=config, steering=steering)
    return [one.text for one in found]


def test_a_held_unit_says_what_is_written() -> None:
    assert 20 < Counter("".join(texts(None)))["a"] < 100
    for value, letter in ((10.0, "a"), (-10.0, "b")):
        for text in texts(value):
            assert set(text) == {letter}


@pytest.mark.parametrize("settings", [{"top_k": 1}, {"temperature": "0.5..2"}, {"ban": ("bbb",)}, {"typical": 0.9}])
def test_it_goes_with_other_controls_and_batches(settings: dict) -> None:
    alone = texts(-0.1, **settings)
    assert alone == texts(-0.1, batch=4, **settings)
    if "ban" in settings:
        assert not any("bbb" in text for text in alone)


@pytest.mark.parametrize("cell", ["lstm", "rnn", "gru-reset-after", "gru", "mlstm"])
@pytest.mark.parametrize("part", [0, -1])
@pytest.mark.parametrize("single", [True, False])
def test_every_stepper_holds_as_the_equations_do(cell: str, single: bool, part: int) -> None:
    model = network(TOKENS, cell, num_layers=2)
    vector = np.random.default_rng(1).normal(size=12).astype(np.float32)
    steering = [Hold(layer=1, part=part, vector=vector / np.linalg.norm(vector), value=0.7)]
    states = model.initial_state(1)
    stepper = prepare(model, [states], single=single, steering=steering)
    for token in (3, 4, 3, 5):
        with torch.no_grad():
            logits, states = model(torch.tensor([[token]]), states)
        states = tuple(tuple(part.clone() for part in state) for state in states)
        moved = steering[0](states[1][part].numpy())
        if part == 0:  # what the output layer reads
            logits = logits + torch.from_numpy(moved * (model.output.detach().numpy() @ steering[0].vector))
        np.testing.assert_allclose(stepper.step([token])[0], logits[0, 0].numpy(), rtol=1e-3, atol=1e-4)


def test_a_hold_in_the_last_hidden_state_is_what_the_output_layer_reads() -> None:
    model = network(TOKENS, "lstm", num_layers=2)
    vector = np.eye(12, dtype=np.float32)[5]
    stepper = prepare(model, [model.initial_state(1)], steering=[Hold(layer=1, part=0, vector=vector, value=2.5)])
    with torch.no_grad():
        _, hidden, _ = model.read(torch.tensor([[4]]))
        hidden[..., 5] = 2.5
        wanted = hidden @ model.output.T + model.output_bias
    np.testing.assert_allclose(stepper.step([4])[0], wanted[0, 0].numpy(), rtol=1e-4, atol=1e-4)


def test_a_hold_moves_along_its_direction_alone() -> None:
    vector = np.array([0.6, 0.8, 0.0], np.float32)
    states = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]], np.float32)
    before = states.copy()
    hold(2.0, vector)(states)
    np.testing.assert_allclose(states @ vector, [2, 2], rtol=1e-6)
    moved = states - before
    np.testing.assert_allclose(moved - (moved @ vector)[:, None] * vector, 0, atol=1e-6)


def test_states_that_are_given_stay_as_they_are() -> None:
    states = planted().initial_state(2)
    after = Steered(planted(), [hold(1.0)]).states(states, np.zeros((2, TOKENS.vocab_size)))
    assert states[0][0].abs().sum() == 0 and after[0][0][:, UNIT].tolist() == [1, 1]


def test_a_beam_and_a_person_are_steered_too() -> None:
    config = SampleConfig(length=5, prefix_in_output=False)
    for value, letter in ((10.0, "a"), (-10.0, "b")):
        best = beam_search(planted(), TOKENS, width=4, prefix="ab", config=config, steering=[hold(value)])[0]
        assert set(best.text) == {letter}
        session = Session(planted(), TOKENS, torch.Generator(), prefix="ab", steering=[hold(value)])
        assert session.offers(1)[0].text == letter
        session.type("a")
        assert session.offers(1)[0].text == letter


def test_steering_that_leaves_no_numbers_is_named() -> None:
    model = planted()
    with torch.no_grad():
        model.recurrent.layers[0].get_parameter("recurrent")[:] = torch.eye(6)
        model.output[:] = 2e38
    steered = Steered(model, [hold(1e6, np.full(6, 6**-0.5, np.float32))])
    stepper = SteeredStepper(ModelStepper(model, [model.initial_state(1)]), steered)
    with pytest.raises(ConfigError, match="throws the model off"):  # all units at 1, and 6 * 2e38 is no float
        stepper.step([3])


def test_forms() -> None:
    assert parse_steer("sentiment=+2") == ("sentiment", 2.0)
    assert parse_steer("0:12:c=-1.5") == ("0:12:c", -1.5)
    assert names_unit("0:12") and names_unit("0:12:c") and not names_unit("sentiment")
    for wrong in ("sentiment", "=2", "a=x", "a=nan", "a=inf", "0:1=1e7"):
        with pytest.raises(ConfigError, match="--steer is"):
            SampleConfig(steer=(wrong,))
