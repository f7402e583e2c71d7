"""States and gates through time, against the equations spelt out."""

import pytest
import torch

from charlm.analysis.units.activations import follow
from charlm.cells import CELLS
from charlm.cells.gates import logistic_gates
from charlm.model.language_model import LanguageModel

GATES = {
    **{"rnn": "", "irnn": "", "rnn-skip": "", "lstm-1997": "io", "lstm": "ifo", "lstm-f": "io", "lstm-i": "fo"},
    **{"lstm-o": "if", "gru": "ru", "gru-reset-after": "ru", "mut1": "zr", "mut2": "rz", "mut3": "rz"},
    **{"mlstm": "ifo", "mingru": "z"},
}


@pytest.fixture
def model_of(network):
    """Make a model of two layers in double precision, with biases that tell the gates apart."""

    def model_of(cell: str, **shape) -> LanguageModel:
        sizes = {"vocab_size": 9, "hidden_size": 5, "embedding_size": 3, "num_layers": 2} | shape
        model = network(cell=cell, **sizes).double().eval()
        with torch.no_grad():
            for layer in model.recurrent.layers:
                layer.bias.normal_(generator=torch.Generator().manual_seed(2))
        return model

    return model_of


def test_the_gates_of_every_cell_are_known_by_name() -> None:
    assert {name: "".join(logistic_gates(cell)) for name, cell in CELLS.items()} == GATES


@pytest.mark.parametrize(("cell", "skip"), [*((cell, "none") for cell in CELLS), ("lstm", "residual")])
@torch.inference_mode()
def test_states_are_those_that_the_model_hands_on(model_of, cell: str, skip: str) -> None:
    model = model_of(cell, skip=skip, num_layers=3)
    ids = torch.randint(9, (7, 2), generator=torch.Generator().manual_seed(3))
    _, before = model(ids[:2])
    found, _ = follow(model, ids[2:], before)
    states = before
    for step in range(5):
        _, states = model(ids[step + 2 : step + 3], states)
        for layer, state in zip(found, states, strict=True):
            for name, part in zip(model.recurrent.cell.states, state, strict=True):
                assert torch.allclose(layer[name][step], part, atol=1e-9)
    assert len(follow(model, ids, model.initial_state(2), layers=2, gates=False)[0]) == 2


@pytest.mark.parametrize("cell", [name for name, gates in GATES.items() if gates])
@torch.inference_mode()
def test_gates_are_those_of_the_equations(model_of, cell: str) -> None:
    """A gate of a unit is one number in the equations: its input bias moves it, and it alone."""
    model = model_of(cell, num_layers=1)
    ids = torch.randint(9, (6, 2), generator=torch.Generator().manual_seed(3))
    (found,), _ = follow(model, ids, model.initial_state(2))
    assert list(found.gates) == list(GATES[cell])
    layer = model.recurrent.layers[0]
    biases = list(layer.cell.biases)
    for name, values in found.gates.items():
        assert values.shape == (6, 2, 5) and values.min() > 0 and values.max() < 1
        place = biases.index(name) * 5 + 2
        layer.bias[place] += 0.5
        (moved,), _ = follow(model, ids[:1], model.initial_state(2))
        layer.bias[place] -= 0.5
        assert torch.allclose(torch.logit(moved[name][0, :, 2]), torch.logit(values[0, :, 2]) + 0.5)
        for other, kept in found.gates.items():
            assert other == name or torch.allclose(moved[other][0], kept[0])


@torch.inference_mode()
def test_an_lstm_and_a_gru_by_hand(model_of) -> None:
    ids = torch.randint(9, (6, 1), generator=torch.Generator().manual_seed(3))
    model = model_of("lstm", num_layers=1)
    (found,), _ = follow(model, ids, model.initial_state(1))
    weights = dict(model.recurrent.layers[0].named_parameters())
    previous = torch.cat((torch.zeros(1, 1, 5).double(), found["h"][:-1]))
    blocks = model.embedding[ids] @ weights["input"].T + previous @ weights["recurrent"].T + weights["bias"]
    for place, name in ((0, "i"), (1, "f"), (3, "o")):
        assert torch.allclose(found[name], torch.sigmoid(blocks[..., 5 * place : 5 * place + 5]))
    assert torch.allclose(found["h"], found["o"] * torch.tanh(found["c"]))
    model = model_of("gru", num_layers=1)
    (found,), _ = follow(model, ids, model.initial_state(1))
    weights = dict(model.recurrent.layers[0].named_parameters())
    previous = torch.cat((torch.zeros(1, 1, 5).double(), found["h"][:-1]))
    blocks = model.embedding[ids] @ weights["input"].T + previous @ weights["recurrent"].T + weights["bias"]
    for place, name in enumerate("ru"):
        assert torch.allclose(found[name], torch.sigmoid(blocks[..., 5 * place : 5 * place + 5]))
