"""The most probable text, by beam search."""

from dataclasses import dataclass

import numpy as np

from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.sampling.config import SampleConfig
from charlm.sampling.controls import Controls
from charlm.sampling.filters import log_probabilities
from charlm.sampling.prefix import begin, starts
from charlm.sampling.steering import Steering
from charlm.sampling.steppers import LogitRows, prepare
from charlm.sampling.temperature import parse_temperature
from charlm.sampling.text_stream import GeneratedText, TextStream
from charlm.sampling.vocabulary import Vocabulary
from charlm.tokenizers import Tokenizer

_NOT_HERE = ("top_k", "top_p", "min_p", "typical", "no_copy")


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    """A text that may be among the most probable."""

    score: float
    """Its log-probability under the controls, nats."""
    writer: TextStream


def beam_search(
    model: LanguageModel,
    tokenizer: Tokenizer,
    *,
    width: int,
    num: int = 1,
    prefix: str = "",
    config: SampleConfig | None = None,
    steering: Steering = (),
) -> list[GeneratedText]:
    """The most probable texts that a beam finds, best first.

    The score of a text is the sum of the log-probabilities of its tokens, its end among them, with bias, bans, least
    length and repetition penalty; nothing is made of its length. At every step the `width` best ways to go on are
    kept. As a score only falls, the search ends when `num` texts have ended that no unended one can pass. With width 1
    this is the text at temperature 0; with a width of V to the power of the length nothing is missed.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        width: N, at least 1.
        num: how many texts, at most the width; there can be fewer.
        prefix: what the texts begin with.
        config: the controls; those of the draw must be as they are by default.
        steering: as for `charlm.sampling.generate`.

    Raises: as `charlm.sampling.generate`, and `ConfigError` for a control that has no meaning here.

    Source: Lowerre 1976, "The Harpy speech recognition system"; Graves 2012 (arXiv 1211.3711), algorithm 1.
    """
    config = config or SampleConfig()
    _check(config)
    vocabulary = Vocabulary(tokenizer)
    choice = Controls(vocabulary, config)
    ways = [
        way
        for way in starts(model, tokenizer, vocabulary, choice, prefix, config.unknown, steering)
        if way.log_probability > -np.inf
    ]
    live = [_Hypothesis(way.log_probability, begin(way, vocabulary, config, prefix)) for way in ways]
    stepper = prepare(model, [way.states for way in ways], steering=steering)
    logits: LogitRows = np.stack([way.logits for way in ways])
    found: dict[str, _Hypothesis] = {}
    if config.longest == 0:
        return [live[-1].writer.written(prefix, config)]
    while live:
        extended = _best(logits, live, choice, width)
        if not extended:
            for hypothesis in live:
                hypothesis.writer.dead_end()
                _remember(found, hypothesis)
            break
        parents, tokens, after = [], [], []
        for parent, token, hypothesis in extended:
            if hypothesis.writer.ended:
                _remember(found, hypothesis)
            else:
                parents.append(parent)
                tokens.append(token)
                after.append(hypothesis)
        live = after
        ended = sorted((hypothesis.score for hypothesis in found.values()), reverse=True)
        if not live or (len(ended) >= num and ended[num - 1] >= live[0].score):
            break
        stepper.take(parents)
        logits = stepper.step(tokens)
    best = sorted(found.values(), key=lambda hypothesis: -hypothesis.score)[:num]
    return [hypothesis.writer.written(prefix, config) for hypothesis in best]


def _best(
    logits: LogitRows, live: list[_Hypothesis], choice: Controls, width: int
) -> list[tuple[int, int, _Hypothesis]]:
    """The `width` best ways to go on, best first: which hypothesis, which token, and what it becomes."""
    adjusted = choice.allowed(logits, [hypothesis.writer for hypothesis in live])
    adjusted[np.isneginf(adjusted.max(-1))] = np.nan  # nothing goes on from here
    scores = log_probabilities(adjusted) + np.array([hypothesis.score for hypothesis in live])[:, None]
    scores = np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf)
    own = log_probabilities(logits.astype(np.float64))
    extended = []
    for flat in np.argsort(-scores, axis=None, kind="stable")[:width].tolist():
        parent, token = divmod(flat, scores.shape[1])
        if scores[parent, token] > -np.inf:
            writer = live[parent].writer.copy()
            writer.push(token, float(own[parent, token]))
            extended.append((parent, token, _Hypothesis(float(scores[parent, token]), writer)))
    return extended


def _remember(found: dict[str, _Hypothesis], hypothesis: _Hypothesis) -> None:
    """Keep the better of two hypotheses with one text."""
    text = hypothesis.writer.text
    if text not in found or found[text].score < hypothesis.score:
        found[text] = hypothesis


def _check(config: SampleConfig) -> None:
    """Raise `ConfigError` for a control that has no meaning in a search."""
    usual = SampleConfig()
    wrong = [name for name in _NOT_HERE if getattr(config, name) != getattr(usual, name)]
    if parse_temperature(config.temperature).constant != 1:
        wrong.insert(0, "temperature")
    if wrong:
        option = "--" + wrong[0].replace("_", "-")
        raise ConfigError(f"{option} shapes a random choice, and --beam makes none; leave one of them out")
    if config.until_eos:
        raise ConfigError("--until-eos has no bound that a search could keep; give --beam a --length")
