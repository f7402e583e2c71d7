"""The files of a split as they are written, and what is counted meanwhile."""

from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charlm.config import JsonConfig
from charlm.data.documents import Part
from charlm.tokenizers import Tokenizer


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitFacts(JsonConfig):
    """The size of a split."""

    documents: int = 0
    characters: int = 0
    """Characters of the documents, without the separators between them."""
    bytes: int = 0
    """Bytes of the documents in UTF-8."""
    tokens: int = 0
    """Tokens that a model predicts: those of the text, and one EOS for each document."""
    unknown_characters: int = 0
    """Characters outside the vocabulary."""


class EncodedParts(NamedTuple):
    """Consecutive parts of a split as tokens."""

    ids: NDArray[Any]
    starts: NDArray[np.int64]
    """Where documents begin in `ids`."""
    facts: SplitFacts
    """Their size; of the documents, those that end are counted."""


def encode_parts(tokenizer: Tokenizer, dtype: np.dtype[Any], parts: list[Part], *, inside: bool) -> EncodedParts:
    """Encode consecutive parts with BOS and EOS; `inside` says whether the first continues a document."""
    texts = [*chain.from_iterable(part.texts for part in parts)]
    ids, counts = tokenizer.encode_joined(texts)
    last = np.cumsum([len(part.texts) for part in parts]) - 1
    ends = np.ones(len(texts), dtype=bool)
    ends[last] = [part.ends for part in parts]
    begins = np.concatenate(([not inside], ends[:-1]))
    bounds = np.concatenate(([0], np.cumsum(counts)))
    # BOS before the first token of a text that begins, EOS after the last of one that ends.
    marked = np.column_stack((begins, ends)).ravel()
    places = np.repeat(bounds, 2)[1:-1][marked]
    marks = np.tile([tokenizer.bos, tokenizer.eos], len(texts))[marked]
    text = "".join(texts)
    facts = SplitFacts(
        documents=int(np.count_nonzero(ends)),
        characters=len(text),
        bytes=len(text) if text.isascii() else len(text.encode()),
        tokens=len(ids) + int(np.count_nonzero(ends)),
        unknown_characters=0 if tokenizer.unk is None else int(np.count_nonzero(ids == tokenizer.unk)),
    )
    starts = (places + np.arange(len(places)))[marks == tokenizer.bos]
    return EncodedParts(np.insert(ids, places, marks).astype(dtype), starts, facts)


class SplitWriter:
    """Appends one split's documents to its files; a context manager that closes them."""

    def __init__(self, folder: Path, name: str) -> None:
        self._ids = (folder / f"{name}.ids").open("wb")
        self._starts = (folder / f"{name}.starts").open("wb")
        self._length = 0
        self.facts = SplitFacts()
        """The size of what was written."""

    def __enter__(self) -> "SplitWriter":
        return self

    def __exit__(self, *_: object) -> None:
        with self._ids, self._starts:
            np.array([self._length], dtype=np.int64).tofile(self._starts)

    def write(self, parts: EncodedParts) -> None:
        """Append parts, which continue where the last ended."""
        parts.ids.tofile(self._ids)
        (self._length + parts.starts).astype(np.int64).tofile(self._starts)
        self._length += len(parts.ids)
        sizes = asdict(self.facts)
        self.facts = SplitFacts(**{name: size + sizes[name] for name, size in asdict(parts.facts).items()})
