"""Token ids on disk, memory-mapped: one folder in the cache for each pair of text and tokenizer.

The folder is named by a hash of the text's bytes, how the text is cut and split, and the tokenizer. So it can't go
stale: another text or another vocabulary has another folder. It is written under a temporary name and renamed when it
is complete.
"""

import contextlib
import hashlib
import json
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data.corpus import SPLITS, Corpus, Fragment
from charlm.errors import CharlmError, CorpusError
from charlm.files import atomic_write, cache_folder
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer, fit_tokenizer, tokenizer_from_json

_FORMAT = 1
_BATCH = 1 << 20  # characters encoded at a time
_READS_BEFORE_RELEASE = 2048  # each may map 64 kB of pages


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitFacts:
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


class TokenSplit:
    """The token ids of one split: its documents in order, each `BOS ... EOS`."""

    def __init__(self, ids: NDArray[Any], starts: NDArray[np.int64], facts: SplitFacts) -> None:
        self.ids = ids
        self.starts = starts
        """Document d is ids[starts[d] : starts[d + 1]]; shape (documents + 1,)."""
        self.facts = facts
        self._map: mmap.mmap | None = None
        self._reads = 0

    @classmethod
    def open(cls, folder: Path, name: str, dtype: np.dtype[Any], facts: SplitFacts) -> "TokenSplit":
        """Map the files written by `encode_corpus`; raises ValueError or OSError when they don't match the facts."""
        length = facts.tokens + facts.documents  # `tokens` doesn't count the BOS of each document
        if length == 0:
            return cls(np.zeros(0, dtype), np.zeros(1, np.int64), facts)
        starts = np.memmap(folder / f"{name}.starts", dtype=np.int64, mode="r")
        if len(starts) != facts.documents + 1 or starts[-1] != length:
            raise ValueError(f"{name}.starts does not fit")
        with (folder / f"{name}.ids").open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        ids = np.frombuffer(mapped, dtype=dtype)
        if len(ids) != length:
            raise ValueError(f"{name}.ids does not fit")
        split = cls(ids, starts, facts)
        split._map = mapped
        return split

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """A copy of ids[start:stop]; pages are released to the system regularly, so that memory stays bounded."""
        self._reads += 1
        if self._map is not None and self._reads >= _READS_BEFORE_RELEASE:
            self._reads = 0
            if hasattr(mmap, "MADV_DONTNEED"):
                self._map.madvise(mmap.MADV_DONTNEED)
        copy: NDArray[Any] = self.ids[start:stop].copy()
        return copy


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A corpus as token ids, with the tokenizer that encoded it."""

    corpus: Corpus
    tokenizer: Tokenizer
    train: TokenSplit
    valid: TokenSplit
    test: TokenSplit

    def split(self, name: str) -> TokenSplit:
        """The split named train, valid or test; raises `CorpusError` when it is empty."""
        split: TokenSplit = {"train": self.train, "valid": self.valid, "test": self.test}[name]
        if split.facts.tokens == 0:
            raise CorpusError(_empty_split(name, self.corpus))
        return split


def prepare(corpus: Corpus, tokenizer: Tokenizer | TokenizerConfig, *, progress: Progress = silent) -> Dataset:
    """A corpus as token ids, from the cache if possible. Releases the text that the corpus keeps in memory.

    Args:
        corpus: the text.
        tokenizer: a tokenizer, or the settings to fit one to the training split.
        progress: called with the characters read and encoded.

    Raises:
        CorpusError: a split with a share above 0 is empty, or the text changed since it was first read.
        TokenizerError: no tokenizer can be fitted to this text.
        CharlmError: the cache can't be written.
    """
    try:
        return _prepare(corpus, tokenizer, progress)
    finally:
        corpus.release_text()


def _prepare(corpus: Corpus, tokenizer: Tokenizer | TokenizerConfig, progress: Progress) -> Dataset:
    if corpus.boundaries()[0] == 0:
        raise CorpusError(_empty_split("train", corpus))
    if isinstance(tokenizer, TokenizerConfig):
        tokenizer = _cached_tokenizer(corpus, tokenizer, progress)
    key = _hash([_FORMAT, corpus.sha256, corpus.config.to_json(), tokenizer.fingerprint()])
    folder = cache_folder("tokens") / key
    dataset = _open_dataset(folder, corpus, tokenizer)
    if dataset is None:
        encode_corpus(corpus, tokenizer, folder, progress=progress)
        dataset = _open_dataset(folder, corpus, tokenizer)
        if dataset is None:
            raise CharlmError(f"the encoded text in {folder} can't be read back; check the disk")
    for name, share in zip(SPLITS, corpus.config.splits, strict=True):
        if share > 0:
            dataset.split(name)  # raises when the split is empty
    return dataset


def unsplit(config: CorpusConfig) -> CorpusConfig:
    """The same configuration with the whole text in the first split, to score a text that was never split."""
    return replace(config, splits=(100.0, 0.0, 0.0))


def encode_corpus(corpus: Corpus, tokenizer: Tokenizer, folder: Path, *, progress: Progress = silent) -> None:
    """Write the token ids of all splits in batches to a temporary folder, then rename it to `folder`.

    Raises `CharlmError` when the files can't be written, and `CorpusError` when the text changed since it was first
    read.
    """
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".encoding-"))
    dtype = np.dtype(np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.uint32)
    try:
        with contextlib.ExitStack() as stack:
            writers = [stack.enter_context(_SplitWriter(temporary, name, dtype, tokenizer)) for name in SPLITS]
            done = 0
            for index, fragments in _batches(corpus):
                writers[index].write(fragments)
                done += sum(len(fragment.text) for fragment in fragments)
                progress("encoding", done, corpus.characters)
        if corpus.config.direction == "backward":
            for name in SPLITS:
                _reverse(temporary, name, dtype, tokenizer)
        facts = {name: asdict(writer.facts) for name, writer in zip(SPLITS, writers, strict=True)}
        description = {"dtype": dtype.name, "splits": facts}
        (temporary / "facts.json").write_text(json.dumps(description), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    except OSError as error:
        if not folder.exists():  # another process may have written it meanwhile
            raise CharlmError(
                f"can't write the encoded text to {folder.parent}: {error.strerror}; free some space, or set "
                "CHARLM_CACHE to a folder on another disk"
            ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _reverse(folder: Path, name: str, dtype: np.dtype[Any], tokenizer: Tokenizer) -> None:
    """Reverse a split's files for reading from right to left: the last document comes first, and BOS swaps with EOS."""
    path, reversed_path = folder / f"{name}.ids", folder / f"{name}.reversed"
    length = path.stat().st_size // dtype.itemsize
    with path.open("rb") as source, reversed_path.open("wb") as target:
        for end in range(length, 0, -_BATCH):
            start = max(0, end - _BATCH)
            source.seek(start * dtype.itemsize)
            ids = np.fromfile(source, dtype=dtype, count=end - start)[::-1]
            swapped = np.where(ids == tokenizer.bos, tokenizer.eos, np.where(ids == tokenizer.eos, tokenizer.bos, ids))
            swapped.astype(dtype).tofile(target)
    os.replace(reversed_path, path)
    starts = np.fromfile(folder / f"{name}.starts", dtype=np.int64)
    (length - starts[::-1]).tofile(folder / f"{name}.starts")


