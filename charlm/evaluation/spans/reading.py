"""A model reads documents as they arrive: the nats of every character, in order and in bounded memory.

The windows are those of `charlm.data.windows.block_windows`, so that the sums are exactly those of
`charlm.evaluation.score.evaluate`.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import torch

from charlm.config import Labels
from charlm.data.documents import Part
from charlm.data.encoded.label_codes import LabelCodes
from charlm.data.encoded.parts import SplitFacts
from charlm.data.token_split import TokenSplit
from charlm.data.windows import IGNORE, Window, block_groups, block_windows
from charlm.evaluation.nats import ROWS, Floats, Share, require_groups, token_nats, window_width, with_nats
from charlm.evaluation.spans.characters import Characters, CharacterSums, Integers
from charlm.evaluation.spans.pieces import Block, Piece, blocks_of, pieces_of
from charlm.model.language_model import LanguageModel
from charlm.processes.processes import Processes
from charlm.tokenizers import Tokenizer
from charlm.tokenizers.base import encodable

_TOGETHER = 1024  # strings that are encoded in one call


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredPart:
    """Documents that follow each other, scored by characters; see `charlm.data.documents.Part`."""

    texts: list[str]
    """Each is a document; the first may be the rest of one that began in the part before."""
    sources: list[str]
    """The name of the source of each."""
    ends: bool
    """Whether the last document ends here."""
    sums: CharacterSums
    """Of all characters of the texts, joined."""
    end_nats: list[float]
    """What EOS costs, for each document that ends here."""
    labels: list[Labels]
    """The labels of each text's document."""


def read_parts(
    model: LanguageModel,
    tokenizer: Tokenizer,
    parts: Iterable[tuple[str, Part]],
    processes: Processes | None = None,
) -> Iterator[ScoredPart]:
    """Score documents, each whole and from the initial state.

    Args:
        model: scored in evaluation mode.
        tokenizer: the tokenizer of the model.
        parts: the documents, and the names of their sources.
        processes: those that score the same text together, each its share of the documents of as many blocks as there
            are processes; all get all scores. None scores all in this one.

    Raises `ConfigError` if the text has too few documents to share, `ProcessError` if it isn't the same everywhere.
    """
    processes = processes or Processes()
    reader, waiting = _Reader(model, tokenizer, processes), list[Block]()
    for block in blocks_of(pieces_of(parts, tokenizer)):
        if isinstance(block, list):
            waiting.append(block)
        if waiting and (len(waiting) == processes.size or not isinstance(block, list)):
            yield from reader.read_blocks(waiting)
            waiting = []
        if not isinstance(block, list):
            yield from reader.read_long(block)
    if waiting:
        yield from reader.read_blocks(waiting)
    processes.require_same({"text": None})


def parts_of_strings(texts: Iterable[str]) -> Iterator[tuple[str, Part]]:
    """Each string as a document; lone surrogates become U+FFFD, and pairs of them characters."""
    texts = iter(texts)
    while together := [encodable(text, "replace") for text in islice(texts, _TOGETHER)]:
        yield "", Part(together, True)


