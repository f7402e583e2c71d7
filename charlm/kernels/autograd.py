"""A Program over a window as one autograd function; forward and backward are each one loop over the steps.

The caller computes the input projection of the whole window as a single product. Each step then adds its recurrent
products to preallocated memory and makes one point-wise pass per stage. After the loop, the gradient of each weight
matrix is a single product over all steps (Appleyard et al. 2016, arXiv 1604.01946, sections 3.2 and 3.3).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charlm.kernels.buffers import Buffer, Buffers
from charlm.kernels.forward import (
    block,
    forward_buffers,
    joint_buffer,
    last_state,
    lookback_of,
    loop_for,
    matrix_of,
    run_forward,
)
from charlm.kernels.program import Program, State, Weights

_GRADIENT = {"h": "dh_before", "past": "d_past"}
"""The buffer in which the gradient of a product's source is accumulated. A saved quantity is the source of one product
only, which assigns its gradient."""


def fused_layer(program: Program, projected: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    """Run a cell over a window.

    Args:
        program: the Program of the cell.
        projected: V x + b of all steps, (T, B, G); overwritten with the activations of the gates.
        state: the state before the first step, (B, H) each.
        weights: the weights of the cell, by name; `input` and `bias` are ignored.

    Returns:
        Outputs (T, B, H) and the state after the last step.
    """
    names = tuple(name for name in weights if name not in ("input", "bias"))
    results = _FusedLayer.apply(  # type: ignore[no-untyped-call]
        program, names, projected, *state, *(weights[name] for name in names)
    )
    return results[0], tuple(results[1:])


def fused_states(
    program: Program, projected: Tensor, state: State, weights: Weights
) -> tuple[dict[str, Tensor], State]:
    """Run a cell over a window without gradients; arguments as in `fused_layer`.

    Returns:
        h and, if the cell has one, c after every step, (T, B, H) each, by name; and the state after the last step.
    """
    lookback = lookback_of(program, state)
    hidden, cells, _ = run_forward(
        program, projected.detach().contiguous(), state, weights, bfloat16=bfloat16_products(projected.device.type)
    )
    states = {"h": hidden[lookback:]} | ({} if cells is None else {"c": cells[1:]})
    return states, last_state(hidden, cells, lookback)


def bfloat16_products(device: str) -> bool:
    """Whether the operands of products are rounded to bfloat16, as inside `torch.autocast`; sums are float32."""
    return torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.bfloat16


class _FusedLayer(torch.autograd.Function):
    """`fused_layer` for autograd; it can be differentiated only once."""

    @staticmethod
    def forward(ctx: Any, program: Program, names: tuple[str, ...], projected: Tensor, *rest: Tensor) -> Any:
        """Outputs (T, B, H) and the state after the last step.

        `rest` is the state before the first step, (B, H) each, and then the weights called `names`.
        """
        weights = dict(zip(names, rest[len(rest) - len(names) :], strict=True))
        state = rest[: len(rest) - len(names)]
        bfloat16, lookback = bfloat16_products(projected.device.type), lookback_of(program, state)
        projected = projected.contiguous()
        hidden, cells, saved = run_forward(program, projected, state, weights, bfloat16=bfloat16)
        ctx.program, ctx.names, ctx.lookback, ctx.bfloat16 = program, names, lookback, bfloat16
        ctx.save_for_backward(projected, hidden, cells, *saved, *weights.values())
        return (hidden[lookback:], *last_state(hidden, cells, lookback))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """The gradients of the arguments of `forward`, from the gradients of its results; same shapes."""
        program: Program = ctx.program
        gates, hidden, cells, *others = ctx.saved_tensors
        saved, weights = others[: len(program.saved)], dict(zip(ctx.names, others[len(program.saved) :], strict=True))
        steps, rows, _ = gates.shape
        lookback, hidden_size = ctx.lookback, hidden.shape[2]
        buffers = forward_buffers(program, gates, hidden, cells, saved, weights, lookback=lookback)
        d_hidden = gates.new_empty(steps + lookback, rows, hidden_size)
        d_hidden[:lookback] = 0
        d_hidden[lookback:] = grads[0]
        for back in range(lookback):
            d_hidden[steps + lookback - 1 - back] += grads[1 + back]
        d_gates = torch.empty_like(gates)
        buffers |= _backward_buffers(program, d_gates, d_hidden, lookback)
        if cells is not None:
            buffers["dc"] = Buffer(grads[-1].clone(memory_format=torch.contiguous_format))
        loop = loop_for(program, d_hidden, bfloat16=ctx.bfloat16)
        for stage in reversed(program.stages):
            loop.stage(stage.backward, buffers)
            for product in stage.products:
                source = joint_buffer(product.into, program, buffers, "d_")
                target = buffers[_GRADIENT.get(product.of, f"d_{product.of}")]
                loop.product(source, matrix_of(product, program, weights).T, target, add=product.of in _GRADIENT)
        loop.run(steps - 1, steps, -1)
        d_weights = _weight_gradients(program, buffers, weights, steps, bfloat16=ctx.bfloat16)
        d_state = [d_hidden[lookback - 1 - back] for back in range(lookback)]
        if cells is not None:
            d_state.append(buffers["dc"].tensor)
        return (None, None, d_gates, *d_state, *(d_weights[name] for name in ctx.names))


def _backward_buffers(program: Program, d_gates: Tensor, d_hidden: Tensor, lookback: int) -> Buffers:
    steps, rows, hidden_size = d_hidden.shape
    buffers = {f"d_{name}": Buffer(d_gates[..., block(name, program.gates, hidden_size)]) for name in program.gates}
    buffers |= {
        "d_gates": Buffer(d_gates),
        "dh": Buffer(d_hidden, lookback),
        "dh_before": Buffer(d_hidden, lookback - 1),
        "d_past": Buffer(d_hidden),
    }
    targets = {product.into[0] for stage in program.stages for product in stage.products}
    for name in program.saved:  # the gradients of the weights need those of a product's result in every step
        shape = (steps - lookback, rows, hidden_size) if name in targets else (rows, hidden_size)
        buffers[f"d_{name}"] = Buffer(d_gates.new_empty(shape))
    return buffers


def _weight_gradients(
    program: Program, buffers: Buffers, weights: Weights, steps: int, *, bfloat16: bool
) -> dict[str, Tensor]:
    """The gradient of each recurrent weight, a product over all steps, and of each extra bias, a sum."""
    gradients = {name: torch.empty_like(weight) for name, weight in weights.items()}
    for stage in program.stages:
        for product in stage.products:
            target = matrix_of(product, program, gradients)
            into = joint_buffer(product.into, program, buffers, "d_").flat(steps)
            if bfloat16:
                target.copy_(into.T.bfloat16() @ buffers[product.of].flat(steps).bfloat16())
            else:
                torch.mm(into.T, buffers[product.of].flat(steps), out=target)
    for name, source in (program.biases or {}).items():
        torch.sum(buffers[f"d_{source}"].flat(steps), dim=0, out=gradients[name])
    return gradients
