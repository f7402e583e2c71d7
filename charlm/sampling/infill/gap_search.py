"""The likeliest pieces that lead away from one side of a gap, of every length: a beam search that keeps them apart."""

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
from charlm.sampling.filters import log_probabilities
from charlm.sampling.prefix import Start, find_starts_after
from charlm.sampling.vocabulary import Ids, Vocabulary
from charlm.tokenizers import Tokenizer

Nats = NDArray[np.floating]

QUARTERS = 4
"""Of a character: the units in which lengths are counted. See `quarters`."""

_CONTINUING = bytes(range(0x80, 0xC0))  # bytes that go on in a character


@dataclass(frozen=True, kw_only=True, slots=True)
class Extensions:
    """N texts of one length that lead away from a side of the gap."""

    data: list[bytes]
    """UTF-8 of each, in the order of reading: from the right the last byte comes first."""
    scores: Nats
    """Nats of each given the side, (N,)."""
    last: Ids
    """The last token that was read for each, (N,)."""
    log_p: Nats
    """Nats of each token that may follow, (N, V)."""


@dataclass(frozen=True, slots=True)
class _Steps:
    """K ways to go on by one token from pieces of one length."""

    scores: Nats  # (K,)
    parent: int  # length of the pieces, quarters
    rows: Ids  # (K,), which of the pieces
    tokens: Ids  # (K,)


def quarters(data: bytes) -> int:
    """The length of some bytes of UTF-8 in quarters of a character.

    A byte that goes on in a character counts one, a byte that begins one of k bytes 4 - (k - 1): a character has four,
    wherever tokens tear it, and lengths add up from either side.
    """
    return sum(1 if 0x80 <= byte < 0xC0 else 4 - (byte >= 0xC0) - (byte >= 0xE0) - (byte >= 0xF0) for byte in data)


def find_extensions(
    model: LanguageModel, tokenizer: Tokenizer, side: Sequence[int], *, from_right: bool, width: int, length: int
) -> dict[int, Extensions]:
    """The likeliest pieces that lead away from a side of a gap, by their number of characters.

    A piece is compared with those of its own length, however many tokens they have: a length is worked off when all
    shorter ones are, and the `width` likeliest of it are kept. So tokens of any length can be searched. Where the side
    breaks a token off, pieces go on from all the ways in which it can end (`charlm.sampling.prefix.starts`). No piece
    ends the document, or holds bytes that are no UTF-8.

    Args:
        model: in evaluation mode; reads from the right if `from_right`.
        tokenizer: the model's.
        side: tokens of the text beside the gap, in the order of reading.
        from_right: whether the side is the right one.
        width: how many pieces of each length, at least 1.
        length: most characters.
    """
    return _Search(model, tokenizer, side, from_right=from_right).run(width, length)


