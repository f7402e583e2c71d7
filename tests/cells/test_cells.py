"""Every cell against its kernel, against torch's own layers, and against numerical gradients."""

from functools import partial

import pytest
import torch
from torch import nn

from charlm.cells import CELLS, Cell, find_cell
from charlm.errors import ConfigError
from charlm.kernels import KERNELS, STATE_KERNELS, TORCH_LAYERS
from charlm.kernels import compiled as native
from charlm.kernels.torch_layers import cudnn_layer
from charlm.model.layers import reference_layer, reference_states
from charlm.native.compiler import compiler

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


def projected(x, weights):
    """V x + b, as the kernels take it."""
    unbiased = len(weights["input"]) - len(weights["bias"])
    return x @ weights["input"].T + torch.cat((weights["bias"].new_zeros(unbiased), weights["bias"]))


def kernel_of(cell: Cell):
    """charlm's kernel from the input on: x, state, weights -> outputs, state."""

    def run(x, state, weights):
        return KERNELS[cell.name](projected(x, weights), state, weights)

    return run


@pytest.fixture(params=["compiled", "torch"])
def _mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point-wise stages as compiled loops, where there is a compiler, and on tensors."""
    if request.param == "torch":
        monkeypatch.setattr(native, "program_library", lambda functions, dtype: None)
    elif compiler() is None:
        pytest.skip("no C compiler here")


@pytest.mark.usefixtures("_mode")
@cells
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_kernel_equals_cell(cell: Cell, size: tuple[int, int, int]) -> None:
    given = problem(cell, size)
    expected = everything(lambda *arguments: reference_layer(cell, *arguments), *given)
    for found, wanted in zip(everything(kernel_of(cell), *given), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("_mode")
@cells
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_trace_of_a_kernel_equals_that_of_the_cell(cell: Cell, size: tuple[int, int, int]) -> None:
    x, state, weights = problem(cell, size)
    wanted, wanted_after = reference_states(cell, x, state, weights)
    found, after = STATE_KERNELS[cell.name](projected(x, weights), state, weights)
    assert set(found) == set(wanted) == {"h", "c"} & set(cell.states)
    for name, values in wanted.items():
        torch.testing.assert_close(found[name], values.detach(), rtol=1e-9, atol=1e-12)
    for one, other in zip(after, wanted_after, strict=True):
        torch.testing.assert_close(one, other.detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("_mode")
@cells
def test_two_layers_of_kernels_equal_two_of_cells(cell: Cell) -> None:
    x, state, weights = problem(cell, (5, 3, 7), inputs=7)

    def twice(layer):
        def run(x, state, weights):
            x, _ = layer(x, state, weights)
            return layer(x, state, weights)

        return run

    expected = everything(twice(lambda *arguments: reference_layer(cell, *arguments)), x, state, weights)
    for found, wanted in zip(everything(twice(kernel_of(cell)), x, state, weights), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


@cells
def test_kernel_equals_cell_in_single_precision(cell: Cell) -> None:
    x, state, weights = problem(cell, (3, 3, 33))
    single = [x.detach().float(), tuple(part.detach().float() for part in state)]
    outputs, _ = kernel_of(cell)(*single, {name: value.detach().float() for name, value in weights.items()})
    expected, _ = reference_layer(cell, x, state, weights)
    torch.testing.assert_close(outputs.double(), expected, rtol=1e-5, atol=5e-6)


@pytest.mark.usefixtures("_mode")
@cells
@pytest.mark.parametrize("size", [(1, 1, 7), (9, 2, 1), (6, 16, 33)], ids=str)
def test_kernel_in_bfloat16_is_the_cell_but_for_rounding(cell: Cell, size: tuple[int, int, int]) -> None:
    x, state, weights = problem(cell, size)
    weights = {name: (value.detach() * 0.3).requires_grad_() for name, value in weights.items()}  # no chaos
    expected = everything(lambda *arguments: reference_layer(cell, *arguments), x, state, weights)

    def single(values):
        return values.detach().float().requires_grad_()

    brief = (single(x), tuple(map(single, state)), {name: single(value) for name, value in weights.items()})

    def run(x, state, weights):
        before = projected(x, weights)
        with torch.autocast("cpu", torch.bfloat16):
            return KERNELS[cell.name](before, state, weights)

    rounded, plain = everything(run, *brief), everything(kernel_of(cell), *brief)
    if size[2] > 7 and cell.recurrent:
        assert not any(torch.equal(one, other) for one, other in zip(rounded, plain, strict=True))
    for found, wanted in zip(rounded, expected, strict=True):
        assert found.dtype == torch.float32
        assert (found.double() - wanted).norm() <= 0.1 * wanted.norm() + 1e-6


@pytest.mark.parametrize("name", TORCH_LAYERS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_torchs_layer_equals_cell(name: str, size: tuple[int, int, int]) -> None:
    given = problem(CELLS[name], size)
    expected = everything(lambda *arguments: reference_layer(CELLS[name], *arguments), *given)
    for found, wanted in zip(everything(TORCH_LAYERS[name], *given), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", TORCH_LAYERS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_layer_for_cudnn_equals_cell(name: str, size: tuple[int, int, int]) -> None:
    """Without cuDNN here, through the same modules."""
    given = problem(CELLS[name], size)
    expected = everything(lambda *arguments: reference_layer(CELLS[name], *arguments), *given)
    layer = partial(cudnn_layer, name, dtype=torch.float64)
    for found, wanted in zip(everything(layer, *given), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(layer(*given)[0], expected[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", TORCH_LAYERS)
@pytest.mark.parametrize("size_of_loss", [1e-9, 1.0, 1e6])
def test_the_layer_for_cudnn_in_float16_is_the_cell_but_for_rounding(name: str, size_of_loss: float) -> None:
    """With gradients far below and above the range of float16, whose smallest number is 6e-8; states are float32."""
    given = problem(CELLS[name], (9, 4, 8))
    single = [part.float().detach().requires_grad_() for part in (given[0], *given[1], *given[2].values())]
    x, state, weights = single[0], tuple(single[1 : 1 + len(given[1])]), single[1 + len(given[1]) :]

    def scaled(layer, *arguments) -> list[torch.Tensor]:
        outputs, after = layer(*arguments)
        loss = size_of_loss * (outputs.double().square().mean() + sum(part.double().mean() for part in after))
        leaves = [arguments[0], *arguments[1], *arguments[2].values()]
        return [outputs, *after, *torch.autograd.grad(loss, leaves)]

    found = scaled(partial(cudnn_layer, name, dtype=torch.float16), x, state, dict(zip(given[2], weights, strict=True)))
    wanted = scaled(lambda *arguments: reference_layer(CELLS[name], *arguments), *given)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == torch.float32
        assert (one.double() - other).norm() <= 0.01 * other.norm()


@cells
def test_a_kernel_lets_nan_and_infinity_through(cell: Cell) -> None:
    x, state, weights = problem(cell, (3, 2, 9))
    poisoned = {name: value.detach().float() for name, value in weights.items()}
    for poison in (float("nan"), float("inf")):
        inputs = x.detach().float().clone()
        inputs[1, 0, 0] = poison
        outputs, _ = kernel_of(cell)(inputs, tuple(part.detach().float() for part in state), poisoned)
        wanted, _ = reference_layer(cell, inputs, tuple(part.detach().float() for part in state), poisoned)
        assert torch.equal(outputs.isfinite(), wanted.isfinite()), poison


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


def test_gradient_of_the_output_weights_is_the_lectures_sum() -> None:
    """dL/dU = sum over t of dL_t/dy_t * h_t: U stands in one place only, y = U h + b_y."""
    x, state, weights = problem(CELLS["rnn"], (4, 1, 3), inputs=2)
    outputs, _ = reference_layer(CELLS["rnn"], x, state, weights)
    u = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).requires_grad_()
    targets = torch.tensor([0, 1, 1, 0])
    logits = outputs[:, 0] @ u.T
    (expected,) = torch.autograd.grad(nn.functional.cross_entropy(logits, targets, reduction="sum"), [u])
    found = torch.zeros_like(u)
    for t in range(4):
        error = torch.softmax(logits[t], dim=0) - nn.functional.one_hot(targets[t], 2)  # dL_t / dy_t
        found += torch.outer(error, outputs[t, 0])
    torch.testing.assert_close(found, expected)


def test_lstm_f_is_the_lstm_of_1997() -> None:
    given = problem(CELLS["lstm-f"], (4, 2, 3))
    for one, other in zip(
        reference_layer(CELLS["lstm-f"], *given), reference_layer(CELLS["lstm-1997"], *given), strict=True
    ):
        torch.testing.assert_close(one, other)
    assert CELLS["lstm-f"].step is CELLS["lstm-1997"].step


def test_mut2_is_a_gru_whose_update_gate_is_turned_round() -> None:
    x, state, weights = problem(CELLS["mut2"], (4, 2, 3))
    turned = {name: value.clone() for name, value in weights.items()}
    for value in turned.values():
        value.data[3:6] *= -1  # sigm(-a) = 1 - sigm(a)
    one, _ = reference_layer(CELLS["mut2"], x, state, weights)
    other, _ = reference_layer(CELLS["gru"], x, state, turned)
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("steps", [2, 3, 6])
def test_the_skip_path_leads_as_far_back_as_it_is_told(steps: int) -> None:
    cell = find_cell("rnn-skip", skip_steps=steps)
    x, state, weights = problem(cell, (8, 1, 3))
    weights["recurrent"] = torch.zeros_like(weights["recurrent"])
    outputs, _ = reference_layer(cell, x, state, weights)
    (gradient,) = torch.autograd.grad(outputs[7].sum(), [x])
    assert [bool(part.abs().sum() > 0) for part in gradient] == [(7 - t) % steps == 0 for t in range(8)]


@cells
def test_num_parameters_counts_the_weights(cell: Cell) -> None:
    _, _, weights = problem(cell, (1, 1, 7))
    assert cell.num_parameters(5, 7) == sum(value.numel() for value in weights.values())


def test_an_unknown_cell_is_an_error_that_lists_them() -> None:
    with pytest.raises(ConfigError, match="--cell is 'lsmt'; choose one of rnn, irnn"):
        find_cell("lsmt")
