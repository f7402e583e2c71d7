import decimal
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charlm.sampling import distribution, filters

LOGITS = st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=20)
SMALL = st.lists(st.floats(-20, 20), min_size=2, max_size=12).map(np.array)
SHARE = st.floats(1e-6, 0.999)


@given(LOGITS, st.one_of(st.just(0.0), st.floats(5e-324, 1e-3), st.floats(1e-6, 1e6), st.just(math.inf)))
def test_a_distribution_sums_to_one_at_any_temperature(logits: list[float], temperature: float) -> None:
    found = distribution(torch.tensor(logits), temperature)
    assert torch.isfinite(found).all() and (found >= 0).all()
    assert found.sum().item() == pytest.approx(1.0, abs=1e-12)


@given(SMALL, st.floats(-6, 6).map(lambda power: 10**power))
def test_it_is_the_lectures_formula_from_1e_minus_6_up(logits: np.ndarray, temperature: float) -> None:
    """exp(z_i / T) / sum_k exp(z_k / T), in decimal numbers that no exponent overflows."""
    with decimal.localcontext(prec=40, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN):
        powers = [(decimal.Decimal(z) / decimal.Decimal(temperature)).exp() for z in logits.tolist()]
        expected = [float(power / sum(powers)) for power in powers]
    assert distribution(torch.from_numpy(logits), temperature).tolist() == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_temperature_zero_is_the_argmax_and_infinity_is_uniform() -> None:
    logits = torch.tensor([1.0, 3.0, -math.inf, 3.0])
    assert distribution(logits, 0).tolist() == [0, 1, 0, 0]
    assert distribution(logits, math.inf).tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])
    assert distribution(logits, 1e-6).tolist() == pytest.approx([0, 0.5, 0, 0.5])


def kept(logits: np.ndarray) -> set[int]:
    return set(np.flatnonzero(~np.isneginf(logits)).tolist())


@given(SMALL, st.integers(1, 15))
def test_top_k_keeps_the_largest_and_of_equals_the_first(logits: np.ndarray, k: int) -> None:
    order = sorted(range(len(logits)), key=lambda token: -logits[token])
    assert kept(filters.keep_top_k(logits, k)) == set(order[:k])


@given(SMALL, SHARE)
def test_top_p_keeps_the_fewest_that_reach_p(logits: np.ndarray, p: float) -> None:
    shares = filters.probabilities(logits)
    chosen = kept(filters.keep_top_p(logits, p))
    least = min(chosen, key=lambda token: shares[token])
    mass = sum(shares[token] for token in chosen)
    assert mass >= p - 1e-9 and mass - shares[least] < p
    assert all(shares[other] <= shares[least] for other in set(range(len(logits))) - chosen)


@given(SMALL, SHARE)
def test_min_p_keeps_what_is_likely_enough(logits: np.ndarray, p: float) -> None:
    shares = filters.probabilities(logits)
    chosen = kept(filters.keep_min_p(logits, p))
    for token, share in enumerate(shares):
        if not math.isclose(share, p * shares.max(), rel_tol=1e-9):
            assert (token in chosen) == (share > p * shares.max())


@given(SMALL, SHARE)
def test_typical_keeps_what_is_nearest_to_the_entropy(logits: np.ndarray, mass: float) -> None:
    shares = filters.probabilities(logits)
    possible = [share for share in shares if share > 0]
    entropy = -sum(share * math.log(share) for share in possible)
    gaps = [abs(entropy + math.log(share)) for share in shares]
    chosen = kept(filters.keep_typical(logits, mass))
    assert sum(shares[token] for token in chosen) >= mass - 1e-9
    furthest = max(gaps[token] for token in chosen)
    assert all(gaps[other] >= furthest - 1e-9 for other in set(range(len(logits))) - chosen)


@given(SMALL, st.floats(0.1, 10), st.floats(-50, 50))
def test_a_repetition_penalty_is_a_power_of_the_probability(logits: np.ndarray, penalty: float, shift: float) -> None:
    repeated = np.arange(len(logits)) % 2 == 0
    shares = filters.probabilities(logits)
    expected = np.where(repeated, shares**penalty, shares)
    found = filters.probabilities(filters.penalise_repetition(logits + shift, repeated, penalty))
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-6, atol=1e-12)


