"""The files of a split as they are written, and what is counted meanwhile."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.config import JsonConfig
from charlm.data.documents import Fragment
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

    def __init__(self, folder: Path, name: str, dtype: np.dtype[Any], tokenizer: Tokenizer) -> None:
        self._ids = (folder / f"{name}.ids").open("wb")
        self._starts = (folder / f"{name}.starts").open("wb")
        self._dtype = dtype
        self._tokenizer = tokenizer
        self._documents = self._characters = self._bytes = self._length = self._unknown = 0
        self._inside = False  # whether a document has begun and not ended

    def __enter__(self) -> "SplitWriter":
        return self

    def __exit__(self, *_: object) -> None:
        with self._ids, self._starts:
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

    def write(self, fragments: list[Fragment]) -> None:
        """Encode consecutive fragments."""
        bos, eos = (np.array([token], dtype=np.int32) for token in (self._tokenizer.bos, self._tokenizer.eos))
        parts: list[NDArray[np.int32]] = []
        starts: list[int] = []
        encoded = self._tokenizer.encode_all([fragment.text for fragment in fragments])
        for (text, ends), ids in zip(fragments, encoded, strict=True):
            if not self._inside:
                starts.append(self._length)
                parts.append(bos)
                self._length += 1
            parts.append(ids)
            self._length += len(ids)
            if ends:
                parts.append(eos)
                self._length += 1
                self._documents += 1
            self._inside = not ends
            self._characters += len(text)
            self._bytes += len(text) if text.isascii() else len(text.encode())
            if self._tokenizer.unk is not None:
                self._unknown += int(np.count_nonzero(ids == self._tokenizer.unk))
        np.concatenate(parts).astype(self._dtype).tofile(self._ids)
        np.array(starts, dtype=np.int64).tofile(self._starts)
