"""A text that a person and the model write together: pick one of the likeliest tokens, type, go back, let it continue."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel
from charlm.sampling.config import SampleConfig
from charlm.sampling.controls import NO_TOKEN, Controls
from charlm.sampling.draws import Uniforms, draw
from charlm.sampling.filters import log_probabilities
from charlm.sampling.prefix import find_starts
from charlm.sampling.steering import Steered, Steering
from charlm.sampling.text_stream import TextStream
from charlm.sampling.vocabulary import Vocabulary
from charlm.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Offer:
    """A token that may come next."""

    token: int
    text: str
    """What it adds to the text; empty for the end of the document."""
    probability: float
    """After all controls."""
    way: int = 0
    """Which of the ways to continue it belongs to."""


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to continue from a place: there are several after a prefix whose last token may be unfinished."""

    states: LayerStates
    logits: NDArray[np.float64]
    stream: TextStream
    rest: int = 0
    """Bytes at the end of the text that the next token repeats."""
    log_probability: float = 0.0


@dataclass(frozen=True, slots=True)
class _Place:
    """The text so far, and how it may continue."""

    data: bytes
    """The bytes of the text, the prefix included."""
    ways: tuple[_Way, ...]
    """The last one repeats nothing."""


class Session:
    """The text so far, and how it may continue; every step can be taken back."""

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        generator: torch.Generator,
        *,
        prefix: str = "",
        config: SampleConfig | None = None,
        steering: Steering = (),
    ) -> None:
        """Begin with a prefix; raises as `charlm.sampling.generate_chunks` does.

        Args:
            model: in evaluation mode.
            tokenizer: of the model.
            generator: what `go_on` draws from.
            prefix: what the text begins with.
            config: the controls; the person says where the text ends.
            steering: what the state is held at after every step.
        """
        config = config or SampleConfig()
        self._model, self._tokenizer, self._unknown = model, tokenizer, config.unknown
        self._steered = Steered(model, steering) if steering else None
        self._vocabulary = Vocabulary(tokenizer)
        self._controls = Controls(self._vocabulary, config)
        self._uniforms = Uniforms(generator)
        starts = find_starts(model, tokenizer, self._vocabulary, self._controls, prefix, config.unknown, steering)
        ways = tuple(
            _Way(
                start.states,
                start.logits,
                start.stream(self._vocabulary, config, prefix),
                len(start.rest),
                start.log_probability,
            )
            for start in starts
        )
        self._places = [_Place(prefix.encode("utf-8", "surrogatepass"), ways)]

    @property
    def text(self) -> str:
        """The text so far, the prefix first, without an unfinished character at its end."""
        return codecs.getincrementaldecoder("utf-8")("replace").decode(self._places[-1].data)

    def offers(self, number: int) -> list[Offer]:
        """The likeliest tokens, at most `number`, the likeliest first."""
        offers = []
        for index, way in enumerate(self._places[-1].ways):
            adjusted = self._controls.allowed(way.logits[None], [way.stream])
            if np.isneginf(adjusted.max()):
                continue
            log_p = log_probabilities(self._controls.shaped(adjusted, [way.stream]))[0]
            chances = np.exp(log_p + way.log_probability)
            best = np.argsort(-chances, kind="stable")[:number]
            offers += [
                Offer(int(token), self._added_by(int(token), way), float(chances[token]), index)
                for token in best
                if chances[token] > 0
            ]
        return sorted(offers, key=lambda offer: -offer.probability)[:number]

    def take(self, offer: Offer) -> None:
        """Continue with an offer; EOS leaves the text as it is."""
        if offer.token != self._tokenizer.eos:
            self._extend(self._places[-1].ways[offer.way], [offer.token])

    def type(self, text: str) -> None:
        """Continue with a text; raises `UnknownCharacterError` if `config.unknown` says so."""
        tokens = self._tokenizer.encode(text, unknown=self._unknown).tolist()
        if tokens:
            self._extend(self._places[-1].ways[-1], tokens)

    def go_on(self) -> str | None:
        """Draw a token, continue with it, and return what it adds.

        None, and nothing changes, if the model ends the text or no token is allowed.
        """
        ways = self._places[-1].ways
        way = ways[0]
        if len(ways) > 1:
            way = ways[draw(np.array([[way.log_probability for way in ways]]), [self._uniforms()])[0]]
        (token,), _ = self._controls.draw(way.logits[None], [way.stream], [self._uniforms], score=False)
        if token in (NO_TOKEN, self._tokenizer.eos):
            return None
        self._extend(way, [token])
        return self._added_by(token, way)

    def back(self) -> bool:
        """Take the last step back; False if there is none."""
        if len(self._places) == 1:
            return False
        self._places.pop()
        return True

    def _added_by(self, token: int, way: _Way) -> str:
        return self._vocabulary.bytes[token][way.rest :].decode("utf-8", "replace")

    @torch.inference_mode()
    def _extend(self, way: _Way, tokens: Sequence[int]) -> None:
        """Read tokens as one step."""
        ids = torch.tensor(tokens, device=self._model.output_bias.device).unsqueeze(1)  # (T, 1)
        logits, states = self._model(ids, way.states)
        stream = way.stream.copy()
        for token in tokens:
            stream.push(token)
        data = self._places[-1].data
        data = data[: len(data) - way.rest] + self._vocabulary.spell(tokens)
        scores = logits[-1].double().cpu().numpy()  # (1, V)
        if self._steered is not None:
            states = self._steered.states(states, scores)
        self._places.append(_Place(data, (_Way(states, scores[0], stream),)))