class _SplitWriter:
    """Appends one split's documents to its files; a context manager that closes them."""

    def __init__(self, folder: Path, name: str, dtype: np.dtype[Any], tokenizer: Tokenizer) -> None:
        self._ids = (folder / f"{name}.ids").open("wb")
        self._starts = (folder / f"{name}.starts").open("wb")
        self._dtype = dtype
        self._tokenizer = tokenizer
        self._documents = self._characters = self._bytes = self._length = self._unknown = 0
        self._inside = False  # whether a document has begun and not ended

    def __enter__(self) -> "_SplitWriter":
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


def _batches(corpus: Corpus) -> Iterator[tuple[int, list[Fragment]]]:
    """The fragments of a corpus in batches, each from one split, with the split's index."""
    batch_index, batch, size = 0, list[Fragment](), 0
    for index, fragment in corpus.fragments():
        if batch and (index != batch_index or size >= _BATCH):
            yield batch_index, batch
            batch, size = [], 0
        batch_index = index
        batch.append(fragment)
        size += len(fragment.text) + 1
    if batch:
        yield batch_index, batch


def _open_dataset(folder: Path, corpus: Corpus, tokenizer: Tokenizer) -> Dataset | None:
    """The dataset in a folder; None when it is missing or damaged."""
    try:
        description = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        dtype = np.dtype(description["dtype"])
        splits = {
            name: TokenSplit.open(folder, name, dtype, SplitFacts(**description["splits"][name])) for name in SPLITS
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Dataset(corpus=corpus, tokenizer=tokenizer, **splits)


def _cached_tokenizer(corpus: Corpus, config: TokenizerConfig, progress: Progress) -> Tokenizer:
    """The tokenizer of a corpus from the cache, or fitted to it."""
    key = _hash([_FORMAT, corpus.sha256, corpus.config.to_json(), config.to_json()])
    path = cache_folder("tokenizers") / f"{key}.json"
    try:
        return tokenizer_from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, CharlmError):
        pass
    characters = corpus.boundaries()[0]

    def training_texts() -> Iterator[str]:
        done = 0
        for index, fragment in corpus.fragments():  # to the end: a text that changed must not reach the cache
            if SPLITS[index] == "train":
                yield fragment.text
                done += len(fragment.text)
                progress("collecting the vocabulary", min(done, characters), characters)

    tokenizer = fit_tokenizer(training_texts(), characters, config)
    atomic_write(path, json.dumps(tokenizer.to_json()).encode())
    return tokenizer


def _empty_split(split: str, corpus: Corpus) -> str:
    """The message for a split that is empty."""
    fix = "give a longer text, or make this split the whole text" if split == "train" else "change its share"
    return (
        f"the {split} split of {corpus.name} is empty (documents: {corpus.documents}, characters: "
        f"{corpus.characters}); {fix} with --splits (such as 100/0/0)"
    )


def _hash(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
