"""The Programs of rnn, irnn and rnn-skip. With g = tanh(a), dL/da = dL/dg * (1 - g * g)."""

from typing import Any

from charlm.kernels.program import Product, Program, Stage
from charlm.kernels.symbolic import Values, positive, relu, tanh

Q = Any  # a quantity: a tensor or a symbol


def _rnn(h_gate: Q) -> Values:
    return {"h_next": tanh(h_gate)}


def _rnn_back(dh: Q, h_next: Q) -> Values:
    return {"d_h_gate": dh * (1 - h_next * h_next)}


def _irnn(h_gate: Q) -> Values:
    return {"h_next": relu(h_gate)}


def _irnn_back(dh: Q, h_next: Q) -> Values:
    return {"d_h_gate": dh * positive(h_next)}


_RECUR = Product(of="h", rows=("h",), into=("h_gate",))
_SIMPLE: dict[str, Any] = {"gates": ("h_gate",), "recurrent": ("h",)}

RNN = Program(**_SIMPLE, stages=(Stage(products=(_RECUR,), forward=_rnn, backward=_rnn_back),))
IRNN = Program(**_SIMPLE, stages=(Stage(products=(_RECUR,), forward=_irnn, backward=_irnn_back),))
RNN_SKIP = Program(
    **_SIMPLE,
    stages=(
        Stage(
            products=(_RECUR, Product(of="past", rows=(), into=("h_gate",), weight="skip")),
            forward=_rnn,
            backward=_rnn_back,
        ),
    ),
)
