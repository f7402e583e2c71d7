"""The forward pass of a Program: its memory and operations, shared by training, recording of states, and sampling; and
the operations of a convolution's sampling step."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from charlm.kernels import compiled
from charlm.kernels.buffers import Buffer, Buffers, StepLoop, TorchLoop
from charlm.kernels.program import Product, Program, State, Weights, gated_sum


def lookback_of(program: Program, state: Sequence[Tensor | str]) -> int:
    """How many past h a Program reads, given the parts of a state or their names: s for `rnn-skip`, else 1."""
    return len(state) - ("c" in program.states)


def forward_buffers(
    program: Program,
    gates: Tensor,
    hidden: Tensor,
    cells: Tensor | None,
    saved: Sequence[Tensor],
    weights: Weights,
    *,
    lookback: int,
) -> Buffers:
    """The buffers of a forward pass, under the names that `charlm.kernels.program` defines.

    Args:
        program: the Program of the cell.
        gates: V x + b, (T, B, G); or (B, G), memory that all steps share.
        hidden: h of the `lookback` steps before the first, then h of each step, (lookback + T, B, H).
        cells: c before the first step, then c of each step, (T + 1, B, H); None if the cell has no c.
        saved: memory for the saved quantities, (T, B, H) each; or (B, H), shared by all steps.
        weights: the weights of the cell, by name.
        lookback: number of steps before the first; see `lookback_of`.
    """
    hidden_size = hidden.shape[2]
    buffers = {name: Buffer(gates[..., block(name, program.gates, hidden_size)]) for name in program.gates}
    buffers |= {
        "gates": Buffer(gates),
        "h": Buffer(hidden, lookback - 1),
        "past": Buffer(hidden),
        "h_next": Buffer(hidden, lookback),
    }
    if cells is not None:
        buffers |= {"c": Buffer(cells), "c_next": Buffer(cells, 1)}
    buffers |= {name: Buffer(tensor) for name, tensor in zip(program.saved, saved, strict=True)}
    return buffers | {name: Buffer(weights[name].detach().contiguous()) for name in program.biases or ()}


Pack = Callable[[str, Tensor], Any]
"""pack(name, matrix) -> the matrix in the form that the loop takes; the name is unique among a Program's products."""


def add_forward(
    loop: StepLoop,
    program: Program,
    buffers: Buffers,
    weights: Weights,
    *,
    pack: Pack = lambda name, matrix: matrix,
) -> None:
    """Add the products and stages of a forward step to a loop."""
    for stage in program.stages:
        for product in stage.products:
            target = joint_buffer(product.into, program, buffers)
            matrix = pack(" ".join((product.weight, *product.into)), matrix_of(product, program, weights))
            loop.product(buffers[product.of], matrix, target, add=product.into[0] in program.gates)
        loop.stage(stage.forward, buffers)


def add_convolution(
    loop: StepLoop, taps: Sequence[Any], inputs: Tensor, total: Tensor, output: Buffer, *, dilation: int
) -> None:
    """Add the products and the stage of a gated convolution to a loop.

    Args:
        loop: the loop of a sampling step.
        taps: the k matrices (2H, H) of the last input and those d, 2d, ... steps back, in the form that the loop takes.
        inputs: the (k - 1) d inputs before the first step, then those of each step, (time, B, H).
        total: memory for the sum, (B, 2H), set to the bias before each step.
        output: where the output of the layer is stored.
        dilation: d.
    """
    span, size = (len(taps) - 1) * dilation, total.shape[1] // 2
    for back, tap in enumerate(taps):
        loop.product(Buffer(inputs, span - back * dilation), tap, Buffer(total), add=True)
    parts = {"value": Buffer(total[:, :size]), "gate": Buffer(total[:, size:])}
    loop.stage(gated_sum, parts | {"layer_input": Buffer(inputs, span), "next_input": output})


def run_forward(
    program: Program, projected: Tensor, state: State, weights: Weights, *, bfloat16: bool
) -> tuple[Tensor, Tensor | None, list[Tensor]]:
    """Run a Program over a window and return `hidden`, `cells` and `saved` as in `forward_buffers`.

    Args:
        program: the Program of the cell.
        projected: V x + b, (T, B, G); overwritten with the activations of the gates.
        state: the state before the first step, (B, H) each.
        weights: the weights of the cell, by name.
        bfloat16: whether to round the operands of products to bfloat16.
    """
    steps, rows, total = projected.shape
    hidden_size, lookback = total // len(program.gates), lookback_of(program, state)
    hidden = projected.new_empty(steps + lookback, rows, hidden_size)
    for back in range(lookback):
        hidden[lookback - 1 - back] = state[back]
    cells = None
    if "c" in program.states:
        cells = projected.new_empty(steps + 1, rows, hidden_size)
        cells[0] = state[-1]
    saved = [projected.new_empty(steps, rows, hidden_size) for _ in program.saved]
    loop = loop_for(program, hidden, bfloat16=bfloat16)
    buffers = forward_buffers(program, projected, hidden, cells, saved, weights, lookback=lookback)
    add_forward(loop, program, buffers, weights)
    loop.run(0, steps, 1)
    return hidden, cells, saved


def last_state(hidden: Tensor, cells: Tensor | None, lookback: int) -> State:
    """The state after the last step, (B, H) each, from the results of `run_forward`."""
    hidden_states = tuple(hidden[len(hidden) - 1 - back] for back in range(lookback))
    return hidden_states if cells is None else (*hidden_states, cells[-1])


def loop_for(program: Program, like: Tensor, *, bfloat16: bool) -> StepLoop:
    """A compiled loop if there is compiled code, else a loop of torch operations.

    `like` is any tensor (..., B, H) with the dtype and device of the loop.
    """
    library = compiled.program_library(program.functions, like.dtype) if like.device.type == "cpu" else None
    if library is None or (bfloat16 and not library.has_bfloat16):
        return TorchLoop(bfloat16=bfloat16)
    return compiled.CompiledLoop(library, like.shape[-2], like.shape[-1], bfloat16=bfloat16)


def block(names: str | tuple[str, ...], all_names: tuple[str, ...], hidden_size: int) -> slice:
    """The slice of the adjacent blocks `names` in a concatenation of blocks of H = `hidden_size`."""
    names = (names,) if isinstance(names, str) else names
    first = all_names.index(names[0])
    return slice(first * hidden_size, (first + len(names)) * hidden_size)


def joint_buffer(names: tuple[str, ...], program: Program, buffers: Buffers, prefix: str = "") -> Buffer:
    """One buffer for n adjacent gates, (T, B, n H), or the buffer of a saved quantity."""
    if names[0] not in program.gates:
        return buffers[prefix + names[0]]
    gates = buffers[prefix + "gates"].tensor
    return Buffer(gates[..., block(names, program.gates, gates.shape[-1] // len(program.gates))])


def matrix_of(product: Product, program: Program, weights: Weights) -> Tensor:
    """The weight matrix of a product, (n H, H)."""
    matrix = weights[product.weight].detach()
    return matrix[block(product.rows, program.recurrent, matrix.shape[1])] if product.rows else matrix
