"""Reads the prefix of a text, and finds the ways to continue it if it may end inside a token (token healing)."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.sampling.controls import Controls
from charlm.sampling.draws import Uniforms, draw
from charlm.sampling.filters import log_probabilities
from charlm.sampling.steering import Steered
from charlm.sampling.vocabulary import Vocabulary

_CHUNK = 1024  # prefix tokens read at a time
_MAX_DROPPED = 8  # tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """One way to continue a prefix."""

    states: LayerStates
    """The states after the kept tokens of the prefix, (1, H) each."""
    logits: NDArray[np.float64]
    """The logits of the next token, (V,); -inf for tokens that don't begin with `rest`."""
    rest: bytes = b""
    """The text of the dropped tokens, with which the next token must begin."""
    log_probability: float = 0.0
    """The log-probability of this start among all starts of the prefix, nats."""


@torch.inference_mode()
def read_tokens(
    model: LanguageModel, tokens: list[int], last: int, *, progress: Progress = silent
) -> list[tuple[NDArray[np.float64], LayerStates]]:
    """Read tokens in windows that carry the state.

    Returns the logits (V,) of the next token and the states at the last `last` + 1 positions.
    """
    ids = torch.tensor(tokens, device=model.output_bias.device).unsqueeze(1)  # (T, 1)
    cuts = [*range(0, len(tokens) - last, _CHUNK), *range(len(tokens) - last, len(tokens) + 1)]
    states = None
    places: deque[tuple[NDArray[np.float64], LayerStates]] = deque(maxlen=last + 1)
    for start, end in pairwise(cuts):
        logits, states = model(ids[start:end], states)
        places.append((logits[-1, 0].double().cpu().numpy(), states))
        progress("reading the prefix", end, len(tokens))
    return list(places)


def find_starts(
    model: LanguageModel,
    vocabulary: Vocabulary,
    controls: Controls,
    tokens: list[int],
    *,
    before: int = 1,
    progress: Progress = silent,
) -> list[Start]:
    """The ways to continue a prefix, with their probabilities.

    There is only one if no token can span the end of the prefix. Otherwise the prefix may end inside a token: if
    "could" is a token, "coul" is split in a way that the model has never seen. So each start drops some of the last
    tokens, up to `_MAX_DROPPED`, and requires that the next token begin with their text and be longer; one start drops
    none. With t_1 .. t_m the tokens that can be dropped, a start that keeps i of them has the weight
    p(t_1 .. t_i) * p(a token that goes beyond t_i+1 .. t_m), and the start that keeps all has p(t_1 .. t_m). So texts
    follow the model's probabilities, given that they begin with the prefix and are split like it up to the token that
    spans its end.

    Args:
        model: a model in evaluation mode.
        vocabulary: the vocabulary of the model.
        controls: the controls, whose banned texts no next token may complete.
        tokens: BOS, the source of a model of pairs, and the prefix, in reading order.
        before: how many of these tokens are before the prefix.
        progress: called with how much of the prefix is read.

    Source: token healing of Lundberg's guidance library (2023), which backs up one token.
    """
    prefix = tokens[before:]
    longer = _longer_tokens(vocabulary, controls, prefix)
    last = max(longer, default=0)
    places = read_tokens(model, tokens, last, progress=progress)
    if not longer:
        return [Start(states=places[0][1], logits=places[0][0])]
    starts = []
    weight = 0.0  # log-probability of those tokens that can be dropped but are kept
    for dropped in range(last, -1, -1):
        logits, states = places[last - dropped]
        log_p = log_probabilities(logits)
        if dropped == 0:
            starts.append(Start(states=states, logits=logits, log_probability=weight))
        elif dropped in longer:
            masked = np.full_like(logits, -np.inf)
            masked[longer[dropped]] = logits[longer[dropped]]
            mass = float(np.exp(log_p[longer[dropped]]).sum())
            rest = vocabulary.spell(prefix[len(prefix) - dropped :])
            nats = weight + math.log(mass) if mass > 0 else -math.inf
            starts.append(Start(states=states, logits=masked, rest=rest, log_probability=nats))
        if dropped:
            weight += float(log_p[prefix[len(prefix) - dropped]])
    shares = log_probabilities(np.array([start.log_probability for start in starts])).tolist()
    return [replace(start, log_probability=share) for start, share in zip(starts, shares, strict=True)]


def choose_start(log_probabilities: Sequence[float], uniforms: Uniforms, *, likeliest: bool) -> int:
    """The index of one of the starts, drawn by their log-probabilities, or of the likeliest."""
    if len(log_probabilities) == 1:
        return 0
    shares = np.array([log_probabilities])
    return int(shares.argmax()) if likeliest else draw(shares, [uniforms()])[0]


def apply_steering(start: Start, steered: Steered) -> Start:
    """The start with a steered state."""
    logits = start.logits[None].copy()
    states = steered.states(start.states, logits)
    return replace(start, states=states, logits=logits[0])


def _longer_tokens(vocabulary: Vocabulary, controls: Controls, tokens: list[int]) -> dict[int, NDArray[np.int64]]:
    """For each number of last tokens that can be dropped, the tokens that begin with their text and are longer."""
    longer = {}
    for dropped in range(1, min(_MAX_DROPPED, len(tokens)) + 1):
        rest = vocabulary.spell(tokens[len(tokens) - dropped :])
        following = vocabulary.going_beyond(rest) if rest else np.zeros(0, dtype=np.int64)
        banned = {*controls.banned.always, *vocabulary.never_written}
        for more in controls.banned.after(vocabulary.spell(tokens[: len(tokens) - dropped])):
            banned.update(more.tolist())
        following = following[[int(token) not in banned for token in following]] if len(following) else following
        if len(following):
            longer[dropped] = following
    return longer