@given(
    st.lists(
        st.lists(st.one_of(st.floats(-50, 50), st.just(-math.inf)), min_size=4, max_size=4), min_size=1, max_size=3
    ),
    st.permutations(
        [
            lambda z: filters.keep_top_k(z, 2),
            lambda z: filters.keep_top_p(z, 0.6),
            lambda z: filters.keep_min_p(z, 0.3),
            lambda z: filters.keep_typical(z, 0.5),
            lambda z: filters.temper(z, 0.3),
            lambda z: filters.temper(z, 0),
            lambda z: filters.temper(z, math.inf),
            lambda z: filters.penalise_repetition(z, z > 0, 1.3),
        ]
    ),
)
def test_in_any_order_they_leave_a_distribution_and_their_argument(rows: list[list[float]], order: list) -> None:
    logits = np.array(rows)
    logits[:, 0] = np.where(np.isneginf(logits).all(-1), 0.0, logits[:, 0])
    for keep in order:
        before = logits.copy()
        after = keep(logits)
        assert np.array_equal(logits, before), "the argument was changed"
        assert (np.isneginf(after) | ~np.isneginf(logits)).all(), "a token that was ruled out came back"
        logits = after
    shares = filters.probabilities(logits)
    assert np.isfinite(shares).all() and shares.sum(-1) == pytest.approx(1.0)


SHARES = [0.4, 0.25, 0.15, 0.1, 0.06, 0.04]
"""Of a, b, c, d, e, f after BOS."""
CONTROLS = {
    "none": ({}, SHARES),
    "temperature": ({"temperature": 0.5}, [p**2 for p in SHARES]),
    "infinite temperature": ({"temperature": math.inf}, [1] * 6),
    "zero": ({"temperature": 0}, [1, 0, 0, 0, 0, 0]),
    "top-k": ({"top_k": 3}, [0.4, 0.25, 0.15, 0, 0, 0]),
    "top-p": ({"top_p": 0.7}, [0.4, 0.25, 0.15, 0, 0, 0]),
    "top-p of a tempered": ({"top_p": 0.7, "temperature": 0.5}, [0.16, 0.0625, 0, 0, 0, 0]),
    "min-p": ({"min_p": 0.3}, [0.4, 0.25, 0.15, 0, 0, 0]),
    "typical": ({"typical": 0.35}, [0, 0.25, 0.15, 0, 0, 0]),  # entropy 1.53; surprises 0.92 1.39 1.90 2.30 2.81 3.22
    "bias": ({"bias": ("f=+2", "a=-1")}, [0.4 * math.exp(-1), 0.25, 0.15, 0.1, 0.06, 0.04 * math.exp(2)]),
    "ban": ({"ban": ("a", "bc", "d")}, [0, 0.25, 0.15, 0, 0.06, 0.04]),
}


@pytest.mark.parametrize(("settings", "weights"), CONTROLS.values(), ids=CONTROLS)
def test_samples_follow_the_distribution_of_each_control(
    bigrams, write_texts, chi_square, letters, settings: dict, weights: list[float]
) -> None:
    model = bigrams(9)
    model.table[letters.bos] = torch.tensor([-math.inf, -math.inf, -math.inf, *map(math.log, SHARES)])
    texts = [written.text for written in write_texts(model, letters, 5000, length=1, **settings)]
    expected = {letter: weight / sum(weights) for letter, weight in zip("abcdef", weights, strict=True)}
    statistic, limit = chi_square(texts, expected)
    assert statistic < limit


def test_the_penalty_falls_on_what_was_written(bigrams, write_texts, chi_square, letters) -> None:
    model = bigrams(9)
    model.table[:] = torch.tensor([-math.inf, -math.inf, -math.inf, *map(math.log, SHARES)])
    texts = [written.text for written in write_texts(model, letters, 5000, length=2, repetition_penalty=2.0)]
    expected = {}
    for first, p in zip("abcdef", SHARES, strict=True):
        weights = [q**2 if second == first else q for second, q in zip("abcdef", SHARES, strict=True)]
        for second, weight in zip("abcdef", weights, strict=True):
            expected[first + second] = p * weight / sum(weights)
    statistic, limit = chi_square(texts, expected)
    assert statistic < limit


def test_a_cycle_turns_and_a_ramp_rises(bigrams, write_texts, letters) -> None:
    model = bigrams(9)
    model.table[:] = torch.tensor([-math.inf, -math.inf, -math.inf, *map(math.log, SHARES)])
    for settings, changing in (("0.0,1.0", [False, True] * 3), ("0..1", [False, True, True, True, True, True])):
        texts = [written.text for written in write_texts(model, letters, 300, length=6, temperature=settings)]
        assert [len(set(column)) > 1 for column in zip(*texts, strict=True)] == changing
    shares = [sum(text[place] == "a" for text in texts) / 300 for place in range(6)]
    assert shares[0] == 1 and 0.85 < shares[1] < 1 and shares[5] == pytest.approx(0.4, abs=0.1)
