"""The Programs of mut1, mut2 and mut3."""

from typing import Any

from charlm.kernels.gru import reset_back
from charlm.kernels.program import Product, Program, Stage
from charlm.kernels.symbolic import Values, sigmoid, tanh

Q = Any  # a quantity: a tensor or a symbol


def _mut_gates(r: Q, z: Q, h: Q) -> Values:
    r = sigmoid(r)
    return {"r": r, "z": sigmoid(z), "q": r * h}


def _mut_update(g: Q, z: Q, h: Q) -> Values:
    g = tanh(g)
    return {"g": g, "h_next": h + z * (g - h)}


def _mut_update_back(dh: Q, g: Q, z: Q, h: Q, dh_before: Q) -> Values:
    return {
        "d_g": dh * z * (1 - g * g),
        "d_z": dh * (g - h) * z * (1 - z),
        "dh_before": dh_before + dh * (1 - z),
    }


_MUT_UPDATE = Stage(
    products=(Product(of="q", rows=("g",), into=("g",)),), forward=_mut_update, backward=_mut_update_back
)

MUT2 = Program(
    gates=("r", "z", "g"),
    recurrent=("r", "z", "g"),
    saved=("q",),
    stages=(
        Stage(products=(Product(of="h", rows=("r", "z"), into=("r", "z")),), forward=_mut_gates, backward=reset_back),
        _MUT_UPDATE,
    ),
)


def _squash(h: Q) -> Values:
    return {"k": tanh(h)}


def _squash_back(d_k: Q, k: Q, dh_before: Q) -> Values:
    return {"dh_before": dh_before + d_k * (1 - k * k)}


MUT3 = Program(
    gates=("r", "z", "g"),
    recurrent=("r", "z", "g"),
    saved=("k", "q"),
    stages=(
        Stage(forward=_squash, backward=_squash_back),
        Stage(
            products=(
                Product(of="h", rows=("r",), into=("r",)),
                Product(of="k", rows=("z",), into=("z",)),
            ),
            forward=_mut_gates,
            backward=reset_back,
        ),
        _MUT_UPDATE,
    ),
)


def _mut1_gates(p: Q, z: Q, r: Q, h: Q) -> Values:
    r = sigmoid(r)
    return {"p": tanh(p), "r": r, "z": sigmoid(z), "q": r * h}


def _mut1_update(p: Q, z: Q, w: Q, candidate_bias: Q, h: Q) -> Values:
    g = tanh(w + p + candidate_bias)
    return {"w": g, "h_next": h + z * (g - h)}


def _mut1_update_back(dh: Q, p: Q, z: Q, w: Q, h: Q, dh_before: Q) -> Values:
    d_w = dh * z * (1 - w * w)
    return {
        "d_w": d_w,
        "d_p": d_w * (1 - p * p),
        "d_z": dh * (w - h) * z * (1 - z),
        "dh_before": dh_before + dh * (1 - z),
    }


MUT1 = Program(
    gates=("p", "z", "r"),
    recurrent=("r", "h"),
    saved=("q", "w"),
    biases={"candidate_bias": "w"},
    stages=(
        Stage(products=(Product(of="h", rows=("r",), into=("r",)),), forward=_mut1_gates, backward=reset_back),
        Stage(products=(Product(of="q", rows=("h",), into=("w",)),), forward=_mut1_update, backward=_mut1_update_back),
    ),
)
