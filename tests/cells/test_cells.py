"""Every cell against its kernel, against torch's own layers, and against numerical gradients."""

import pytest
import torch
from torch import nn

from charlm.cells import CELLS, Cell, find_cell
from charlm.errors import ConfigError
from charlm.kernels import KERNELS
from charlm.recurrent import reference_layer

cells = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
SIZES = [(1, 1, 7), (5, 3, 7), (9, 2, 1), (4, 16, 8)]


def problem(cell: Cell, size: tuple[int, int, int], inputs: int = 5):
    """Input, non-zero state and weights in float64, all with gradients."""
    time, batch, hidden = size
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return (torch.randn(*shape, dtype=torch.float64, generator=generator) * 0.5).requires_grad_()

    x = draw(time, batch, inputs)
    state = tuple(draw(batch, hidden) for _ in cell.states)
    weights = {name: draw(*shape) for name, shape in cell.shapes(inputs, hidden).items()}
    return x, state, weights


def everything(layer, x, state, weights) -> list[torch.Tensor]:
    """Outputs, final state, and the gradients of all that went in."""
    outputs, after = layer(x, state, weights)
    loss = (outputs * torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)).sum()
    loss = loss + sum((part**2).sum() for part in after)
    return [outputs, *after, *torch.autograd.grad(loss, [x, *state, *weights.values()])]


@cells
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_kernel_equals_cell(cell: Cell, size: tuple[int, int, int]) -> None:
    given = problem(cell, size)
    expected = everything(lambda *arguments: reference_layer(cell, *arguments), *given)
    for found, wanted in zip(everything(KERNELS[cell.name], *given), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


@cells
def test_gradients_are_those_of_finite_differences(cell: Cell) -> None:
    x, state, weights = problem(cell, (3, 2, 3), inputs=2)
    names = list(weights)

    def run(x, *rest):
        outputs, after = reference_layer(cell, x, rest[: len(state)], dict(zip(names, rest[len(state) :], strict=True)))
        return (outputs, *after)

    assert torch.autograd.gradcheck(run, (x, *state, *weights.values()))


@pytest.mark.parametrize(
    ("name", "layer"), [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru-reset-after", nn.GRU)], ids=lambda value: str(value)
)
def test_cell_equals_torchs_layer(name: str, layer: type[nn.Module]) -> None:
    cell = CELLS[name]
    x, state, weights = problem(cell, (6, 3, 7))
    theirs = layer(5, 7).double()
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(weights["input"])
        theirs.weight_hh_l0.copy_(weights["recurrent"])
        theirs.bias_ih_l0.copy_(weights["bias"])
        theirs.bias_hh_l0.zero_()
        if "candidate_bias" in weights:
            theirs.bias_hh_l0[14:] = weights["candidate_bias"]
    before = tuple(part.unsqueeze(0) for part in state)
    wanted, after = theirs(x, before if len(before) > 1 else before[0])
    found, state = reference_layer(cell, x, state, weights)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(state, tuple(part[0] for part in (after if isinstance(after, tuple) else (after,))))


def test_backpropagation_through_time_is_the_lectures_sum() -> None:
    """dL/dW of the simple network, summed over t: h_t depends on W through every step before it."""
    x, (h,), weights = problem(CELLS["rnn"], (4, 1, 3), inputs=2)
    v, w, b = weights["input"], weights["recurrent"], weights["bias"]
    outputs, _ = reference_layer(CELLS["rnn"], x, (h,), weights)
    target = torch.linspace(-1, 1, outputs.numel(), dtype=torch.float64).view_as(outputs)
    loss = ((outputs - target) ** 2).sum()
    expected = torch.autograd.grad(loss, [w, v, b])

    by_w, by_v, by_b = torch.zeros_like(w), torch.zeros_like(v), torch.zeros_like(b)
    hidden = [h[0], *outputs[:, 0]]
    slope = [None, *(1 - output**2 for output in outputs[:, 0])]  # f'(pr_t) = 1 - h_t^2
    for t in range(1, 5):
        carried = 2 * (hidden[t] - target[t - 1, 0])  # dL_t / dh_t
        for k in range(t, 0, -1):
            at = carried * slope[k]  # dL_t / dpr_k
            by_w += torch.outer(at, hidden[k - 1])
            by_v += torch.outer(at, x[k - 1, 0])
            by_b += at
            carried = w.T @ at  # the Jacobian dh_k / dh_{k-1} = diag(f'(pr_k)) W
    for found, wanted in zip((by_w, by_v, by_b), expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_an_unknown_cell_is_an_error_that_lists_them() -> None:
    assert find_cell("gru") is CELLS["gru-reset-after"]
    with pytest.raises(ConfigError, match="--cell is 'lsmt'; choose one of rnn, lstm"):
        find_cell("lsmt")
