"""Gradients through time, against explicit products of Jacobians, finite differences and known matrices."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from charlm.analysis.gradients.gradient_flow import gradient_norms, measure
from charlm.analysis.gradients.unrolled import Unrolled
from charlm.cells import CELLS
from charlm.model.language_model import LanguageModel

pytestmark = pytest.mark.usefixtures("one_thread")
cells = pytest.mark.parametrize("cell", CELLS)
VOCAB, HIDDEN, LAGS, POSITIONS, ROWS = 7, 5, 6, 3, 2


def mean_norms(gradients: dict[tuple[int, int, int], torch.Tensor]) -> list[float]:
    """Means over position and row of the norms of gradients by (position, row, lag)."""
    return [
        sum(float(gradient.norm()) for (_, _, at), gradient in gradients.items() if at == lag) / POSITIONS / ROWS
        for lag in range(LAGS + 1)
    ]


def test_gradients_of_the_simple_rnn_are_products_of_its_jacobians(model_of, ids: torch.Tensor) -> None:
    """dL_t/dh_{t-k} = U^T (p_t - y_t) prod_i diag(1 - h_i^2) W, written out."""
    model = model_of("rnn")
    layer = model.recurrent.layers[0]
    expected = {}
    for row in range(ROWS):
        h, states = torch.zeros(HIDDEN, dtype=torch.float64), []
        for x in model.embedding[ids[:-1, row]]:
            h = torch.tanh(layer.input @ x + layer.recurrent @ h + layer.bias)
            states.append(h)
        for position in range(LAGS, LAGS + POSITIONS):
            chances = torch.softmax(model.output @ states[position] + model.output_bias, 0)
            error = chances - F.one_hot(ids[position + 1, row], VOCAB)
            gradient = model.output.T @ error
            for lag in range(LAGS + 1):
                expected[position, row, lag] = gradient
                gradient = layer.recurrent.T @ ((1 - states[position - lag] ** 2) * gradient)
    found = measure(model, ids, lags=LAGS).gradients
    assert list(found) == ["h"]
    assert found["h"] == pytest.approx(mean_norms(expected), rel=1e-9)


def test_gradients_of_the_lstm_are_products_of_its_jacobians(model_of, ids: torch.Tensor) -> None:
    """By the chain rule over (h, c); dL/dc has the way through h of the same step in it."""
    model = model_of("lstm")
    layer = model.recurrent.layers[0]
    weights = dict(layer.named_parameters())
    step, hidden = CELLS["lstm"].step, {}
    cell = {}
    for row in range(ROWS):
        xs = model.embedding[ids[:-1, row]]
        state = torch.zeros(2 * HIDDEN, dtype=torch.float64)
        jacobians, ways, states = [], [], []
        for x in xs:

            def advance(both: torch.Tensor, x: torch.Tensor = x) -> torch.Tensor:
                return torch.cat([part[0] for part in step(x[None], tuple(both[None].chunk(2, -1)), weights)])

            jacobians.append(torch.autograd.functional.jacobian(advance, state))
            h_before = state[:HIDDEN]
            state = advance(state)
            gates = layer.input @ x + layer.recurrent @ h_before + layer.bias
            ways.append(torch.sigmoid(gates[3 * HIDDEN :]) * (1 - torch.tanh(state[HIDDEN:]) ** 2))  # dh/dc
            states.append(state)
        for position in range(LAGS, LAGS + POSITIONS):
            chances = torch.softmax(model.output @ states[position][:HIDDEN] + model.output_bias, 0)
            error = chances - F.one_hot(ids[position + 1, row], VOCAB)
            gradient = torch.cat([model.output.T @ error, torch.zeros(HIDDEN, dtype=torch.float64)])
            for lag in range(LAGS + 1):
                of_h, of_c = gradient.chunk(2)
                hidden[position, row, lag] = of_h
                cell[position, row, lag] = of_c + ways[position - lag] * of_h
                gradient = jacobians[position - lag].T @ gradient
    found = measure(model, ids, lags=LAGS).gradients
    assert found["h"] == pytest.approx(mean_norms(hidden), rel=1e-9)
    assert found["c"] == pytest.approx(mean_norms(cell), rel=1e-9)


@cells
@pytest.mark.parametrize(("layers", "skip"), [(1, "none"), (2, "none"), (3, "residual")])
def test_gradients_of_every_cell_are_those_of_finite_differences(
    model_of, cell: str, layers: int, skip: str, ids: torch.Tensor
) -> None:
    """h of the top layer is nudged after one step, and the loss at one position is looked at."""
    model = model_of(cell, layers, skip)
    position, lag, size = LAGS, 3, 1e-5
    ids = ids[: position + 2, :1]

    def loss(nudge: torch.Tensor) -> float:
        _, states = model(ids[: position - lag + 1])
        (h, *others) = states[-1]
        nudged = (*states[:-1], (h + nudge, *others))
        logits, _ = model(ids[position - lag + 1 : position + 1], nudged)
        return float(F.cross_entropy(logits[-1], ids[position + 1]))

    model.eval()
    nudges = size * torch.eye(HIDDEN, dtype=torch.float64)
    slopes = torch.tensor([(loss(nudge) - loss(-nudge)) / (2 * size) for nudge in nudges])
    norms, _ = gradient_norms(model, Unrolled.of(model, ids[:-1]), ids[1:], lags=position)
    assert float(norms["h"][lag]) == pytest.approx(float(slopes.norm()), rel=1e-5)


def test_the_product_of_norms_bounds_the_gradient_of_a_cell_of_one_state(model_of, ids: torch.Tensor) -> None:
    model = model_of("rnn")
    one_row = ids[: LAGS + 2, :1]  # a single path, so that no mean comes between
    flow = measure(model, one_row, lags=LAGS)
    for left, product in zip(flow.gradients["h"], flow.jacobian_products["h"], strict=True):
        assert left <= flow.gradients["h"][0] * product * (1 + 1e-9)


def test_measuring_leaves_the_model_alone_and_needs_no_float64(model_of, ids: torch.Tensor) -> None:
    model = LanguageModel(replace(model_of("lstm").config, dropout=0.5))
    model.initialise(torch.Generator().manual_seed(1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    one, two = (measure(model, ids, lags=LAGS) for _ in range(2))
    assert one == two
    assert model.training and all(parameter.requires_grad for parameter in model.parameters())
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert one.memory == "c" and one.spectral_radius == max(one.spectral_radii.values())
    assert one.loss == pytest.approx(math.log(VOCAB), rel=0.5)
