"""The likeliest extensions of a text into a gap, for every length: a beam search with one beam per length."""

import math
from codecs import utf_8_decode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel
from charlm.sampling.config import SampleConfig
from charlm.sampling.controls import Controls
from charlm.sampling.edges.prefix import Start, find_starts
from charlm.sampling.filters import log_probabilities
from charlm.sampling.vocabulary import Ids, Vocabulary
from charlm.tokenizers import Tokenizer

Nats = NDArray[np.floating]

QUARTERS = 4
"""The length of a character in the unit that `quarters` counts."""

_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Extensions:
    """N extensions of one length of the text on one side of the gap."""

    data: list[bytes]
    """UTF-8 of each extension in reading order; a backward model reads the last byte first."""
    scores: Nats
    """Log-probability of each extension given the text on that side, nats, (N,)."""
    last: Ids
    """The last token of each extension, (N,)."""
    log_p: Nats
    """Log-probabilities of the next token after each extension, nats, (N, V)."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """K extensions that are one token longer than extensions of one length, and not read by the model yet."""

    scores: Nats  # (K,)
    parent_size: int  # length of the shorter extensions, quarters
    rows: Ids  # (K,), index of the shorter extension
    tokens: Ids  # (K,)


def quarters(data: bytes) -> int:
    """The length of some bytes of UTF-8 in quarters of a character.

    A continuation byte counts 1, and the first byte of a character of k bytes counts 4 - (k - 1). So every character
    counts 4 in total, wherever tokens split it, and lengths can be added up in either reading direction.
    """
    return sum(1 if 0x80 <= byte < 0xC0 else 4 - (byte >= 0xC0) - (byte >= 0xE0) - (byte >= 0xF0) for byte in data)


def find_extensions(
    model: LanguageModel, tokenizer: Tokenizer, context: Sequence[int], *, from_right: bool, width: int, length: int
) -> dict[int, Extensions]:
    """The likeliest extensions of a text into the gap, by their number of characters.

    Extensions are compared only with others of the same length in characters, however many tokens they have. Lengths
    are processed in ascending order, and the `width` likeliest extensions of each are kept. If the text ends inside a
    token, extensions start from all ways to complete it (`charlm.sampling.edges.prefix.find_starts`). No extension
    contains EOS or bytes that are not UTF-8.

    Args:
        model: a model in evaluation mode; a backward model if `from_right`.
        tokenizer: the tokenizer of the model.
        context: tokens of the text on one side of the gap, in reading order.
        from_right: whether this is the text after the gap, which is read backwards.
        width: how many extensions of each length to keep, at least 1.
        length: maximum number of characters.
    """
    return _Search(model, tokenizer, context, from_right=from_right).run(width, length)


class _Search:
    """The memory of `find_extensions`: model states after extensions, and candidates for longer extensions."""

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, context: Sequence[int], *, from_right: bool) -> None:
        self._model = model
        self._vocabulary = vocabulary = Vocabulary(tokenizer, reversed_bytes=from_right)
        self._from_right = from_right
        self._token_sizes = np.array([quarters(data) for data in vocabulary.bytes])
        self._token_sizes[[*vocabulary.never_written, vocabulary.eos]] = 0  # these can't extend a text
        self._largest_token = int(self._token_sizes.max(initial=0))
        self._splits_characters = bool((self._token_sizes % QUARTERS).any())
        self._states: dict[int, LayerStates] = {}  # by length in quarters, as are the candidates
        self._candidates: dict[int, list[_Candidates]] = {}
        tokens = [tokenizer.bos, *context]
        self._starts = find_starts(model, vocabulary, Controls(vocabulary, SampleConfig()), tokens)
        self._last_token = tokens[-1]

    def run(self, width: int, length: int) -> dict[int, Extensions]:
        """See `find_extensions`."""
        max_size = length * QUARTERS
        by_size = {0: self._begin(width, max_size)}
        for size in range(1, max_size + 1):
            self._states.pop(size - 1 - self._largest_token, None)  # no token is long enough to continue from there
            if size in self._candidates and (extensions := self._read_best(size, by_size, width)) is not None:
                by_size[size] = extensions
                self._add_candidates(extensions, size, self._token_sizes, width, max_size)
        return {size // QUARTERS: extensions for size, extensions in by_size.items() if size % QUARTERS == 0}

    def _begin(self, width: int, max_size: int) -> Extensions:
        """Add the candidates of every start; returns the empty extension of the start that drops no token."""
        self._states[0] = tuple(
            tuple(torch.cat([start.states[layer][part] for start in self._starts]) for part in range(len(state)))
            for layer, state in enumerate(self._starts[0].states)
        )
        for row, start in enumerate(self._starts):
            empty = _empty_extension(start, self._last_token)
            sizes = np.where(np.isneginf(empty.log_p[0]), 0, self._token_sizes - quarters(start.rest))
            self._add_candidates(empty, 0, sizes, width, max_size, row)
        return _empty_extension(self._starts[-1], self._last_token)

    def _add_candidates(
        self, extensions: Extensions, size: int, token_sizes: Ids, width: int, max_size: int, first_row: int = 0
    ) -> None:
        """Add the `width` likeliest candidates of each greater length; `first_row` is that of the first extension."""
        for more in np.unique(token_sizes):
            if more > 0 and size + more <= max_size:
                tokens = np.flatnonzero(token_sizes == more)
                scores = (extensions.scores[:, None] + extensions.log_p[:, tokens]).ravel()
                best = _top(scores, width)
                rows, columns = np.divmod(best, len(tokens))
                self._candidates.setdefault(size + int(more), []).append(
                    _Candidates(scores[best], size, rows + first_row, tokens[columns])
                )

    def _read_best(self, size: int, by_size: dict[int, Extensions], width: int) -> Extensions | None:
        """Choose the likeliest candidates of a length and let the model read them; None if no candidate is text."""
        candidates = self._candidates.pop(size)
        scores = np.concatenate([part.scores for part in candidates])
        parent_sizes = np.concatenate([np.full(len(part.rows), part.parent_size) for part in candidates])
        rows, tokens = (np.concatenate([getattr(part, name) for part in candidates]) for name in ("rows", "tokens"))
        chosen: dict[bytes, int] = {}
        floor = self._floor(size, width)
        for index in np.argsort(-scores, kind="stable").tolist():
            if scores[index] < floor:
                break
            data = self._bytes_of(by_size, int(parent_sizes[index]), int(rows[index]), int(tokens[index]))
            if data not in chosen and (not self._splits_characters or self._is_text(data, size)):
                chosen[data] = index
                if len(chosen) == width:
                    break
        if not chosen:
            return None
        ordered = sorted(chosen.items(), key=lambda item: int(parent_sizes[item[1]]))
        index = np.array([one for _, one in ordered])
        log_p = self._step(size, parent_sizes[index], rows[index], tokens[index])
        return Extensions(data=[data for data, _ in ordered], scores=scores[index], last=tokens[index], log_p=log_p)

    def _floor(self, size: int, width: int) -> float:
        """The score that an extension must have to be kept, nats; finite only for one that ends inside a character.

        If there are `width` candidates for the next whole number of characters already, an extension with a lower score
        can't lead to a better one.
        """
        if size % QUARTERS == 0:
            return -math.inf
        candidates = self._candidates.get(size + QUARTERS - size % QUARTERS, [])
        scores = np.concatenate([np.empty(0), *(part.scores for part in candidates)])
        return float(np.partition(scores, -width)[-width]) if len(scores) >= width else -math.inf

    @torch.inference_mode()
    def _step(self, size: int, parent_sizes: Ids, rows: Ids, tokens: Ids) -> Nats:
        """Read a token for each of N extensions, which are sorted by parent size; returns nats of the next, (N, V)."""
        groups = [
            (self._states[parent], torch.from_numpy(rows[parent_sizes == parent])) for parent in np.unique(parent_sizes)
        ]
        states = tuple(
            tuple(
                torch.cat([parents[layer][part][indices] for parents, indices in groups]) for part in range(len(state))
            )
            for layer, state in enumerate(groups[0][0])
        )
        ids = torch.from_numpy(tokens).unsqueeze(0).to(self._model.output_bias.device)  # (1, N)
        logits, self._states[size] = self._model(ids, states)
        return torch.log_softmax(logits[0], dim=-1).cpu().numpy()  # (N, V)

    def _bytes_of(self, by_size: dict[int, Extensions], parent_size: int, row: int, token: int) -> bytes:
        """The bytes of a candidate."""
        data = self._vocabulary.bytes[token]
        if parent_size == 0:
            return data[len(self._starts[row].rest) :]
        return by_size[parent_size].data[row] + data

    def _is_text(self, data: bytes, size: int) -> bool:
        """Whether bytes of that length, in quarters, are UTF-8 except for an unfinished character at their end."""
        unfinished = size % QUARTERS
        try:
            if unfinished and not self._from_right:
                utf_8_decode(data, "strict", False)
                return True
            text = data[:: -1 if self._from_right else 1]
            complete = text.lstrip(_CONTINUATION_BYTES) if unfinished else text
            complete.decode()
            return len(text) - len(complete) == unfinished
        except UnicodeDecodeError:
            return False


def _empty_extension(start: Start, last: int) -> Extensions:
    """The extension of length 0 at a start."""
    log_p = log_probabilities(start.logits[None])
    return Extensions(data=[b""], scores=np.array([start.log_probability]), last=np.array([last]), log_p=log_p)


def _top(scores: Nats, num: int) -> Ids:
    """Indices of the `num` highest scores, or of all if there are fewer."""
    return np.arange(len(scores)) if num >= len(scores) else np.argpartition(-scores, num - 1)[:num]
