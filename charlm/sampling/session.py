"""A text that a person and the model write together: pick a likely token, type, go back, or let the model continue."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.sampling.config import SampleConfig
from charlm.sampling.controls import NO_TOKEN
from charlm.sampling.draws import Uniforms
from charlm.sampling.edges.prefix import choose_start
from charlm.sampling.filters import log_probabilities
from charlm.sampling.prepared import PreparedModel, WritingOptions
from charlm.sampling.steering import Steered
from charlm.sampling.text_stream import TextStream
from charlm.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Offer:
    """A token that may come next."""

    token: int
    text: str
    """The text that it adds; empty for EOS."""
    probability: float
    """The probability after all controls."""
    branch: int = 0
    """The index of the branch that it continues."""


@dataclass(frozen=True, slots=True)
class _Branch:
    """One way to continue the text. There are several after a prefix that may end inside a token."""

    states: LayerStates
    logits: NDArray[np.float64]
    stream: TextStream
    rest: bytes = b""
    """The end of the text, or the blanks before it begins, which the next token repeats."""
    log_probability: float = 0.0
    """Log-probability among all branches, nats."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The text after a step, and how it may continue."""

    data: bytes
    """The bytes of the text, the prefix included."""
    branches: tuple[_Branch, ...]
    """The last branch repeats no part of the text."""


class Session:
    """The text so far and how it may continue. Every step can be undone."""

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        generator: torch.Generator,
        **options: Unpack[WritingOptions],
    ) -> None:
        """Begin with a prefix.

        Args:
            model: a model in evaluation mode.
            tokenizer: the tokenizer of the model.
            generator: the generator of the random numbers of `go_on`.
            options: the prefix, the settings and more; see `WritingOptions`. The text does not end at the length or
                stop texts of the settings.

        Raises: as `charlm.sampling.generate_chunks`.
        """
        config = options.get("config") or SampleConfig()
        if config.is_constrained:
            raise ConfigError(f"a text that a person writes can't have {config.constraints[0]}; leave it out")
        self._model, self._tokenizer, self._unknown = model, tokenizer, config.unknown
        self._uniforms = Uniforms(generator)
        prepared = PreparedModel.prepare(model, tokenizer, **options)
        self._steered = Steered(model, prepared.steering) if prepared.steering else None
        self._vocabulary, self._controls, self._likeliest = prepared.vocabulary, prepared.controls, prepared.likeliest
        branches = tuple(
            _Branch(start.states, start.logits, prepared.stream(start), start.rest, start.log_probability)
            for start in prepared.starts(self._uniforms)
        )
        self._history = [_Snapshot(prepared.prefix.encode("utf-8", "surrogatepass"), branches)]

    @property
    def text(self) -> str:
        """The text so far with the prefix, without an unfinished character at its end."""
        return codecs.getincrementaldecoder("utf-8")("replace").decode(self._history[-1].data)

    def offers(self, number: int) -> list[Offer]:
        """The likeliest next tokens, at most `number`, likeliest first."""
        offers = []
        for index, branch in enumerate(self._history[-1].branches):
            adjusted = self._controls.allowed(branch.logits[None], [branch.stream])
            if np.isneginf(adjusted.max()):
                continue
            log_p = log_probabilities(self._controls.shaped(adjusted, [branch.stream]))[0]
            probabilities = np.exp(log_p + branch.log_probability)
            best = np.argsort(-probabilities, kind="stable")[:number]
            offers += [
                Offer(int(token), self._text_of(int(token), branch), float(probabilities[token]), index)
                for token in best
                if probabilities[token] > 0
            ]
        return sorted(offers, key=lambda offer: -offer.probability)[:number]

    def take(self, offer: Offer) -> None:
        """Continue with an offer; EOS changes nothing."""
        if offer.token != self._tokenizer.eos:
            self._extend(self._history[-1].branches[offer.branch], [offer.token])

    def type(self, text: str) -> None:
        """Continue with a text; raises `UnknownCharacterError` as configured by `config.unknown`."""
        branch = self._history[-1].branches[-1]
        if text:
            tokens = self._tokenizer.encode(branch.rest.decode() + text, unknown=self._unknown).tolist()
            self._extend(branch, tokens)

    def go_on(self) -> str | None:
        """Draw a token, continue with it, and return the text that it adds.

        If the model ends the text or no token is allowed, nothing changes and the result is None.
        """
        branches = self._history[-1].branches
        shares = [branch.log_probability for branch in branches]
        branch = branches[choose_start(shares, self._uniforms, likeliest=self._likeliest)]
        (token,), _ = self._controls.draw(branch.logits[None], [branch.stream], [self._uniforms], score=False)
        if token in (NO_TOKEN, self._tokenizer.eos):
            return None
        self._extend(branch, [token])
        return self._text_of(token, branch)

    def back(self) -> bool:
        """Undo the last step; False if there is none."""
        if len(self._history) == 1:
            return False
        self._history.pop()
        return True

    def _text_of(self, token: int, branch: _Branch) -> str:
        """The text that a token adds to a branch."""
        return self._vocabulary.bytes[token][len(branch.rest) :].decode("utf-8", "replace")

    @torch.inference_mode()
    def _extend(self, branch: _Branch, tokens: Sequence[int]) -> None:
        """Continue a branch with tokens, as one step."""
        ids = torch.tensor(tokens, device=self._model.output_bias.device).unsqueeze(1)  # (T, 1)
        logits, states = self._model(ids, branch.states)
        stream = branch.stream.copy()
        for token in tokens:
            stream.push(token)
        data = self._history[-1].data + self._vocabulary.spell(tokens)[len(branch.rest) :]
        next_logits = logits[-1].double().cpu().numpy()  # (1, V)
        if self._steered is not None:
            states = self._steered.states(states, next_logits)
        self._history.append(_Snapshot(data, (_Branch(states, next_logits[0], stream),)))
