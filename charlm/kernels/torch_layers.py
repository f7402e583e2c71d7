"""The cells that torch has its own kernels for: oneDNN on the CPU, cuDNN on CUDA.

Each function takes x (T, B, I), the state before the first step, (B, H) each, and the cell's weights by the names in
`charlm.cells`. It returns the outputs (T, B, H) and the state after the last step.

On CUDA `cudnn_layer` is used. cuDNN wants all weights of a layer in one block of memory, which `nn.LSTM` and its
relatives make. Their copy of the weights has the precision of the products, and the weights themselves stay in single
precision. torch lets cuDNN compute in float16 but not in bfloat16, so half precision is float16 here. Its range is
small: gradients are multiplied by a power of two that makes the largest of them about 1, and divided by it again in
single precision. As the backward pass is linear, this changes nothing but rounding.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from charlm.kernels.program import State, Weights

MODULES: dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru-reset-after": nn.GRU,
}
"""torch's modules, by the names of the cells."""


def torch_rnn(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    """`charlm.cells.rnn.rnn_step` over a window."""
    outputs, h = torch.rnn_tanh(x, state[0].unsqueeze(0), _parameters("rnn", weights), *_single_layer())
    return outputs, (h.squeeze(0),)


def torch_lstm(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    """`charlm.cells.lstm.lstm_step` over a window."""
    before = [part.unsqueeze(0) for part in state]
    outputs, h, c = torch.lstm(x, before, _parameters("lstm", weights), *_single_layer())
    return outputs, (h.squeeze(0), c.squeeze(0))


def torch_gru(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    """`charlm.cells.gru.gru_reset_after_step` over a window."""
    outputs, h = torch.gru(x, state[0].unsqueeze(0), _parameters("gru-reset-after", weights), *_single_layer())
    return outputs, (h.squeeze(0),)


def _parameters(cell: str, weights: Weights) -> list[Tensor]:
    """The weights in torch's order. torch has two biases and a cell one: the second is 0, except for the candidate of a
    GRU."""
    bias = weights["bias"]
    other = torch.zeros_like(bias)
    if cell == "gru-reset-after":
        candidate = weights["candidate_bias"]
        other = torch.cat((other[len(candidate) :], candidate))
    return [weights["input"], weights["recurrent"], bias, other]


def _single_layer() -> tuple[bool, int, float, bool, bool, bool]:
    """The last arguments of torch's functions, for one layer that reads (T, B, I) in one direction."""
    has_biases, num_layers, dropout, bidirectional, batch_first = True, 1, 0.0, False, False
    return has_biases, num_layers, dropout, torch.is_grad_enabled(), bidirectional, batch_first


def cudnn_layer(cell: str, x: Tensor, state: State, weights: Weights, *, dtype: torch.dtype) -> tuple[Tensor, State]:
    """Run a cell over a window; on the CPU the same modules run without cuDNN.

    Args:
        cell: a key of `charlm.kernels.TORCH_LAYERS`.
        x: the inputs, (T, B, I).
        state: the state before the first step, (B, H) each.
        weights: the weights of the cell, by name.
        dtype: the type of the products.

    Returns:
        Outputs (T, B, H) and the state after the last step, in the types of the weights.
    """
    names = tuple(weights)
    results = _CudnnLayer.apply(  # type: ignore[no-untyped-call]
        cell, dtype, torch.is_grad_enabled(), names, x, *state, *weights.values()
    )
    return results[0], tuple(results[1:])


class _CudnnLayer(torch.autograd.Function):
    """`cudnn_layer` for autograd; it can be differentiated only once."""

    @staticmethod
    def forward(
        ctx: Any, cell: str, dtype: torch.dtype, learns: bool, names: tuple[str, ...], x: Tensor, *rest: Tensor
    ) -> Any:
        """Outputs (T, B, H) and the state after the last step.

        `learns` is whether gradients will be computed. `rest` is the state before the first step, (B, H) each, and then
        the weights called `names`.
        """
        state, weights = rest[: len(rest) - len(names)], dict(zip(names, rest[len(rest) - len(names) :], strict=True))
        module = _module(cell, weights, dtype).train(learns)
        with torch.autocast(x.device.type, enabled=False), torch.set_grad_enabled(learns):
            inputs = [part.detach().to(dtype).requires_grad_(learns) for part in (x, *state)]
            before = [part.unsqueeze(0) for part in inputs[1:]]
            outputs, after = module(inputs[0], before[0] if len(before) == 1 else tuple(before))
            results = (outputs, *(part[0] for part in (after if isinstance(after, tuple) else (after,))))
        ctx.cell, ctx.names, ctx.inputs, ctx.module, ctx.results = cell, names, inputs, module, results
        ctx.types = [part.dtype for part in (x, *rest)]
        return tuple(part.detach().to(next(iter(weights.values())).dtype) for part in results)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """The gradients of the arguments of `forward`, from the gradients of its results; same shapes."""
        scale = _scale(grads) if ctx.results[0].dtype == torch.float16 else grads[0].new_ones(())
        scaled = [(grad * scale).to(result.dtype) for grad, result in zip(grads, ctx.results, strict=True)]
        sources = [*ctx.inputs, *ctx.module.parameters()]
        found = torch.autograd.grad(ctx.results, sources, scaled)
        exact = [gradient.to(grads[0].dtype) / scale for gradient in found]
        by_name = _gradients_by_name(ctx.cell, exact[len(ctx.inputs) :])
        everything = [*exact[: len(ctx.inputs)], *(by_name[name] for name in ctx.names)]
        return None, None, None, None, *(part.to(kind) for part, kind in zip(everything, ctx.types, strict=True))


def _module(cell: str, weights: Weights, dtype: torch.dtype) -> nn.RNNBase:
    """torch's module with a copy of the weights, in one block of memory on CUDA."""
    matrix = weights["input"]
    hidden_size = weights["recurrent"].shape[1]
    module = MODULES[cell](matrix.shape[1], hidden_size, device="meta", dtype=dtype).to_empty(device=matrix.device)
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), _parameters(cell, weights), strict=True):
            parameter.copy_(value)
    return module


def _gradients_by_name(cell: str, gradients: list[Tensor]) -> dict[str, Tensor]:
    """The gradients of a module's parameters, by the names of the cell's weights."""
    by_name = dict(zip(("input", "recurrent", "bias"), gradients, strict=False))
    if cell == "gru-reset-after":
        by_name["candidate_bias"] = gradients[3][2 * gradients[1].shape[1] :]
    return by_name


def _scale(gradients: tuple[Tensor, ...]) -> Tensor:
    """A power of two that, multiplied by the largest of the gradients, is between 0.5 and 1; 1 if all are zero."""
    largest = torch.stack([gradient.abs().amax() for gradient in gradients]).amax()
    _, exponent = torch.frexp(torch.where(largest > 0, largest, 1.0))
    return torch.ldexp(torch.ones_like(largest), -exponent)
