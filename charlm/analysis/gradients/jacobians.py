"""The Jacobians of single steps of a recurrent layer, and the norms whose product bounds a gradient through time."""

import torch
from torch import Tensor

from charlm.analysis.gradients.unrolled import MEASURED, Unrolled
from charlm.cells import Cell, State, Weights
from charlm.model.layers import RecurrentLayer
from charlm.progress import Progress, silent


def jacobian_norms(
    unrolled: Unrolled, *, rows: int, elements: int = 1 << 20, progress: Progress = silent
) -> dict[str, Tensor]:
    """Exact spectral norms of the Jacobians of single steps; autograd builds each Jacobian row by row.

    Args:
        unrolled: the S steps that `Unrolled.of` has run.
        rows: R, how many rows of the batch to use.
        elements: elements of Jacobians in memory at a time; by default 8 MB.
        progress: receives how many Jacobians are done.

    Returns:
        (S, R) for each measured state s: ||ds_i/ds_{i-1}||_2 with all other states fixed; and, for a cell with several
        states, "all": the norm of the joint Jacobian of all its states.
    """
    cell, weights = unrolled.layer.cell, dict(unrolled.layer.named_parameters())
    hidden, steps = unrolled.layer.hidden_size, len(unrolled.inputs)
    rows = min(rows, unrolled.inputs[0].shape[0])
    before = [unrolled.initial, *unrolled.states[:-1]]
    x = torch.cat([part[:rows] for part in unrolled.inputs])  # (S * R, I)
    states = tuple(
        torch.cat([state[index][:rows] for state in before]).detach() for index in range(len(cell.states))
    )  # (S * R, H)
    norms: dict[str, list[Tensor]] = {}
    chunk = max(1, elements // (hidden * len(cell.states)) ** 2)
    for start in range(0, len(x), chunk):
        part = slice(start, start + chunk)
        jacobians = step_jacobians(cell, x[part], tuple(state[part] for state in states), weights)
        blocks = {
            name: jacobians[:, at : at + hidden, at : at + hidden]
            for name, at in ((name, hidden * index) for index, name in enumerate(cell.states))
            if name in MEASURED
        }
        if len(cell.states) > 1:
            blocks["all"] = jacobians
        for name, block in blocks.items():
            norms.setdefault(name, []).append(spectral_norms(block))
        progress(f"Jacobians of {cell.name}", min(start + chunk, len(x)), len(x))
    return {name: torch.cat(values).view(steps, rows) for name, values in norms.items()}


def spectral_norms(matrices: Tensor) -> Tensor:
    """||A||_2 of each matrix (..., N, N): the root of the largest eigenvalue of A^T A, 3x as fast as an SVD."""
    largest: Tensor = torch.linalg.eigvalsh(matrices.mT @ matrices)[..., -1]
    return largest.clamp(min=0).sqrt()


def step_jacobians(cell: Cell, x: Tensor, state: State, weights: Weights) -> Tensor:
    """d(states after a step)/d(states before it), (B, nH, nH) for a cell of n states, in the cell's order.

    Args:
        cell: the cell to step.
        x: the input of the step, (B, I).
        state: the state before the step, (B, H) each.
        weights: the weights of the cell, by name.
    """
    state = tuple(part.detach().requires_grad_() for part in state)
    after = torch.cat(cell.step(x, state, weights), dim=-1)  # (B, nH)
    rows = [
        torch.cat(torch.autograd.grad(after[:, index].sum(), state, retain_graph=True, materialize_grads=True), dim=-1)
        for index in range(after.shape[-1])
    ]
    return torch.stack(rows, dim=1)


def path_products(norms: Tensor, *, lags: int) -> Tensor:
    """Products of the last k factors before each position, mean over positions and rows.

    Args:
        norms: ||J_i|| of each step i, (S, R).
        lags: K, the largest number of steps to follow a gradient back.

    Returns:
        (K + 1,): at lag k the mean of prod_{i=t-k+1..t} ||J_i|| over the positions t = K ... S - 1 and the rows; 1 at
        lag 0.
    """
    factors = norms.unfold(0, lags, 1)[1:].flip(-1)  # (S - K, R, K), of the steps t, t - 1, ..., t - K + 1
    products = factors.cumprod(-1).mean(dim=(0, 1))
    return torch.cat((products.new_ones(1), products))


def spectral_radii(layer: RecurrentLayer) -> dict[str, float] | None:
    """Largest absolute eigenvalue of each recurrent matrix (H, H); None if the cell has no recurrent matrix.

    Keys are the names of the gates and of extra matrices such as `skip`.
    """
    cell, weights = layer.cell, dict(layer.named_parameters())
    blocks = torch.split(weights["recurrent"], layer.hidden_size) if cell.recurrent else ()
    matrices = dict(zip(cell.recurrent, blocks, strict=True)) | {name: weights[name] for name in cell.extra_matrices}
    return {
        name: float(torch.linalg.eigvals(matrix.detach().double()).abs().max()) for name, matrix in matrices.items()
    } or None