class _Search:
    """What `find_extensions` works with: the states of the pieces that longer ones go on from, and how they do."""

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, side: Sequence[int], *, from_right: bool) -> None:
        self._model = model
        self._vocabulary = vocabulary = Vocabulary(tokenizer, reversed_bytes=from_right)
        self._from_right = from_right
        self._units = np.array([quarters(data) for data in vocabulary.bytes])
        self._units[[*vocabulary.never_written, vocabulary.eos]] = 0
        self._longest = int(self._units.max(initial=0))
        self._torn = bool((self._units % QUARTERS).any())
        self._states: dict[int, LayerStates] = {}
        self._waiting: dict[int, list[_Steps]] = {}
        tokens = [tokenizer.bos, *side]
        self._ways = find_starts_after(model, vocabulary, Controls(vocabulary, SampleConfig()), tokens)
        self._last = tokens[-1]

    def run(self, width: int, length: int) -> dict[int, Extensions]:
        """See `find_extensions`."""
        most = length * QUARTERS
        found = {0: self._begin(width, most)}
        for size in range(1, most + 1):
            self._states.pop(size - 1 - self._longest, None)
            if size in self._waiting and (pieces := self._read(size, found, width)) is not None:
                found[size] = pieces
                self._extend(pieces, size, self._units, width, most)
        return {size // QUARTERS: pieces for size, pieces in found.items() if size % QUARTERS == 0}

    def _begin(self, width: int, most: int) -> Extensions:
        """Go on from every way in which the side can end; the piece of length 0 stands for the one that drops none."""
        self._states[0] = tuple(
            tuple(torch.cat([way.states[layer][part] for way in self._ways]) for part in range(len(state)))
            for layer, state in enumerate(self._ways[0].states)
        )
        for row, way in enumerate(self._ways):
            pieces = _piece(way, self._last)
            units = np.where(np.isneginf(pieces.log_p[0]), 0, self._units - quarters(way.rest))
            self._extend(pieces, 0, units, width, most, row)
        return _piece(self._ways[-1], self._last)

    def _extend(self, pieces: Extensions, size: int, units: Ids, width: int, most: int, row: int = 0) -> None:
        """Note the `width` likeliest ways to go on to each greater length; `row` is that of the first piece."""
        for more in np.unique(units):
            if more > 0 and size + more <= most:
                tokens = np.flatnonzero(units == more)
                scores = (pieces.scores[:, None] + pieces.log_p[:, tokens]).ravel()
                best = _top(scores, width)
                rows, columns = np.divmod(best, len(tokens))
                self._waiting.setdefault(size + int(more), []).append(
                    _Steps(scores[best], size, rows + row, tokens[columns])
                )

    def _read(self, size: int, found: dict[int, Extensions], width: int) -> Extensions | None:
        """The likeliest pieces of a length, read by the model."""
        steps = self._waiting.pop(size)
        scores = np.concatenate([one.scores for one in steps])
        parents = np.concatenate([np.full(len(one.rows), one.parent) for one in steps])
        rows, tokens = (np.concatenate([getattr(one, name) for one in steps]) for name in ("rows", "tokens"))
        chosen: dict[bytes, int] = {}
        floor = self._floor(size, width)
        for index in np.argsort(-scores, kind="stable").tolist():
            if scores[index] < floor:
                break
            data = self._bytes_of(found, int(parents[index]), int(rows[index]), int(tokens[index]))
            if data not in chosen and (not self._torn or self._is_text(data, size)):
                chosen[data] = index
                if len(chosen) == width:
                    break
        if not chosen:
            return None
        ordered = sorted(chosen.items(), key=lambda item: int(parents[item[1]]))
        index = np.array([one for _, one in ordered])
        log_p = self._step(size, parents[index], rows[index], tokens[index])
        return Extensions(data=[data for data, _ in ordered], scores=scores[index], last=tokens[index], log_p=log_p)

    def _floor(self, size: int, width: int) -> float:
        """Nats below which a piece that ends inside a character can't be kept when that is whole: there, as many
        pieces of whole characters wait already."""
        if size % QUARTERS == 0:
            return -math.inf
        steps = self._waiting.get(size + QUARTERS - size % QUARTERS, [])
        scores = np.concatenate([np.empty(0), *(one.scores for one in steps)])
        return float(np.partition(scores, -width)[-width]) if len(scores) >= width else -math.inf

    @torch.inference_mode()
    def _step(self, size: int, parents: Ids, rows: Ids, tokens: Ids) -> Nats:
        """Read one token for each of N pieces, those of one parent side by side; nats (N, V) of what follows."""
        blocks = [(self._states[parent], torch.from_numpy(rows[parents == parent])) for parent in np.unique(parents)]
        states = tuple(
            tuple(torch.cat([past[layer][part][own] for past, own in blocks]) for part in range(len(state)))
            for layer, state in enumerate(blocks[0][0])
        )
        ids = torch.from_numpy(tokens).unsqueeze(0).to(self._model.output_bias.device)  # (1, N)
        logits, self._states[size] = self._model(ids, states)
        return torch.log_softmax(logits[0], dim=-1).cpu().numpy()  # (N, V)

    def _bytes_of(self, found: dict[int, Extensions], parent: int, row: int, token: int) -> bytes:
        data = self._vocabulary.bytes[token]
        return data[len(self._ways[row].rest) :] if parent == 0 else found[parent].data[row] + data

    def _is_text(self, data: bytes, size: int) -> bool:
        """Whether bytes of that many quarters are UTF-8, but for a character that is not whole yet."""
        rest = size % QUARTERS
        try:
            if rest and not self._from_right:
                utf_8_decode(data, "strict", False)
                return True
            text = data[:: -1 if self._from_right else 1]
            whole = text.lstrip(_CONTINUING) if rest else text
            whole.decode()
            return len(text) - len(whole) == rest
        except UnicodeDecodeError:
            return False


def _piece(way: Start, last: int) -> Extensions:
    """The empty piece, where the side ends in one of its ways."""
    log_p = log_probabilities(way.logits[None])
    return Extensions(data=[b""], scores=np.array([way.log_probability]), last=np.array([last]), log_p=log_p)


def _top(scores: Nats, num: int) -> Ids:
    """Places of the `num` highest scores, or of all."""
    return np.arange(len(scores)) if num >= len(scores) else np.argpartition(-scores, num - 1)[:num]
