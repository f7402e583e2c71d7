"""What a text begins with: read by the model, its last tokens healed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.config import Unknown
from charlm.model.language_model import LanguageModel
from charlm.sampling.config import SampleConfig
from charlm.sampling.controls import Controls
from charlm.sampling.draws import Uniforms, draw
from charlm.sampling.filters import log_probabilities
from charlm.sampling.steering import Steered, Steering
from charlm.sampling.text_stream import TextStream
from charlm.sampling.vocabulary import Vocabulary
from charlm.tokenizers import Tokenizer

_READ = 1024  # prefix tokens read at a time
_BACK = 8  # most tokens that healing goes back


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """One way to go on from a prefix."""

    states: LayerStates
    """After the tokens that are kept, (1, H) each."""
    logits: NDArray[np.float64]
    """Of the next token, (V,); -inf for those that don't begin with `rest`."""
    rest: bytes = b""
    """The end of the prefix, which the next token has to begin with."""
    log_probability: float = 0.0
    """Of this way among all, nats."""


@torch.inference_mode()
def read_tokens(model: LanguageModel, tokens: list[int], last: int) -> list[tuple[NDArray[np.float64], LayerStates]]:
    """Logits (V,) of what follows, and the states, after each of the last `last` + 1 places of the tokens."""
    ids = torch.tensor(tokens, device=model.output_bias.device).unsqueeze(1)  # (T, 1)
    cuts = [*range(0, len(tokens) - last, _READ), *range(len(tokens) - last, len(tokens) + 1)]
    states = None
    found = []
    for start, end in pairwise(cuts):
        logits, states = model(ids[start:end], states)
        found.append((logits[-1, 0].double().cpu().numpy(), states))
    return found[-last - 1 :]


def starts(
    model: LanguageModel,
    tokenizer: Tokenizer,
    vocabulary: Vocabulary,
    choice: Controls,
    prefix: str,
    unknown: Unknown,
    steering: Steering = (),
) -> list[Start]:
    """The ways to go on from a prefix, with their probabilities: one, unless the tokens of a longer text would differ.

    A text that a person breaks off seldom ends where a token does: where "could" is a token, "coul" is split as no
    text is that goes on with "d", and the model has never seen it. So each way drops the last tokens, as far back as
    `_BACK`, and asks that the next token begin with their text and go beyond it; one drops none. With t_1 .. t_m the
    tokens that can be dropped, a way that keeps i of them has the weight p(t_1 .. t_i) * p(a token that goes beyond
    t_i+1 .. t_m), and the one that keeps all p(t_1 .. t_m): all that is written then follows the model's own
    probabilities, given that the text begins with the prefix and is split as before up to the token that spans its end.

    Token healing comes from Lundberg's guidance library (2023), which backs up one token.

    With `steering` each way goes on from a held state; how likely the ways are is told without it.

    Raises:
        UnknownCharacterError: the prefix has a character outside the vocabulary and `unknown` is "error".
    """
    own = tokenizer.encode(prefix, unknown=unknown).tolist()
    ways = starts_from(model, vocabulary, choice, [tokenizer.bos, *own])
    if not steering:
        return ways
    steered = Steered(model, steering)
    return [_held(way, steered) for way in ways]


def _held(start: Start, steered: Steered) -> Start:
    """A way on from a held state."""
    logits = start.logits[None].copy()
    states = steered.states(start.states, logits)
    return replace(start, states=states, logits=logits[0])


def starts_from(model: LanguageModel, vocabulary: Vocabulary, choice: Controls, tokens: list[int]) -> list[Start]:
    """`starts` from BOS and the tokens of a prefix, in the order in which the model reads them."""
    own = tokens[1:]
    beyond = _ways_back(vocabulary, choice, own)
    last = max(beyond, default=0)
    places = read_tokens(model, tokens, last)
    if not beyond:
        return [Start(states=places[0][1], logits=places[0][0])]
    ways = []
    weight = 0.0
    for dropped in range(last, -1, -1):
        logits, states = places[last - dropped]
        log_p = log_probabilities(logits)
        if dropped == 0:
            ways.append(Start(states=states, logits=logits, log_probability=weight))
        elif dropped in beyond:
            masked = np.full_like(logits, -np.inf)
            masked[beyond[dropped]] = logits[beyond[dropped]]
            mass = float(np.exp(log_p[beyond[dropped]]).sum())
            rest = _bytes_of(vocabulary, own[len(own) - dropped :])
            way = weight + math.log(mass) if mass > 0 else -math.inf
            ways.append(Start(states=states, logits=masked, rest=rest, log_probability=way))
        if dropped:
            weight += float(log_p[own[len(own) - dropped]])
    shares = log_probabilities(np.array([way.log_probability for way in ways])).tolist()
    return [replace(way, log_probability=share) for way, share in zip(ways, shares, strict=True)]


def _bytes_of(vocabulary: Vocabulary, tokens: Sequence[int]) -> bytes:
    return b"".join(vocabulary.bytes[token] for token in tokens)


def _ways_back(vocabulary: Vocabulary, choice: Controls, tokens: list[int]) -> dict[int, NDArray[np.int64]]:
    """For each number of last tokens that can be dropped, the tokens that begin with their text and go beyond it."""
    ways = {}
    for dropped in range(1, min(_BACK, len(tokens)) + 1):
        rest = _bytes_of(vocabulary, tokens[len(tokens) - dropped :])
        following = vocabulary.going_beyond(rest) if rest else np.zeros(0, dtype=np.int64)
        banned = {*choice.bans.always, *vocabulary.never_written}
        for more in choice.bans.after(_bytes_of(vocabulary, tokens[: len(tokens) - dropped])):
            banned.update(more.tolist())
        following = following[[int(token) not in banned for token in following]] if len(following) else following
        if len(following):
            ways[dropped] = following
    return ways


def choose_start(ways: Sequence[Start], uniforms: Uniforms, *, likeliest: bool) -> Start:
    """One of the ways, by their probabilities or the likeliest of them."""
    if len(ways) == 1:
        return ways[0]
    shares = np.array([[way.log_probability for way in ways]])
    return ways[int(shares.argmax()) if likeliest else draw(shares, [uniforms()])[0]]


def begin(start: Start, vocabulary: Vocabulary, config: SampleConfig, prefix: str) -> TextStream:
    """The writer of a text that goes on from `start`."""
    before = prefix.encode("utf-8", "surrogatepass")
    tail = before.removesuffix(start.rest) if start.rest else before
    return TextStream(vocabulary, config, tail=tail, skip=len(start.rest), owed=start.log_probability, before=prefix)
