"""The functions of `native/sources/functions.h` in NumPy: the same float32 numbers, to the last bit.

Every operation is rounded to float32 by itself and in the same order, as in the portable C code.
"""

import numpy as np
from numpy.typing import NDArray

Singles = NDArray[np.float32]
F = np.float32

_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_LOG = (
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
    *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
_TANH = (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)


def _polynomial(x: Singles, coefficients: tuple[float, ...]) -> Singles:
    """Horner's scheme, the highest power first."""
    result = np.full_like(x, F(coefficients[0]))
    for coefficient in coefficients[1:]:
        result = result * x + F(coefficient)
    return result


def exp(x: Singles) -> Singles:
    """`exp_float`; NaN stays NaN."""
    x = np.where(x > F(88), F(88), x)
    x = np.where(x < F(-87), F(-87), x)
    n = (x * F(1.44269504) + F(12582912)) - F(12582912)
    r = (x - n * F(0.693359375)) + n * F(2.12194440e-4)
    p = _polynomial(r, _EXP)
    p = (p * r) * r + r + F(1)
    with np.errstate(invalid="ignore"):
        power = (n.astype(np.int32) + np.int32(127) << np.int32(23)).view(np.float32)
    result: Singles = p * power
    return result


def sigmoid(x: Singles) -> Singles:
    """`sigmoid_float`."""
    result: Singles = F(1) / (F(1) + exp(-x))
    return result


def tanh(x: Singles) -> Singles:
    """`tanh_float`."""
    z, square = np.abs(x), x * x
    near = _polynomial(square, _TANH) * square * x + x
    far = np.copysign(F(1) - F(2) / (exp(F(2) * z) + F(1)), x)
    result: Singles = np.where(z < F(0.625), near, far)
    return result


def relu(x: Singles) -> Singles:
    """`RELU`."""
    return np.where(x > 0, x, np.where(np.isnan(x), x, F(0)))


def log(x: Singles) -> Singles:
    """`log_float`, the logarithm of max(x, 1e-12)."""
    bits = np.where(x > F(1e-12), x, F(1e-12)).view(np.int32)
    power = (bits - np.int32(0x3F3504F3)) >> np.int32(23)
    e = power.astype(np.float32)
    f = (bits - power * np.int32(1 << 23)).view(np.float32) - F(1)
    square = f * f
    p = _polynomial(f, _LOG) * f * square - F(2.12194440e-4) * e - F(0.5) * square
    result: Singles = (f + p) + F(0.693359375) * e
    return result


def ordered_sum(terms: Singles, axis: int = 0) -> Singles:
    """The sum along an axis, one term after the other, from 0 on."""
    zero = np.zeros_like(np.take(terms, [0] if terms.shape[axis] else [], axis=axis))
    if not terms.shape[axis]:
        return np.zeros(np.delete(terms.shape, axis), np.float32)
    sums: Singles = np.take(np.cumsum(np.concatenate((zero, terms), axis), axis, np.float32), -1, axis)
    return sums
