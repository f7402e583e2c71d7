"""Long short-term memory, with and without the forget gate, and without each of the other gates."""

from collections.abc import Callable

import torch
from torch import Tensor

from charlm.cells.base import Cell, State, Weights


def lstm_step(x: Tensor, state: State, weights: Weights) -> State:
    """i, f, o = sigm(V x + W h' + b); g = tanh(V_g x + W_g h' + b_g); c = f * c' + i * g; h = o * tanh(c).

    Args:
        x: the input of the step, (B, I).
        state: (h', c'), each (B, H).
        weights: V `input` (4H, I), W `recurrent` (4H, H), `bias` (4H,), rows in the order i, f, g, o.

    Returns:
        (h, c), each (B, H).

    Source: Hochreiter and Schmidhuber 1997, Neural Computation 9; the forget gate is from Gers, Schmidhuber and
    Cummins 1999, "Learning to forget".
    """
    h, c = state
    i, f, g, o = _preactivations(x, h, weights, 4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def lstm_1997_step(x: Tensor, state: State, weights: Weights) -> State:
    """i, o = sigm(V x + W h' + b); g = tanh(V_g x + W_g h' + b_g); c = c' + i * g; h = o * tanh(c).

    Shapes as in `lstm_step`, with three blocks of rows: i, g, o. Since dc/dc' = 1, an error flows back unchanged (the
    constant error carousel).

    Source: Hochreiter and Schmidhuber 1997, Neural Computation 9, equations 7 to 9 (with other squashing
    functions). The `lstm-f` of Jozefowicz et al. 2015, section 3, is the same cell.
    """
    h, c = state
    i, g, o = _preactivations(x, h, weights, 3)
    c = c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def lstm_i_step(x: Tensor, state: State, weights: Weights) -> State:
    """f, o = sigm(V x + W h' + b); g = tanh(V_g x + W_g h' + b_g); c = f * c' + g; h = o * tanh(c).

    Shapes as in `lstm_step`, with three blocks of rows: f, g, o. Source: Jozefowicz et al. 2015, section 3, LSTM-i.
    """
    h, c = state
    f, g, o = _preactivations(x, h, weights, 3)
    c = torch.sigmoid(f) * c + torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def lstm_o_step(x: Tensor, state: State, weights: Weights) -> State:
    """i, f = sigm(V x + W h' + b); g = tanh(V_g x + W_g h' + b_g); c = f * c' + i * g; h = tanh(c).

    Shapes as in `lstm_step`, with three blocks of rows: i, f, g. Source: Jozefowicz et al. 2015, section 3, LSTM-o.
    """
    h, c = state
    i, f, g = _preactivations(x, h, weights, 3)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.tanh(c), c


def mlstm_step(x: Tensor, state: State, weights: Weights) -> State:
    """m = (W_mx x) * (W_mh h'); then the equations of `lstm_step` with m for h'.

    Args:
        x: the input of the step, (B, I).
        state: (h', c'), each (B, H).
        weights: `input` (5H, I) and `recurrent` (5H, H) with rows in the order m, i, f, g, o; `bias` (4H,) for the
            last four.

    Returns:
        (h, c), each (B, H).

    Source: Krause, Lu, Murray and Renals 2016 (arXiv 1609.07959), equations 9 and 10 to 15.
    """
    h, c = state
    size = h.shape[-1]
    from_input = x @ weights["input"].T  # (B, 5H)
    m = from_input[:, :size] * (h @ weights["recurrent"][:size].T)
    i, f, g, o = (from_input[:, size:] + m @ weights["recurrent"][size:].T + weights["bias"]).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def _preactivations(x: Tensor, h: Tensor, weights: Weights, count: int) -> tuple[Tensor, ...]:
    """V x + W h' + b as `count` blocks, (B, H) each."""
    return (x @ weights["input"].T + h @ weights["recurrent"].T + weights["bias"]).chunk(count, dim=-1)


def _lstm(
    name: str, gates: str, step: Callable[[Tensor, State, Weights], State], equations: str, reference: str
) -> Cell:
    blocks = tuple(gates)
    return Cell(
        name=name,
        gates=blocks,
        recurrent=blocks,
        biases=blocks,
        states=("h", "c"),
        step=step,
        equations=equations,
        reference=reference,
    )


_G = "g = tanh(V_g x + W_g h' + b_g)"

LSTM = _lstm(
    "lstm",
    "ifgo",
    lstm_step,
    f"i, f, o = sigm(V x + W h' + b); {_G}; c = f * c' + i * g; h = o * tanh(c)",
    "Hochreiter and Schmidhuber 1997; Gers et al. 1999",
)
_WITHOUT_FORGETTING = f"i, o = sigm(V x + W h' + b); {_G}; c = c' + i * g; h = o * tanh(c)"
LSTM_1997 = _lstm("lstm-1997", "igo", lstm_1997_step, _WITHOUT_FORGETTING, "Hochreiter and Schmidhuber 1997")
LSTM_F = _lstm("lstm-f", "igo", lstm_1997_step, _WITHOUT_FORGETTING, "Jozefowicz et al. 2015; the same as lstm-1997")
LSTM_I = _lstm(
    "lstm-i",
    "fgo",
    lstm_i_step,
    f"f, o = sigm(V x + W h' + b); {_G}; c = f * c' + g; h = o * tanh(c)",
    "Jozefowicz et al. 2015",
)
LSTM_O = _lstm(
    "lstm-o",
    "ifg",
    lstm_o_step,
    f"i, f = sigm(V x + W h' + b); {_G}; c = f * c' + i * g; h = tanh(c)",
    "Jozefowicz et al. 2015",
)
MLSTM = Cell(
    name="mlstm",
    gates=("m", "i", "f", "g", "o"),
    recurrent=("m", "i", "f", "g", "o"),
    biases=("i", "f", "g", "o"),
    states=("h", "c"),
    step=mlstm_step,
    equations="m = (W_mx x) * (W_mh h'); then as lstm, with m in place of h'",
    reference="Krause et al. 2016, arXiv 1609.07959",
)
