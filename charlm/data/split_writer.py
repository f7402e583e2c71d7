"""The files of a split as they are written, and what is counted meanwhile."""

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from charlm.config import JsonConfig
from charlm.data.documents import Part
from charlm.data.labels import LabelCodes
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


class SplitWriter:
    """Appends one split's documents to its files; a context manager that closes them."""

    def __init__(
        self, folder: Path, name: str, dtype: np.dtype[Any], tokenizer: Tokenizer, codes: LabelCodes | None = None
    ) -> None:
        """Open the files; with `codes` there is also one with the labels of each document."""
        self._ids = (folder / f"{name}.ids").open("wb")
        self._starts = (folder / f"{name}.starts").open("wb")
        self._labels = None if codes is None else (folder / f"{name}.labels").open("wb")
        self._codes = codes
        self._dtype = dtype
        self._tokenizer = tokenizer
        self._documents = self._characters = self._bytes = self._length = self._unknown = 0
        self._inside = False  # whether a document has begun and not ended

    def __enter__(self) -> "SplitWriter":
        return self

    def __exit__(self, *_: object) -> None:
        with self._ids, self._starts, self._labels or nullcontext():
            np.array([self._length], dtype=np.int64).tofile(self._starts)

    @property
    def facts(self) -> SplitFacts:
        """The size of what was written."""
        return SplitFacts(
            documents=self._documents,
            characters=self._characters,
            bytes=self._bytes,
            tokens=self._length - self._documents,
            unknown_characters=self._unknown,
        )

    def write(self, parts: list[Part]) -> None:
        """Encode consecutive parts."""
        texts = [*chain.from_iterable(part.texts for part in parts)]
        ids, counts = self._tokenizer.encode_joined(texts)
        last = np.cumsum([len(part.texts) for part in parts]) - 1
        ends = np.ones(len(texts), dtype=bool)
        ends[last] = [part.ends for part in parts]
        begins = np.concatenate(([not self._inside], ends[:-1]))
        bounds = np.concatenate(([0], np.cumsum(counts)))
        # BOS before the first token of a text that begins, EOS after the last of one that ends.
        marked = np.column_stack((begins, ends)).ravel()
        places = np.repeat(bounds, 2)[1:-1][marked]
        marks = np.tile([self._tokenizer.bos, self._tokenizer.eos], len(texts))[marked]
        np.insert(ids, places, marks).astype(self._dtype).tofile(self._ids)
        starts = self._length + (places + np.arange(len(places)))[marks == self._tokenizer.bos]
        starts.astype(np.int64).tofile(self._starts)
        if self._codes is not None and self._labels is not None:
            codes = np.stack([self._codes(part.labels) for part in parts])
            np.repeat(codes, [len(part.texts) for part in parts], 0)[begins].tofile(self._labels)
        self._length += len(ids) + len(places)
        self._documents += int(np.count_nonzero(ends))
        self._inside = not ends[-1]
        text = "".join(texts)
        self._characters += len(text)
        self._bytes += len(text) if text.isascii() else len(text.encode())
        if self._tokenizer.unk is not None:
            self._unknown += int(np.count_nonzero(ids == self._tokenizer.unk))
