"""Beam search for the most probable texts."""

from dataclasses import dataclass
from typing import Unpack

import numpy as np
import torch

from charlm.config import option_of
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.sampling.config import SampleConfig
from charlm.sampling.controls import Controls
from charlm.sampling.draws import Uniforms
from charlm.sampling.filters import log_probabilities, truncations
from charlm.sampling.prepared import PreparedModel, WritingOptions
from charlm.sampling.steppers import LogitRows
from charlm.sampling.text_stream import GeneratedText, TextStream, chances
from charlm.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    """A text in the beam."""

    score: float
    """Its log-probability under the controls, and the `ending` of a text that the constraint ends, nats."""
    stream: TextStream


@dataclass(frozen=True, slots=True)
class _Continuation:
    """A hypothesis with one more token."""

    parent: int
    """The index of the hypothesis that it continues."""
    token: int
    hypothesis: _Hypothesis


def beam_search(
    model: LanguageModel,
    tokenizer: Tokenizer,
    *,
    width: int,
    num: int = 1,
    **options: Unpack[WritingOptions],
) -> list[GeneratedText]:
    """The most probable texts that a beam search finds, best first.

    With a constraint, texts that are not finished are ranked by their score and the chance that free writing goes on
    to satisfy it. The score of a text is the sum of the log-probabilities of its tokens, EOS included, with bias, bans,
    minimum length and repetition penalty, and of `Automaton.ending` where the constraint ends it. It is not corrected
    for length. At every step the `width` best continuations are kept. Scores only fall, so the search stops when `num`
    texts have ended that no other text can overtake. With width 1 the result is the text at temperature 0; with a width
    of V to the power of the length it is exact.

    Args:
        model: a model in evaluation mode.
        tokenizer: the tokenizer of the model.
        width: number of texts in the beam, at least 1.
        num: how many texts to return, at most the width; there may be fewer.
        options: the prefix, the settings and more; see `WritingOptions`. Settings that shape a random draw must have
            their defaults. The opening of a text is the same in every search.

    Raises: as `charlm.sampling.generate_chunks`, and `ConfigError` for a control that has no meaning in a search.

    Source: Lowerre 1976, "The Harpy speech recognition system"; Graves 2012 (arXiv 1211.3711), algorithm 1.
    """
    config = options.get("config") or SampleConfig()
    _check(config)
    prepared = PreparedModel.prepare(model, tokenizer, **options)
    found = prepared.start_finder(Uniforms(torch.Generator()), likeliest=True)
    constraint = prepared.constraint()
    starts = [start for start in found if start.log_probability > -np.inf]
    live = [_Hypothesis(start.log_probability, prepared.stream(start, constraint)) for start in starts]
    stepper = prepared.stepper(starts)
    logits: LogitRows = np.stack([start.logits for start in starts])
    finished: dict[str, _Hypothesis] = {}
    if config.max_length == 0:
        return [live[-1].stream.result()]
    while True:
        extended = _best(logits, live, prepared.controls, width)
        if not extended:
            for hypothesis in live:
                hypothesis.stream.dead_end()
                _remember(finished, hypothesis)
            break
        for continuation in extended:
            if continuation.hypothesis.stream.ended:
                _remember(finished, continuation.hypothesis)
        unfinished = [one for one in extended if not one.hypothesis.stream.ended]
        live = [continuation.hypothesis for continuation in unfinished]
        if not live or _is_decided(finished, live, num):
            break
        stepper.take([continuation.parent for continuation in unfinished])
        logits = stepper.step([continuation.token for continuation in unfinished])
    best = sorted(finished.values(), key=lambda hypothesis: -hypothesis.score)[:num]
    return [hypothesis.stream.result() for hypothesis in best]


def _best(logits: LogitRows, live: list[_Hypothesis], controls: Controls, width: int) -> list[_Continuation]:
    """The `width` best continuations, best first."""
    adjusted = controls.allowed(logits, [hypothesis.stream for hypothesis in live])
    adjusted[np.isneginf(adjusted.max(-1))] = np.nan  # no continuation is allowed
    scores = log_probabilities(adjusted) + np.array([hypothesis.score for hypothesis in live])[:, None]
    scores = np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf)
    promise = scores
    if live[0].stream.constraint_state is not None:
        promise = scores + chances([hypothesis.stream for hypothesis in live])
    model_log_p = log_probabilities(logits.astype(np.float64))
    extended: list[_Continuation] = []
    for flat in np.argsort(-promise, axis=None, kind="stable").tolist():
        parent, token = divmod(flat, scores.shape[1])
        if len(extended) == width or promise[parent, token] == -np.inf:
            break
        if live[parent].stream.can_take(token):
            stream = live[parent].stream.copy()
            stream.push(token, float(model_log_p[parent, token]))
            ranked = promise if stream.ended == "constraint" else scores
            extended.append(_Continuation(parent, token, _Hypothesis(float(ranked[parent, token]), stream)))
    return extended


def _remember(finished: dict[str, _Hypothesis], hypothesis: _Hypothesis) -> None:
    """Add a finished hypothesis; of two with the same text the better one is kept."""
    text = hypothesis.stream.text
    if text not in finished or finished[text].score < hypothesis.score:
        finished[text] = hypothesis


def _is_decided(finished: dict[str, _Hypothesis], live: list[_Hypothesis], num: int) -> bool:
    """Whether `num` texts have ended that no text in the beam can overtake."""
    ended = sorted((hypothesis.score for hypothesis in finished.values()), reverse=True)
    return len(ended) >= num and ended[num - 1] >= max(hypothesis.score for hypothesis in live)


def _check(config: SampleConfig) -> None:
    """Raise `ConfigError` for a control that has no meaning in a search."""
    wrong = [*truncations(config)]
    if config.temperature not in (SampleConfig().temperature, 1):  # a search maximises the probability at temperature 1
        wrong.insert(0, "temperature")
    if config.no_copy:
        wrong.append("no_copy")
    if wrong:
        raise ConfigError(
            f"{option_of(wrong[0])} shapes a random draw, but --beam does not draw; leave one of them out"
        )
    if config.until_eos:
        raise ConfigError("--until-eos has no bound, which --beam needs; give --length instead")
