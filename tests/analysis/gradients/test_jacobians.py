import math

import pytest
import torch

from charlm.analysis.gradients.jacobians import (
    jacobian_norms,
    path_products,
    spectral_norms,
    spectral_radii,
    step_jacobians,
)
from charlm.analysis.gradients.unrolled import Unrolled
from charlm.cells import CELLS
from charlm.model.layers import RecurrentLayer

pytestmark = pytest.mark.usefixtures("one_thread")
cells = pytest.mark.parametrize("cell", CELLS)
HIDDEN, LAGS, POSITIONS, ROWS = 5, 6, 3, 2


@cells
def test_jacobians_of_one_step_are_torchs(model_of, cell: str) -> None:
    model = model_of(cell)
    weights = dict(model.recurrent.layers[0].named_parameters())
    count = len(CELLS[cell].states)
    generator = torch.Generator().manual_seed(6)
    x = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    state = tuple(torch.randn(3, HIDDEN, generator=generator, dtype=torch.float64) for _ in range(count))

    def one(both: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        after = CELLS[cell].step(x[None], tuple(both[None].chunk(count, -1)), weights)
        return torch.cat([part[0] for part in after])

    whole = torch.cat(state, -1)
    expected = torch.stack([torch.autograd.functional.jacobian(one, (whole[row], x[row]))[0] for row in range(3)])
    torch.testing.assert_close(step_jacobians(CELLS[cell], x, state, weights), expected)


@cells
def test_norms_of_jacobians_are_those_of_the_path(model_of, cell: str, ids: torch.Tensor) -> None:
    """Also when they are made in more than one go."""
    model = model_of(cell)
    unrolled = Unrolled.of(model, ids[:-1])
    norms = jacobian_norms(unrolled, rows=2)
    weights = dict(unrolled.layer.named_parameters())
    at = 4
    whole = step_jacobians(CELLS[cell], unrolled.inputs[at], unrolled.states[at - 1], weights)
    assert norms["h"].shape == (LAGS + POSITIONS, ROWS)
    torch.testing.assert_close(norms["h"][at], torch.linalg.matrix_norm(whole[:, :HIDDEN, :HIDDEN], ord=2))
    assert ("all" in norms) == (len(CELLS[cell].states) > 1)
    if "all" in norms:
        torch.testing.assert_close(norms["all"][at], torch.linalg.matrix_norm(whole, ord=2))
    again = jacobian_norms(unrolled, rows=2, elements=4 * (HIDDEN * len(CELLS[cell].states)) ** 2)
    for name, values in norms.items():
        torch.testing.assert_close(again[name], values)


def test_the_jacobians_of_two_layers_are_the_upper_ones(model_of, ids: torch.Tensor) -> None:
    model = model_of("rnn", layers=2)
    lower, upper = model.recurrent.layers
    x, _ = lower(model.embedding[ids[:-1]], model.initial_state(ROWS)[0])
    h, _ = upper(x, model.initial_state(ROWS)[1])
    expected = torch.linalg.matrix_norm((1 - h**2)[..., None] * upper.recurrent, ord=2)  # diag(1 - h^2) W
    torch.testing.assert_close(jacobian_norms(Unrolled.of(model, ids[:-1]), rows=ROWS)["h"], expected)


def test_path_products_are_means_of_products() -> None:
    norms = torch.tensor([[9.0, 9.0], [2.0, 1.0], [3.0, 0.0], [5.0, 0.5]], dtype=torch.float64)  # S = 4, R = 2
    expected = [1.0, (3 + 5 + 0 + 0.5) / 4, (6 + 15 + 0 + 0) / 4]  # positions 2 and 3
    assert path_products(norms, lags=2).tolist() == pytest.approx(expected)


def test_spectral_norms_are_largest_singular_values() -> None:
    matrices = torch.randn(4, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(spectral_norms(matrices), torch.linalg.svdvals(matrices)[:, 0])
    assert spectral_norms(torch.zeros(1, 3, 3)).item() == 0


def test_spectral_radii_of_known_matrices() -> None:
    layer = RecurrentLayer(CELLS["lstm"], 3, 2)
    rotation = torch.tensor([[math.cos(1), -math.sin(1)], [math.sin(1), math.cos(1)]])
    nilpotent = torch.tensor([[0.0, 5.0], [0.0, 0.0]])  # norm 5, radius 0
    with torch.no_grad():
        layer.recurrent.copy_(torch.cat([0.7 * rotation, nilpotent, torch.diag(torch.tensor([-3.0, 1.0])), rotation]))
    assert spectral_radii(layer) == pytest.approx({"i": 0.7, "f": 0.0, "g": 3.0, "o": 1.0}, abs=1e-6)


def test_spectral_radii_of_further_matrices_and_of_none() -> None:
    layer = RecurrentLayer(CELLS["rnn-skip"], 3, 2)
    with torch.no_grad():
        layer.recurrent.copy_(torch.eye(2))
        layer.skip.copy_(torch.diag(torch.tensor([0.5, -2.0])))
    assert spectral_radii(layer) == pytest.approx({"h": 1.0, "skip": 2.0})
    assert spectral_radii(RecurrentLayer(CELLS["mingru"], 3, 2)) is None
