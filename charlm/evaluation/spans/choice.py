"""Which of several models a span is likeliest to come from: posterior probabilities, and their calibration.

By Bayes' theorem p(model | span) is proportional to p(model) p(span | model). Characters of a span depend on each other
in ways that no model knows, so these probabilities are too extreme. Dividing all nats by a temperature corrects that
(Guo, Pleiss, Sun and Weinberger 2017, arXiv 1706.04599); it is fitted on spans whose model is known.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from charlm.errors import ConfigError
from charlm.evaluation.nats import Floats
from charlm.evaluation.spans.scores import SpanScore

_LOWEST, _HIGHEST = 1e-6, 1e3  # of 1 / temperature
_BISECTIONS = 80
_SUM_TOLERANCE = 1e-6
_TOGETHER = 256  # spans that are estimated together

SecondEstimate = Callable[[Sequence[str]], Floats]
"""The nats of K spans under each of M models, (K, M), from their texts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A span as scored by M models."""

    scores: tuple[SpanScore, ...]
    """For each model."""
    nats: tuple[float, ...]
    """What the choice is made by: the nats of the scores, or their mean with those of another estimate."""
    posterior: tuple[float, ...]
    """p(model | span) for each model; they sum to 1."""

    @property
    def likeliest(self) -> int:
        """The index of the likeliest model; the first of them if several are equally likely."""
        return max(range(len(self.posterior)), key=self.posterior.__getitem__)

    @property
    def span(self) -> SpanScore:
        """The span, as scored by the likeliest model."""
        return self.scores[self.likeliest]


def choose(
    scores: Sequence[Iterable[SpanScore]],
    *,
    prior: Sequence[float] | None = None,
    temperature: float = 1.0,
    second: SecondEstimate | None = None,
) -> Iterator[Choice]:
    """The posterior probabilities of the models for each span of a text.

    Args:
        scores: for each model, its scores of the same spans of the same text.
        prior: p(model), which must sum to 1; None is uniform.
        temperature: what nats are divided by, from `calibrate`.
        second: estimates the nats of spans once more; the choice is made by the mean of both.

    Raises `ConfigError` for an invalid prior.
    """
    log_prior = _log_prior(prior, len(scores))
    spans = zip(*scores, strict=True)
    while together := list(islice(spans, 1 if second is None else _TOGETHER)):
        nats = np.array([[span.nats for span in row] for row in together])  # (K, M)
        if second is not None:
            nats = (nats + second([row[0].text for row in together])) / 2
            nats[[not row[0].characters for row in together]] = 0  # no model reads an empty document
        posteriors = _posterior(nats, log_prior, 1 / temperature)
        for row, own, posterior in zip(together, nats.tolist(), posteriors.tolist(), strict=True):
            yield Choice(scores=row, nats=tuple(own), posterior=tuple(posterior))


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """How well models tell apart spans whose model is known, and the temperature fitted to them."""

    temperature: float
    confusion: NDArray[np.int64]
    """How many spans of model i (row) have model j as the likeliest (column), (M, M)."""
    bits: float
    """Mean -log2 p(true model) at temperature 1."""
    calibrated_bits: float
    """The same at the temperature that is fitted to the other half of the spans."""

    @property
    def accuracy(self) -> float:
        """The share of spans whose likeliest model is the true one."""
        return float(np.trace(self.confusion) / self.confusion.sum())


def calibrate(choices: Iterable[Choice], truth: Iterable[int], *, prior: Sequence[float] | None = None) -> Calibration:
    """Compare choices with the truth, and fit the temperature.

    Args:
        choices: from `choose`, of text that no model was trained on.
        truth: the index of the true model of each.
        prior: as given to `choose`.

    Raises `ConfigError` for an invalid prior, or without spans.
    """
    pairs = [(choice.nats, model) for choice, model in zip(choices, truth, strict=True)]
    if not pairs:
        raise ConfigError("there is no text whose model is known; give one that isn't empty")
    nats, known = np.array([row for row, _ in pairs]), np.array([model for _, model in pairs])  # (N, M), (N,)
    models = nats.shape[1]
    log_prior = _log_prior(prior, models)
    temperature = fit_temperature(nats, known, log_prior)
    confusion = np.zeros((models, models), np.int64)
    np.add.at(confusion, (known, _posterior(nats, log_prior, 1 / temperature).argmax(1)), 1)
    is_even = np.arange(len(known)) % 2 == 0
    costs = np.zeros(len(known))
    for half in (is_even, ~is_even):
        if half.any():
            fitted = fit_temperature(nats[~half], known[~half], log_prior) if (~half).any() else 1.0
            costs[half] = _costs(nats[half], known[half], log_prior, 1 / fitted)
    return Calibration(
        temperature=temperature,
        confusion=confusion,
        bits=float(_costs(nats, known, log_prior, 1.0).mean()) / math.log(2),
        calibrated_bits=float(costs.mean()) / math.log(2),
    )


def fit_temperature(nats: Floats, truth: NDArray[np.int64], log_prior: Floats) -> float:
    """The temperature at which the true models are likeliest, found by bisection.

    Its logarithm has a standard normal distribution beforehand, so that the temperature stays near 1 if no span is
    mistaken, or there are few.

    Args:
        nats: of N spans under M models, (N, M).
        truth: the true models, (N,).
        log_prior: ln p(model), (M,).
    """
    true_nats = nats[np.arange(len(truth)), truth]
    low, high = math.log(_LOWEST), math.log(_HIGHEST)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        expected = (_posterior(nats, log_prior, math.exp(middle)) * nats).sum(1)
        slope = math.exp(middle) * float((true_nats - expected).sum()) + middle
        low, high = (middle, high) if slope < 0 else (low, middle)
    return math.exp(-(low + high) / 2)


def _log_prior(prior: Sequence[float] | None, models: int) -> Floats:
    if prior is None:
        return np.zeros(models) - math.log(models)
    if len(prior) != models:
        raise ConfigError(f"the prior has {len(prior)} probabilities for {models} models; give one for each")
    if not all(0 <= share <= 1 for share in prior) or abs(math.fsum(prior) - 1) > _SUM_TOLERANCE:
        raise ConfigError(f"the prior sums to {math.fsum(prior):g}; it must be probabilities that sum to 1")
    with np.errstate(divide="ignore"):
        return np.log(np.array(prior, np.float64))


def _posterior(nats: Floats, log_prior: Floats, sharpness: float) -> Floats:
    """p(model | span), (..., M), from nats (..., M)."""
    weights = log_prior - sharpness * nats
    weights = np.exp(weights - weights.max(-1, keepdims=True))
    shares: Floats = weights / weights.sum(-1, keepdims=True)
    return shares


def _costs(nats: Floats, truth: NDArray[np.int64], log_prior: Floats, sharpness: float) -> Floats:
    """-ln p(true model | span), (N,)."""
    weights = log_prior - sharpness * nats
    top = weights.max(1)
    totals = np.log(np.exp(weights - top[:, None]).sum(1)) + top
    costs: Floats = totals - weights[np.arange(len(truth)), truth]
    return costs
