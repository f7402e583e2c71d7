"""Begins a text inside a document, at the start of a paragraph, sentence or line.

A model that was trained on one long document has seen a single beginning. So it writes an opening that is not shown,
and the text begins at the first paragraph in it, or else at a sentence; in a text without sentences at a line or word.
"""

from bisect import bisect_right

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.config import Unknown
from charlm.data.inputs.borders import last_paragraph_start, unit_of
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.sampling.controls import Controls
from charlm.sampling.draws import Uniforms, draw
from charlm.sampling.edges.prefix import Start, apply_steering, find_starts, read_tokens
from charlm.sampling.filters import temper
from charlm.sampling.steering import Steered, Steering
from charlm.sampling.steppers import Stepper, make_stepper
from charlm.sampling.vocabulary import Vocabulary
from charlm.storage.provenance import TextFacts
from charlm.tokenizers import Tokenizer

_FEW_DOCUMENTS = 20
_LONG_DOCUMENT = 2000  # characters
_PARAGRAPH_WITHIN = 200  # characters; from there on any unit will do
_LONGEST = 600  # characters
_TEMPERATURE = 0.8


def needs_opening(corpus: TextFacts | None) -> bool:
    """Whether a model has seen only few beginnings, given the facts about its text; False if they are unknown, and for
    pairs, whose targets are whole."""
    if corpus is None or corpus.config.is_pairs:
        return False
    return 0 < corpus.documents < _FEW_DOCUMENTS and corpus.characters >= _LONG_DOCUMENT * corpus.documents


class StartFinder:
    """Finds the starts of each text: those of its prefix or, with `opening`, one after a hidden opening."""

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        vocabulary: Vocabulary,
        controls: Controls,
        prefix: str,
        unknown: Unknown,
        steering: Steering = (),
        *,
        opening: bool = False,
        progress: Progress = silent,
    ) -> None:
        """Read the prefix.

        With `steering`, each start continues from a steered state; the probabilities of the starts are those without
        it. `opening`: write a hidden opening for a text without a prefix.

        Raises `UnknownCharacterError` if the prefix has a character outside the vocabulary and `unknown` is "error".
        """
        self._model, self._vocabulary = model, vocabulary
        self._steered = Steered(model, steering) if steering else None
        self._bos = tokenizer.bos
        self._opens = opening and not prefix and not model.source
        before = [tokenizer.bos, *model.source]
        tokens = tokenizer.encode(tokenizer.equivalent(prefix), unknown=unknown).tolist()
        self._starts = find_starts(
            model, vocabulary, controls, [*before, *tokens], before=len(before), progress=progress
        )
        if not self._opens:
            self._starts = [self._with_steering(start) for start in self._starts]
        self._stepper: Stepper | None = None
        self._never = vocabulary.bias(())  # (V,)
        self._never[vocabulary.eos] = -np.inf

    @property
    def first(self) -> Start:
        """The start after the whole prefix, or at the beginning of a document."""
        return self._starts[-1]

    def __call__(self, uniforms: Uniforms, *, likeliest: bool = False) -> list[Start]:
        """The starts of a text.

        Args:
            uniforms: the random numbers of the text.
            likeliest: the text must not depend on random numbers, so its opening is always the same.
        """
        if not self._opens:
            return self._starts
        start = self._after_opening(Uniforms(torch.Generator().manual_seed(1)) if likeliest else uniforms)
        return [self._with_steering(start or self._starts[0])]

    def _with_steering(self, start: Start) -> Start:
        return start if self._steered is None else apply_steering(start, self._steered)

    def _after_opening(self, uniforms: Uniforms) -> Start | None:
        """The start after an opening; None if no unit begins in it."""
        first = self._starts[0]
        if self._stepper is None:
            self._stepper = make_stepper(self._model, [first.states])
        else:
            self._stepper.load(0, first.states)
        logits: NDArray[np.floating] = first.logits[None]
        tokens: list[int] = []
        ends = [0]  # of each token, in bytes
        data, text = b"", ""
        while len(text) < _LONGEST:
            token = draw(temper(logits.astype(np.float64) + self._never, _TEMPERATURE), [uniforms()])[0]
            tokens.append(token)
            data += self._vocabulary.bytes[token]
            ends.append(len(data))
            checked, text = len(text), data.decode("utf-8", "ignore")
            inside_word = text[max(0, checked - 1) : -1].isalnum()  # where nothing can begin
            at = None if inside_word else _last_start(text)
            if at is not None and at >= checked:
                place = len(text[:at].encode())
                kept = bisect_right(ends, place) - 1
                return self._start(tokens[:kept], data[ends[kept] : place])
            logits = self._stepper.step([token])
        return None

    def _start(self, tokens: list[int], rest: bytes) -> Start | None:
        """The start after these tokens, where the next one begins with the blanks `rest` and goes on with another
        character; None if there is no such token."""
        logits, states = read_tokens(self._model, [self._bos, *tokens], 0)[0]
        allowed = [
            token
            for token, spelling in enumerate(self._vocabulary.bytes)
            if spelling.startswith(rest) and spelling[len(rest) : len(rest) + 1].strip()
        ]
        if not allowed:
            return None
        masked = np.full_like(logits, -np.inf)
        masked[allowed] = logits[allowed]
        return Start(states=states, logits=masked, rest=rest)


def _last_start(text: str) -> int | None:
    """The last place in an opening where the visible text may begin."""
    if len(text) < _PARAGRAPH_WITHIN:
        return last_paragraph_start(text)
    unit = unit_of(text)
    return None if unit is None else unit.last_start(text)