class _Reader:
    """One model that reads blocks of documents."""

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, processes: Processes) -> None:
        self._model, self._tokenizer, self._processes = model, tokenizer, processes
        self._characters = Characters(tokenizer)
        self._codes = LabelCodes(model.config.labels) if model.config.labels else None
        self._width_for = window_width(tokenizer)
        self._has_shared = processes.size == 1

    def read_blocks(self, blocks: list[Block]) -> Iterator[ScoredPart]:
        """Score blocks of whole documents, one for each process unless the text ends before."""
        if self._processes.size == 1 and len(blocks[0]) == 1:
            pieces, (split,) = deque(blocks[0][0]), map(self._split, blocks)
            yield from self._in_order(pieces, block_windows(split, batch_size=ROWS, width_for=self._width_for))
            return
        splits = [self._split(block) for block in blocks]
        if not self._has_shared:
            groups = sum(1 for split in splits for _ in block_groups(split, ROWS))
            require_groups(groups, sum(map(len, blocks)), self._processes)
            self._has_shared = True
        if self._processes.size > 1:
            digest = hashlib.sha256(b"".join(split.ids.tobytes() for split in splits))
            self._processes.require_same({"text": digest.hexdigest()})
        share = Share(self._processes)
        found = [token_nats(self._model, self._tokenizer, split, share=share) for split in splits]
        for block, split, own in zip(blocks, splits, found, strict=True):
            yield self._block(block, split, self._processes.total(own))

    def _split(self, block: Block) -> TokenSplit:
        """The tokens of a block."""
        bos, eos = ([token] for token in (self._tokenizer.bos, self._tokenizer.eos))
        with_ends = ([bos, document[0].before, *(piece.ids for piece in document), eos] for document in block)
        ids = np.concatenate([*chain.from_iterable(with_ends)]).astype(np.int64)
        before = np.array([1 + len(document[0].before) for document in block])
        lengths = before + [1 + sum(len(piece.ids) for piece in document) for document in block]
        starts = np.concatenate(([0], np.cumsum(lengths)))
        targets = None if (before == 1).all() else starts[:-1] + before
        codes = None if self._codes is None else np.stack([self._codes(document[0].labels) for document in block])
        facts = SplitFacts(documents=len(block), tokens=int((lengths - before).sum()))
        return TokenSplit(ids, starts, facts, codes, targets)

    def _block(self, block: Block, split: TokenSplit, nats: Floats) -> ScoredPart:
        """A block, of which all tokens are scored."""
        ids, starts = split.ids, split.starts
        is_text = split.predicted(0, len(ids))
        is_text[starts[1:] - 1] = False
        texts = ["".join(piece.text for piece in document) for document in block]
        joined = "".join(texts)
        places = self._characters.completed(ids[is_text], joined)
        return ScoredPart(
            texts=texts,
            sources=[document[0].source for document in block],
            ends=True,
            sums=self._characters.sums(ids[is_text], nats[is_text], places, len(joined)),
            end_nats=nats[starts[1:] - 1].tolist(),
            labels=[document[0].labels for document in block],
        )

    def read_long(self, pieces: Iterable[Piece]) -> Iterator[ScoredPart]:
        """Score one document of any length while it is read; each of several processes scores all of it."""
        if not self._has_shared:
            require_groups(1, 1, self._processes)
        waiting = deque[Piece]()
        return self._in_order(waiting, self._long_windows(pieces, waiting))

    def _long_windows(self, pieces: Iterable[Piece], waiting: deque[Piece]) -> Iterator[Window]:
        """The windows of one document; its pieces are added to `waiting` as they are read."""
        width, is_first = self._width_for(1), True
        ids = np.array([self._tokenizer.bos], np.int64)
        unscored = 0
        for piece in pieces:
            waiting.append(piece)
            unscored += len(piece.before)
            ids = np.concatenate((ids, piece.before, piece.ids, [self._tokenizer.eos] if piece.ends else [])).astype(
                np.int64
            )
            while len(ids) > width or (piece.ends and len(ids) > 1):
                row = torch.from_numpy(ids[: width + 1, None].copy())
                codes = self._codes(piece.labels)[None] if is_first and self._codes is not None else None
                targets = row[1:].clone()
                targets[:unscored] = IGNORE
                scored = max(0, len(targets) - unscored)
                yield Window(
                    ids=row[:-1],
                    targets=targets,
                    fresh=is_first,
                    tokens=scored,
                    starts=np.zeros(1, np.int64),
                    labels=codes,
                )
                unscored = max(0, unscored - len(targets))
                ids, is_first = ids[width:], False

    def _in_order(self, waiting: deque[Piece], one_row: Iterable[Window]) -> Iterator[ScoredPart]:
        """Score one document, of which each window is a part, and emit the characters that are complete."""
        current: Piece | None = None
        places = np.zeros(0, np.int64)
        nats: Floats = np.zeros(0)
        done = shown = 0  # tokens and characters of the current piece
        for window, found in with_nats(self._model, one_row):
            nats = np.concatenate((nats, found[window.mask[:, 0].numpy(), 0]))
            while current is not None or waiting:
                if current is None:
                    current, done, shown = waiting.popleft(), 0, 0
                    ends = [len(current.text)] * current.ends  # EOS completes a character after the last
                    places = np.concatenate((self._characters.completed(current.ids, current.text), ends)).astype(int)
                stop = done + len(nats)
                is_whole = stop >= len(places)
                following = len(current.text) if is_whole else int(places[stop])
                stop = len(places) if is_whole else int(np.searchsorted(places, following))
                if stop > done or is_whole:
                    now = nats[: stop - done]
                    yield self._scored(current, places[done:stop], now, first=done, characters=(shown, following))
                nats, done, shown = nats[stop - done :], stop, following
                if not is_whole:
                    break
                current = None

    def _scored(
        self, piece: Piece, places: Integers, nats: Floats, *, first: int, characters: tuple[int, int]
    ) -> ScoredPart:
        """Consecutive tokens of a piece, from `first` on, and the characters that they complete."""
        start, stop = characters
        ids = piece.ids[first : first + len(nats)]
        return ScoredPart(
            texts=[piece.text[start:stop]],
            sources=[piece.source],
            ends=len(ids) < len(nats),  # with EOS
            sums=self._characters.sums(ids, nats[: len(ids)], places[: len(ids)] - start, stop - start),
            end_nats=nats[len(ids) :].tolist(),
            labels=[piece.labels],
        )
