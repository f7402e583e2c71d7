"""Posteriors follow Bayes' theorem and sum to 1; calibration makes overconfident ones honest."""

import math

import numpy as np
import pytest

from charlm.errors import ConfigError
from charlm.evaluation.spans.choice import calibrate, choose
from charlm.evaluation.spans.scores import SpanScore


def spans(*nats: float) -> list[SpanScore]:
    return [
        SpanScore(
            source="", document=n, number=1, start=0, text="a", characters=1, tokens=1, unknown_characters=0, nats=one
        )
        for n, one in enumerate(nats, 1)
    ]


def test_the_posterior_is_that_of_bayes() -> None:
    (choice,) = choose([spans(2.0), spans(1.0), spans(5.0)], prior=(0.5, 0.2, 0.3))
    joint = [0.5 * math.exp(-2), 0.2 * math.exp(-1), 0.3 * math.exp(-5)]
    assert choice.posterior == pytest.approx([one / sum(joint) for one in joint])
    assert choice.likeliest == 1 - (joint[0] > joint[1]) and choice.span is choice.scores[choice.likeliest]


def test_posteriors_sum_to_one_even_of_long_texts() -> None:
    rng = np.random.default_rng(1)
    for choice in choose([spans(*rng.uniform(0, 1e6, 50)) for _ in range(18)], prior=None):
        assert math.fsum(choice.posterior) == pytest.approx(1, abs=1e-14)


def test_a_temperature_makes_overconfident_models_honest() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 2000)
    evidence = rng.normal(np.where(truth == 0, 0.5, -0.5), 1.0)  # ln p0 / p1 is the evidence itself
    exaggerated = [spans(*(-5 * evidence)), spans(*np.zeros(2000))]
    found = calibrate(choose(exaggerated), truth.tolist())
    assert found.temperature == pytest.approx(5, rel=0.15)
    assert found.calibrated_bits < found.bits
    assert found.confusion.sum() == 2000 and found.accuracy == pytest.approx(0.69, abs=0.03)


def test_without_mistakes_the_temperature_stays_near_one() -> None:
    found = calibrate(choose([spans(1.0, 900.0), spans(900.0, 1.0)]), [0, 1])
    assert found.temperature == pytest.approx(1, rel=1e-6)
    assert found.confusion.tolist() == [[1, 0], [0, 1]] and found.accuracy == 1


@pytest.mark.parametrize("prior", [(0.5, 0.6), (1.5, -0.5), (1.0,)])
def test_a_prior_must_be_a_distribution(prior: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="prior"):
        list(choose([spans(1.0), spans(2.0)], prior=prior))


def test_calibration_needs_text() -> None:
    with pytest.raises(ConfigError, match="no text whose model is known"):
        calibrate([], [])
