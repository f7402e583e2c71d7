"""A text as tokens: in pieces of documents as they arrive, and in blocks of documents that are scored together."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np

from charlm.config import Labels
from charlm.data.documents import Part, whole_words
from charlm.data.windows import scoring
from charlm.tokenizers import Tokenizer
from charlm.tokenizers.base import Ids


class Piece(NamedTuple):
    """A document, or a part of one, and its tokens."""

    source: str
    text: str
    ids: Ids
    ends: bool
    labels: Labels
    before: Ids
    """The tokens between BOS and the text, which are read and not scored: a source with EOS."""


Block = list[list[Piece]]
"""Documents that are scored together."""


def pieces_of(parts: Iterable[tuple[str, Part]], tokenizer: Tokenizer) -> Iterator[Piece]:
    """The documents of a text as tokens; `parts` have the names of their sources."""
    nothing = np.zeros(0, np.int64)
    for source, (texts, ends, labels, sources) in whole_words(parts, type(tokenizer)):
        read = [np.append(ids, tokenizer.eos) for ids in tokenizer.encode_all(sources)] or [nothing] * len(texts)
        for index, (text, ids, before) in enumerate(zip(texts, tokenizer.encode_all(texts), read, strict=True)):
            yield Piece(source, text, ids, ends or index < len(texts) - 1, labels, before)


def blocks_of(pieces: Iterator[Piece]) -> Iterator[Block | Iterator[Piece]]:
    """Blocks of whole documents, as in `block_windows`, and the pieces of each document that is longer than a block."""
    block, block_tokens = Block(), 0
    document, tokens = list[Piece](), 1  # BOS
    for piece in pieces:
        document.append(piece)
        tokens += len(piece.before) + len(piece.ids) + piece.ends
        if block and block_tokens + tokens > scoring.BLOCK_TOKENS:
            yield block
            block, block_tokens = Block(), 0
        if tokens > scoring.BLOCK_TOKENS:
            yield chain(document, () if piece.ends else _to_the_end(pieces))
            document, tokens = [], 1
        elif piece.ends:
            block.append(document)
            block_tokens += tokens
            document, tokens = [], 1
            if len(block) == scoring.BLOCK_DOCUMENTS:
                yield block
                block, block_tokens = Block(), 0
    if block:
        yield block


def _to_the_end(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The pieces up to the end of the document, and no more."""
    for piece in pieces:
        yield piece
        if piece.ends:
            return
