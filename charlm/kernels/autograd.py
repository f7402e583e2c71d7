"""A program through a window: forward and backward, each one loop over the steps, as a single autograd function.

The caller has made the input projection of the whole window as one product. Each step then adds its recurrent products
to preallocated memory and makes one point-wise pass per stage; the weights' gradients are single products over all
steps after the loop (Appleyard et al. 2016, arXiv 1604.01946, sections 3.2 and 3.3).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charlm.kernels import compiled as native
from charlm.kernels.buffers import Buffer, Buffers, StepLoop, TorchLoop
from charlm.kernels.program import Product, Program

_GRADIENT = {"h": "dh_before", "past": "d_past"}
"""Where the gradient of a product's source is added up; that of a saved quantity is set, by its only product."""


def fused_layer(
    program: Program, projected: Tensor, state: tuple[Tensor, ...], weights: Mapping[str, Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A cell through a window.

    Args:
        program: the cell's.
        projected: V x + b of all steps, (T, B, G). It is used up: the gates' activations take its place.
        state: before the first step, (B, H) each.
        weights: the recurrent ones, by the names of the cell.

    Returns:
        Outputs (T, B, H) and the state after the last step.
    """
    names = tuple(name for name in weights if name not in ("input", "bias"))
    results = _FusedLayer.apply(  # type: ignore[no-untyped-call]
        program, names, projected, *state, *(weights[name] for name in names)
    )
    return results[0], tuple(results[1:])


def fused_states(
    program: Program, projected: Tensor, state: tuple[Tensor, ...], weights: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
    """What a cell holds after every step of a window: h and, where it has one, c, (T, B, H) each, by name; and the
    state after the last step. There is no gradient; arguments as those of `fused_layer`."""
    buffers = _run(program, projected.detach().contiguous(), state, weights)
    depth = _depth(program, state)
    found = {"h": buffers[0][depth:]}
    if "c" in program.states:
        found["c"] = buffers[1][1:]
    return found, tuple(_after(program, buffers, depth))


class _FusedLayer(torch.autograd.Function):
    """`fused_layer` for autograd; there is no gradient of its gradient."""

    @staticmethod
    def forward(ctx: Any, program: Program, names: tuple[str, ...], projected: Tensor, *rest: Tensor) -> Any:
        """Outputs (T, B, H) and the states after the last step, from V x + b (T, B, G), the states before the first
        step, (B, H) each, and the recurrent weights of these names."""
        weights = dict(zip(names, rest[len(rest) - len(names) :], strict=True))
        state = rest[: len(rest) - len(names)]
        projected = projected.contiguous()
        buffers = _run(program, projected, state, weights)
        ctx.program, ctx.names, ctx.depth, ctx.brief = program, names, _depth(program, state), bfloat16_products()
        ctx.save_for_backward(projected, *buffers, *weights.values())
        return (buffers[0][ctx.depth :], *_after(program, buffers, ctx.depth))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """Gradients of all that `forward` took, from those of all that it gave; shapes as there."""
        program: Program = ctx.program
        count = 1 + ("c" in program.states) + len(program.saved)
        gates, *others = ctx.saved_tensors
        buffers, weights = others[:count], dict(zip(ctx.names, others[count:], strict=True))
        steps, rows, _ = gates.shape
        depth, width = ctx.depth, buffers[0].shape[2]
        places = _forward_places(program, gates, buffers, depth, weights)
        d_hidden = gates.new_empty(steps + depth, rows, width)
        d_hidden[:depth] = 0
        d_hidden[depth:] = grads[0]
        for back in range(depth):
            d_hidden[steps + depth - 1 - back] += grads[1 + back]
        d_gates = torch.empty_like(gates)
        places |= _backward_places(program, d_gates, d_hidden, depth)
        if "c" in program.states:
            places["dc"] = Buffer(grads[-1].clone(memory_format=torch.contiguous_format))
        window = _window(program, d_hidden, brief=ctx.brief)
        for stage in reversed(program.stages):
            window.stage(stage.backward, places)
            for product in stage.products:
                source = _wide(product.into, program, places, "d_")
                target = places[_GRADIENT.get(product.of, f"d_{product.of}")]
                window.product(source, _matrix(product, program, weights).T, target, add=product.of in _GRADIENT)
        window.run(steps - 1, steps, -1)
        d_weights = _weight_gradients(program, places, weights, steps, brief=ctx.brief)
        d_state = [d_hidden[depth - 1 - back] for back in range(depth)]
        if "c" in program.states:
            d_state.append(places["dc"].tensor)
        return (None, None, d_gates, *d_state, *(d_weights[name] for name in ctx.names))


def _depth(program: Program, state: tuple[Tensor, ...]) -> int:
    """How many steps back a program's states go."""
    return len(state) - ("c" in program.states)


def _after(program: Program, buffers: list[Tensor], depth: int) -> list[Tensor]:
    """The state after the last step, from the buffers of `_run`."""
    after = [buffers[0][len(buffers[0]) - 1 - back] for back in range(depth)]
    return [*after, buffers[1][-1]] if "c" in program.states else after


def _run(program: Program, projected: Tensor, state: tuple[Tensor, ...], weights: Mapping[str, Tensor]) -> list[Tensor]:
    """The forward pass: buffers of h (depth + T, B, H), of c (T + 1, B, H) where there is one, and of what the program
    saves (T, B, H); `projected` becomes the gates' activations."""
    steps, rows, total = projected.shape
    width = total // len(program.gates)
    depth = _depth(program, state)
    hidden = projected.new_empty(steps + depth, rows, width)
    for back in range(depth):
        hidden[depth - 1 - back] = state[back]
    buffers = [hidden]
    if "c" in program.states:
        buffers.append(projected.new_empty(steps + 1, rows, width))
        buffers[1][0] = state[-1]
    buffers += [projected.new_empty(steps, rows, width) for _ in program.saved]
    places = _forward_places(program, projected, buffers, depth, weights)
    window = _window(program, hidden, brief=bfloat16_products())
    for stage in program.stages:
        for product in stage.products:
            target = _wide(product.into, program, places)
            matrix = _matrix(product, program, weights)
            window.product(places[product.of], matrix, target, add=product.into[0] in program.gates)
        window.stage(stage.forward, places)
    window.run(0, steps, 1)
    return buffers


def _blocks(names: tuple[str, ...], all_names: tuple[str, ...], width: int) -> slice:
    """Where the blocks of these names lie among all."""
    first = all_names.index(names[0])
    return slice(first * width, (first + len(names)) * width)


def _forward_places(
    program: Program, gates: Tensor, buffers: list[Tensor], depth: int, weights: Mapping[str, Tensor]
) -> Buffers:
    hidden, *others = buffers
    width = hidden.shape[2]
    places = {name: Buffer(gates[..., _blocks((name,), program.gates, width)]) for name in program.gates}
    places |= {
        "gates": Buffer(gates),
        "h": Buffer(hidden, depth - 1),
        "past": Buffer(hidden),
        "h_next": Buffer(hidden, depth),
    }
    if "c" in program.states:
        cells = others.pop(0)
        places |= {"c": Buffer(cells), "c_next": Buffer(cells, 1)}
    places |= {name: Buffer(buffer) for name, buffer in zip(program.saved, others, strict=True)}
    return places | {name: Buffer(weights[name].detach().contiguous()) for name in program.biases or ()}


def _backward_places(program: Program, d_gates: Tensor, d_hidden: Tensor, depth: int) -> Buffers:
    steps, rows, width = d_hidden.shape
    places = {f"d_{name}": Buffer(d_gates[..., _blocks((name,), program.gates, width)]) for name in program.gates}
    places |= {
        "d_gates": Buffer(d_gates),
        "dh": Buffer(d_hidden, depth),
        "dh_before": Buffer(d_hidden, depth - 1),
        "d_past": Buffer(d_hidden),
    }
    targets = {product.into[0] for stage in program.stages for product in stage.products}
    for name in program.saved:  # a product's result needs its gradient in every step, for the weights' gradient
        shape = (steps - depth, rows, width) if name in targets else (rows, width)
        places[f"d_{name}"] = Buffer(d_gates.new_empty(shape))
    return places


def _wide(names: tuple[str, ...], program: Program, places: Buffers, prefix: str = "") -> Buffer:
    """The place of neighbouring gates together, (T, B, n H), or of one saved quantity."""
    if names[0] not in program.gates:
        return places[prefix + names[0]]
    gates = places[prefix + "gates"].tensor
    return Buffer(gates[..., _blocks(names, program.gates, gates.shape[2] // len(program.gates))])


def _matrix(product: Product, program: Program, weights: Mapping[str, Tensor]) -> Tensor:
    """The weights of a product, (n H, H)."""
    matrix = weights[product.weight].detach()
    return matrix[_blocks(product.rows, program.recurrent, matrix.shape[1])] if product.rows else matrix


def bfloat16_products() -> bool:
    """Whether products are to be of bfloat16 numbers, added up in single precision: inside `torch.autocast`."""
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


def _window(program: Program, like: Tensor, *, brief: bool) -> StepLoop:
    """A window by compiled code where that can be had, else by torch."""
    library = native.library(program.functions, like.dtype) if like.device.type == "cpu" else None
    if library is None or (brief and not library.has_bfloat16):
        return TorchLoop(brief=brief)
    return native.CompiledLoop(library, like.shape[1], like.shape[2], brief=brief)


def _weight_gradients(
    program: Program, places: Buffers, weights: Mapping[str, Tensor], steps: int, *, brief: bool
) -> dict[str, Tensor]:
    """Of each recurrent weight, one product over all steps; of each extra bias, a sum."""
    found = {name: torch.empty_like(weight) for name, weight in weights.items()}
    for stage in program.stages:
        for product in stage.products:
            target = _matrix(product, program, found)
            into = _wide(product.into, program, places, "d_").flat(steps)
            if brief:
                target.copy_(into.T.bfloat16() @ places[product.of].flat(steps).bfloat16())
            else:
                torch.mm(into.T, places[product.of].flat(steps), out=target)
    for name, source in (program.biases or {}).items():
        torch.sum(places[f"d_{source}"].flat(steps), dim=0, out=found[name])
    return found
