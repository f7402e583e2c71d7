"""A state that is held: on a model whose unit 3 says which letter it writes."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from charlm.errors import ConfigError
from charlm.sampling import SampleConfig, beam_search, generate_many
from charlm.sampling.config import Steer, parse_steer
from charlm.sampling.session import Session
from charlm.sampling.steering import FixedComponent, Steered
from charlm.sampling.steppers import ModelStepper, SteeredStepper, make_stepper


def fixed(value: float, vector: np.ndarray | None = None) -> FixedComponent:
    """Fix the first hidden state along a vector: by itself along the planted unit, 3 of 6."""
    return FixedComponent(
        layer=0, part=0, vector=np.eye(6, dtype=np.float32)[3] if vector is None else vector, value=value
    )


@pytest.fixture
def steered(planted, sample_config):
    """Write six texts with the planted unit held at a value; None leaves it alone."""

    def steered(value: float | None, batch: int = 1, **settings) -> list[str]:
        config = sample_config(length=20, prefix_in_output=False, **settings)
        options = {"prefix": "ab", "config": config, "steering": [] if value is None else [fixed(value)]}
        texts = generate_many(planted.model(), planted.tokenizer, seed=1, num=6, batch=batch, **options)
        return [text.text for text in texts]

    return steered


def test_a_held_unit_says_what_is_written(steered) -> None:
    assert 20 < Counter("".join(steered(None)))["a"] < 100
    for value, letter in ((10.0, "a"), (-10.0, "b")):
        for text in steered(value):
            assert set(text) == {letter}


@pytest.mark.parametrize("settings", [{"top_k": 1}, {"temperature": "0.5..2"}, {"ban": ("bbb",)}, {"typical": 0.9}])
def test_it_goes_with_other_controls_and_batches(steered, settings: dict) -> None:
    alone = steered(-0.1, **settings)
    assert alone == steered(-0.1, batch=4, **settings)
    if "ban" in settings:
        assert not any("bbb" in text for text in alone)


@pytest.mark.parametrize("cell", ["lstm", "rnn", "gru-reset-after", "gru", "mlstm"])
@pytest.mark.parametrize("part", [0, -1])
@pytest.mark.parametrize("single", [True, False])
def test_every_stepper_fixes_components_as_the_equations_do(
    uneven, planted, cell: str, single: bool, part: int
) -> None:
    model = uneven(planted.tokenizer, cell, num_layers=2)
    vector = np.random.default_rng(1).normal(size=12).astype(np.float32)
    steering = [FixedComponent(layer=1, part=part, vector=vector / np.linalg.norm(vector), value=0.7)]
    states = model.initial_state(1)
    stepper = make_stepper(model, [states] if single else [states, states], steering=steering)
    for token in (3, 4, 3, 5):
        with torch.no_grad():
            logits, states = model(torch.tensor([[token]]), states)
        states = tuple(tuple(part.clone() for part in state) for state in states)
        moved = steering[0](states[1][part].numpy())
        if part == 0:  # what the output layer reads
            logits = logits + torch.from_numpy(moved * (model.output.detach().numpy() @ steering[0].vector))
        np.testing.assert_allclose(
            stepper.step([token] * (1 if single else 2))[-1], logits[0, 0].numpy(), rtol=1e-3, atol=1e-4
        )


def test_a_fixed_component_of_the_last_hidden_state_is_what_the_output_layer_reads(uneven, planted) -> None:
    model = uneven(planted.tokenizer, "lstm", num_layers=2)
    vector = np.eye(12, dtype=np.float32)[5]
    stepper = make_stepper(
        model, [model.initial_state(1)], steering=[FixedComponent(layer=1, part=0, vector=vector, value=2.5)]
    )
    with torch.no_grad():
        _, hidden, _ = model.read(torch.tensor([[4]]))
        hidden[..., 5] = 2.5
        wanted = hidden @ model.output.T + model.output_bias
    np.testing.assert_allclose(stepper.step([4])[0], wanted[0, 0].numpy(), rtol=1e-4, atol=1e-4)


def test_fixing_a_component_moves_along_its_direction_alone() -> None:
    vector = np.array([0.6, 0.8, 0.0], np.float32)
    states = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]], np.float32)
    before = states.copy()
    fixed(2.0, vector)(states)
    np.testing.assert_allclose(states @ vector, [2, 2], rtol=1e-6)
    moved = states - before
    np.testing.assert_allclose(moved - (moved @ vector)[:, None] * vector, 0, atol=1e-6)


def test_states_that_are_given_stay_as_they_are(planted) -> None:
    states = planted.model().initial_state(2)
    after = Steered(planted.model(), [fixed(1.0)]).states(states, np.zeros((2, planted.tokenizer.vocab_size)))
    assert states[0][0].abs().sum() == 0 and after[0][0][:, planted.unit].tolist() == [1, 1]


def test_a_beam_and_a_person_are_steered_too(planted) -> None:
    config = SampleConfig(length=5, prefix_in_output=False)
    for value, letter in ((10.0, "a"), (-10.0, "b")):
        best = beam_search(
            planted.model(), planted.tokenizer, width=4, prefix="ab", config=config, steering=[fixed(value)]
        )[0]
        assert set(best.text) == {letter}
        session = Session(planted.model(), planted.tokenizer, torch.Generator(), prefix="ab", steering=[fixed(value)])
        assert session.offers(1)[0].text == letter
        session.type("a")
        assert session.offers(1)[0].text == letter


def test_steering_that_leaves_no_numbers_is_named(planted) -> None:
    model = planted.model()
    with torch.no_grad():
        model.recurrent.layers[0].get_parameter("recurrent")[:] = torch.eye(6)
        model.output[:] = 2e38
    steered = Steered(model, [fixed(1e6, np.full(6, 6**-0.5, np.float32))])
    stepper = SteeredStepper(ModelStepper(model, [model.initial_state(1)]), steered)
    with pytest.raises(
        ConfigError, match="probabilities are no longer finite; give a smaller value"
    ):  # all units at 1, and 6 * 2e38 is no float
        stepper.step([3])


def test_steering_is_parsed_from_the_command_line() -> None:
    assert parse_steer("sentiment=+2") == Steer("sentiment", 2.0)
    assert parse_steer("0:12:c=-1.5") == Steer("0:12:c", -1.5)
    for wrong in ("sentiment", "=2", "a=x", "a=nan", "a=inf", "0:1=1e7"):
        with pytest.raises(ConfigError, match="--steer is"):
            parse_steer(wrong)
    with pytest.raises(ConfigError, match="--steer of a is nan"):
        SampleConfig(steer=(Steer("a", math.nan),))
