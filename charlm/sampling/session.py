"""A text that a person and the model write together: pick among the likeliest tokens, type, back up, go on."""

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
from charlm.sampling.draws import Uniforms
from charlm.sampling.filters import log_probabilities
from charlm.sampling.prefix import read_tokens
from charlm.sampling.steering import Steered, Steering
from charlm.sampling.text_stream import TextStream
from charlm.sampling.vocabulary import Vocabulary
from charlm.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Offer:
    """A token that may come next."""

    token: int
    text: str
    """What it writes; empty for the end of the document."""
    probability: float
    """After all controls."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Everything that is known after a token."""

    states: LayerStates
    logits: NDArray[np.float64]
    writer: TextStream
    data: bytes
    """The bytes of the text, the prefix among them."""


class Session:
    """The text so far, and how it may go on; every step can be taken back."""

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
        """Begin with a prefix; raises as `charlm.sampling.generate` does.

        Args:
            model: in evaluation mode.
            tokenizer: the model's.
            generator: what `go_on` draws from.
            prefix: what the text begins with.
            config: the controls; where a text ends is the person's to say.
            steering: what the state is held at after every step.
        """
        config = config or SampleConfig()
        self._model, self._tokenizer = model, tokenizer
        self._unknown = config.unknown
        self._steered = Steered(model, steering) if steering else None
        self._vocabulary = Vocabulary(tokenizer)
        self._choice = Controls(self._vocabulary, config)
        self._uniforms = Uniforms(generator)
        tokens = [tokenizer.bos, *tokenizer.encode(prefix, unknown=config.unknown).tolist()]
        logits, states = read_tokens(model, tokens, 0)[0]
        if self._steered is not None:
            logits = logits[None].copy()
            states = self._steered.states(states, logits)
            logits = logits[0]
        data = prefix.encode("utf-8", "surrogatepass")
        self._places = [_Place(states, logits, TextStream(self._vocabulary, config, tail=data, before=prefix), data)]

    @property
    def text(self) -> str:
        """The text so far, the prefix first; a character that isn't whole yet is left out."""
        return codecs.getincrementaldecoder("utf-8")("replace").decode(self._places[-1].data)

    def offers(self, number: int) -> list[Offer]:
        """The likeliest tokens, at most `number`, the likeliest first."""
        place = self._places[-1]
        adjusted = self._choice.allowed(place.logits[None], [place.writer])
        if np.isneginf(adjusted.max()):
            return []
        chances = np.exp(log_probabilities(self._choice.shaped(adjusted, [place.writer])))[0]
        best = np.argsort(-chances, kind="stable")[:number]
        return [
            Offer(int(token), self._vocabulary.bytes[token].decode("utf-8", "replace"), float(chances[token]))
            for token in best
            if chances[token] > 0
        ]

    def take(self, token: int) -> None:
        """Go on with a token; EOS leaves the text as it is."""
        if token != self._tokenizer.eos:
            self._extend([token])

    def type(self, text: str) -> None:
        """Go on with a text; raises `UnknownCharacterError` as `config.unknown` says."""
        tokens = self._tokenizer.encode(text, unknown=self._unknown).tolist()
        if tokens:
            self._extend(tokens)

    def go_on(self) -> str | None:
        """Draw a token and go on with it: what it writes.

        None, and nothing changes, where the model ends the text or can't go on.
        """
        place = self._places[-1]
        (token,) = self._choice(place.logits[None], [place.writer], [self._uniforms])
        if token in (NO_TOKEN, self._tokenizer.eos):
            return None
        self.take(token)
        return self._vocabulary.bytes[token].decode("utf-8", "replace")

    def back(self) -> bool:
        """Take the last step back; False where there is none."""
        if len(self._places) == 1:
            return False
        self._places.pop()
        return True

    @torch.inference_mode()
    def _extend(self, tokens: Sequence[int]) -> None:
        """Read tokens, as one step."""
        place = self._places[-1]
        ids = torch.tensor(tokens, device=self._model.output_bias.device).unsqueeze(1)  # (T, 1)
        logits, states = self._model(ids, place.states)
        writer = place.writer.copy()
        for token in tokens:
            writer.push(token)
        data = place.data + b"".join(self._vocabulary.bytes[token] for token in tokens)
        scores = logits[-1].double().cpu().numpy()  # (1, V)
        if self._steered is not None:
            states = self._steered.states(states, scores)
        self._places.append(_Place(states, scores[0], writer, data))
