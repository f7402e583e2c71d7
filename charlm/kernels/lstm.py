"""The Programs of the LSTM and its variants. With s = sigm(a), dL/da = dL/ds * s * (1 - s)."""

from typing import Any

from charlm.kernels.program import Product, Program, Stage
from charlm.kernels.symbolic import Values, sigmoid, tanh

Q = Any  # a quantity: a tensor or a symbol


def _lstm(i: Q, f: Q, g: Q, o: Q, c: Q) -> Values:
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    c_next = f * c + i * g
    return {"i": i, "f": f, "g": g, "o": o, "c_next": c_next, "h_next": o * tanh(c_next)}


def _lstm_back(dh: Q, dc: Q, i: Q, f: Q, g: Q, o: Q, c: Q, c_next: Q) -> Values:
    squashed = tanh(c_next)
    dc = dc + dh * o * (1 - squashed * squashed)
    return {
        "d_i": dc * g * i * (1 - i),
        "d_f": dc * c * f * (1 - f),
        "d_g": dc * i * (1 - g * g),
        "d_o": dh * squashed * o * (1 - o),
        "dc": dc * f,
    }


def _lstm_1997(i: Q, g: Q, o: Q, c: Q) -> Values:
    i, g, o = sigmoid(i), tanh(g), sigmoid(o)
    c_next = c + i * g
    return {"i": i, "g": g, "o": o, "c_next": c_next, "h_next": o * tanh(c_next)}


def _lstm_1997_back(dh: Q, dc: Q, i: Q, g: Q, o: Q, c_next: Q) -> Values:
    squashed = tanh(c_next)
    dc = dc + dh * o * (1 - squashed * squashed)
    return {
        "d_i": dc * g * i * (1 - i),
        "d_g": dc * i * (1 - g * g),
        "d_o": dh * squashed * o * (1 - o),
        "dc": dc,
    }


def _lstm_i(f: Q, g: Q, o: Q, c: Q) -> Values:
    f, g, o = sigmoid(f), tanh(g), sigmoid(o)
    c_next = f * c + g
    return {"f": f, "g": g, "o": o, "c_next": c_next, "h_next": o * tanh(c_next)}


def _lstm_i_back(dh: Q, dc: Q, f: Q, g: Q, o: Q, c: Q, c_next: Q) -> Values:
    squashed = tanh(c_next)
    dc = dc + dh * o * (1 - squashed * squashed)
    return {
        "d_f": dc * c * f * (1 - f),
        "d_g": dc * (1 - g * g),
        "d_o": dh * squashed * o * (1 - o),
        "dc": dc * f,
    }


def _lstm_o(i: Q, f: Q, g: Q, c: Q) -> Values:
    i, f, g = sigmoid(i), sigmoid(f), tanh(g)
    c_next = f * c + i * g
    return {"i": i, "f": f, "g": g, "c_next": c_next, "h_next": tanh(c_next)}


def _lstm_o_back(dh: Q, dc: Q, i: Q, f: Q, g: Q, c: Q, h_next: Q) -> Values:
    dc = dc + dh * (1 - h_next * h_next)
    return {
        "d_i": dc * g * i * (1 - i),
        "d_f": dc * c * f * (1 - f),
        "d_g": dc * i * (1 - g * g),
        "dc": dc * f,
    }


def _lstm_like(gates: str, forward: Any, backward: Any) -> Program:
    blocks = tuple(gates)
    return Program(
        gates=blocks,
        recurrent=blocks,
        states=("h", "c"),
        stages=(Stage(products=(Product(of="h", rows=blocks, into=blocks),), forward=forward, backward=backward),),
    )


LSTM = _lstm_like("ifgo", _lstm, _lstm_back)
LSTM_1997 = _lstm_like("igo", _lstm_1997, _lstm_1997_back)
LSTM_I = _lstm_like("fgo", _lstm_i, _lstm_i_back)
LSTM_O = _lstm_like("ifg", _lstm_o, _lstm_o_back)


def _mix(m: Q, w: Q) -> Values:
    return {"q": m * w}


def _mix_back(d_q: Q, m: Q, w: Q) -> Values:
    return {"d_m": d_q * w, "d_w": d_q * m}


MLSTM = Program(
    gates=("m", "i", "f", "g", "o"),
    recurrent=("m", "i", "f", "g", "o"),
    states=("h", "c"),
    saved=("w", "q"),
    stages=(
        Stage(products=(Product(of="h", rows=("m",), into=("w",)),), forward=_mix, backward=_mix_back),
        Stage(
            products=(Product(of="q", rows=("i", "f", "g", "o"), into=("i", "f", "g", "o")),),
            forward=_lstm,
            backward=_lstm_back,
        ),
    ),
)
