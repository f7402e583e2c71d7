"""Token ids on disk, memory-mapped: one folder in the cache for each pair of text and tokenizer.

The folder is named by a hash of the text's bytes, how it is cut and split, and the tokenizer, so that it can't go
stale: another text or another vocabulary is another folder. It is written beside its place and renamed when complete.
"""

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
    """What a split holds."""

    documents: int = 0
    characters: int = 0
    """Of the documents' text; what stood between documents is not counted."""
    bytes: int = 0
    """Of the documents' text in UTF-8."""
    tokens: int = 0
    """Tokens that a model is asked to predict: those of the text, and one EOS for each document."""
    unknown_characters: int = 0
    """Characters outside the vocabulary."""


class TokenSplit:
    """The token ids of one split: documents one after the other, each `BOS ... EOS`."""

    def __init__(self, ids: NDArray[Any], starts: NDArray[np.int64], facts: SplitFacts) -> None:
        self.ids = ids
        self.starts = starts
        """Document d is ids[starts[d] : starts[d + 1]]; shape (documents + 1,)."""
        self.facts = facts
        self._map: mmap.mmap | None = None
        self._reads = 0

    @classmethod
    def open(cls, folder: Path, name: str, dtype: np.dtype[Any], facts: SplitFacts) -> "TokenSplit":
        """Map the files that `encode_corpus` wrote; raises ValueError or OSError when they don't fit the facts."""
        length = facts.tokens + facts.documents  # every target, and a BOS for each document
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
        """ids[start:stop], a copy; pages read are given back now and then, so that memory stays bounded."""
        self._reads += 1
        if self._map is not None and self._reads >= _READS_BEFORE_RELEASE:
            self._reads = 0
            if hasattr(mmap, "MADV_DONTNEED"):
                self._map.madvise(mmap.MADV_DONTNEED)
        copy: NDArray[Any] = self.ids[start:stop].copy()
        return copy


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A corpus as token ids, with the tokenizer that made them."""

    corpus: Corpus
    tokenizer: Tokenizer
    train: TokenSplit
    valid: TokenSplit
    test: TokenSplit

    def split(self, name: str) -> TokenSplit:
        """The split called train, valid or test; raises `CorpusError` when there is nothing in it."""
        split: TokenSplit = {"train": self.train, "valid": self.valid, "test": self.test}[name]
        if split.facts.tokens == 0:
            raise CorpusError(_nothing_in(name, self.corpus))
        return split


def prepare(corpus: Corpus, tokenizer: Tokenizer | TokenizerConfig, *, progress: Progress = silent) -> Dataset:
    """A corpus as token ids, from the cache where they are there already.

    Args:
        corpus: the text.
        tokenizer: a tokenizer, or how to make one from the training split.
        progress: told how far reading and encoding are.

    Raises:
        CorpusError: a split that was given a share has nothing in it.
        TokenizerError: no tokenizer can be made from this text.
        CharlmError: the cache can't be written.
    """
    if corpus.boundaries()[0] == 0:
        raise CorpusError(_nothing_in("train", corpus))
    if isinstance(tokenizer, TokenizerConfig):
        tokenizer = _fitted(corpus, tokenizer, progress)
    key = _hash([_FORMAT, corpus.sha256, corpus.config.to_json(), tokenizer.fingerprint()])
    folder = cache_folder("tokens") / key
    dataset = _open(folder, corpus, tokenizer)
    if dataset is None:
        encode_corpus(corpus, tokenizer, folder, progress=progress)
        dataset = _open(folder, corpus, tokenizer)
        if dataset is None:
            raise CharlmError(f"the encoded text in {folder} can't be read back; is the disk failing?")
    for name, share in zip(SPLITS, corpus.config.splits, strict=True):
        if share > 0:
            dataset.split(name)  # raises where it is empty
    return dataset


def unsplit(config: CorpusConfig) -> CorpusConfig:
    """The same way to read a text, all of it in the first split: for scoring a text that was never split."""
    return replace(config, splits=(100.0, 0.0, 0.0))


def encode_corpus(corpus: Corpus, tokenizer: Tokenizer, folder: Path, *, progress: Progress = silent) -> None:
    """Write the token ids of all splits to `folder`, in pieces, and name it only when all is there."""
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".encoding-"))
    dtype = np.dtype(np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.uint32)
    try:
        facts = {name: SplitFacts() for name in SPLITS}
        writers = [_Writer(temporary, name, dtype, tokenizer) for name in SPLITS]
        done = 0
        for index, pieces in _batches(corpus):
            writers[index].write(pieces)
            done += sum(len(piece.text) for piece in pieces)
            progress("encoding", done, corpus.characters)
        for name, writer in zip(SPLITS, writers, strict=True):
            facts[name] = writer.close()
            if corpus.config.direction == "backward":
                _turn(temporary, name, dtype, tokenizer)
        description = {"dtype": dtype.name, "splits": {name: asdict(fact) for name, fact in facts.items()}}
        (temporary / "facts.json").write_text(json.dumps(description), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    except OSError as error:
        if not folder.exists():  # another process may have been faster
            raise CharlmError(
                f"can't write the encoded text to {folder.parent}: {error.strerror}; free some space, or set "
                "CHARLM_CACHE to a folder on another disk"
            ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _turn(folder: Path, name: str, dtype: np.dtype[Any], tokenizer: Tokenizer) -> None:
    """Turn a split's files about: the last document comes first, and each reads from right to left, from BOS to EOS."""
    path, turned = folder / f"{name}.ids", folder / f"{name}.turned"
    length = path.stat().st_size // dtype.itemsize
    with path.open("rb") as source, turned.open("wb") as target:
        for end in range(length, 0, -_BATCH):
            start = max(0, end - _BATCH)
            source.seek(start * dtype.itemsize)
            ids = np.fromfile(source, dtype=dtype, count=end - start)[::-1]
            swapped = np.where(ids == tokenizer.bos, tokenizer.eos, np.where(ids == tokenizer.eos, tokenizer.bos, ids))
            swapped.astype(dtype).tofile(target)
    os.replace(turned, path)
    starts = np.fromfile(folder / f"{name}.starts", dtype=np.int64)
    (length - starts[::-1]).tofile(folder / f"{name}.starts")


class _Writer:
    """Appends one split's documents to its files."""

    def __init__(self, folder: Path, name: str, dtype: np.dtype[Any], tokenizer: Tokenizer) -> None:
        self._ids = (folder / f"{name}.ids").open("wb")
        self._starts = (folder / f"{name}.starts").open("wb")
        self._dtype = dtype
        self._tokenizer = tokenizer
        self._documents = self._characters = self._bytes = self._length = self._unknown = 0
        self._inside = False

    def write(self, pieces: list[Fragment]) -> None:
        """Encode pieces that follow one another."""
        bos, eos = (np.array([token], dtype=np.int32) for token in (self._tokenizer.bos, self._tokenizer.eos))
        parts: list[NDArray[np.int32]] = []
        starts: list[int] = []
        for (text, ends), ids in zip(pieces, self._tokenizer.encode_all([piece.text for piece in pieces]), strict=True):
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

    def close(self) -> SplitFacts:
        """Finish the files and tell what they hold."""
        np.array([self._length], dtype=np.int64).tofile(self._starts)
        self._ids.close()
        self._starts.close()
        return SplitFacts(
            documents=self._documents,
            characters=self._characters,
            bytes=self._bytes,
            tokens=self._length - self._documents,
            unknown_characters=self._unknown,
        )


def _batches(corpus: Corpus) -> Iterator[tuple[int, list[Fragment]]]:
    """The pieces of a corpus in handfuls of one split each."""
    index, batch, size = 0, list[Fragment](), 0
    for at, piece in corpus.pieces():
        if batch and (at != index or size >= _BATCH):
            yield index, batch
            batch, size = [], 0
        index = at
        batch.append(piece)
        size += len(piece.text) + 1
    if batch:
        yield index, batch


def _open(folder: Path, corpus: Corpus, tokenizer: Tokenizer) -> Dataset | None:
    """The dataset in a folder; None where there is none, or a damaged one."""
    try:
        description = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        dtype = np.dtype(description["dtype"])
        parts = {
            name: TokenSplit.open(folder, name, dtype, SplitFacts(**description["splits"][name])) for name in SPLITS
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Dataset(corpus=corpus, tokenizer=tokenizer, **parts)


def _fitted(corpus: Corpus, config: TokenizerConfig, progress: Progress) -> Tokenizer:
    """The tokenizer of a corpus, from the cache where it is there already."""
    path = (
        cache_folder("tokenizers")
        / f"{_hash([_FORMAT, corpus.sha256, corpus.config.to_json(), config.to_json()])}.json"
    )
    try:
        return tokenizer_from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, CharlmError):
        pass
    characters = corpus.boundaries()[0]

    def texts() -> Iterator[str]:
        done = 0
        for text in corpus.split_texts("train"):
            yield text
            done += len(text)
            progress("collecting the vocabulary", min(done, characters), characters)

    tokenizer = fit_tokenizer(texts(), characters, config)
    atomic_write(path, json.dumps(tokenizer.to_json()).encode())
    return tokenizer


def _nothing_in(split: str, corpus: Corpus) -> str:
    remedy = "give a longer text, or this part all of it" if split == "train" else "give it a larger share, or none,"
    return (
        f"the {split} split of {corpus.name} has nothing in it (documents: {corpus.documents}, characters: "
        f"{corpus.characters}); {remedy} with --splits (such as 100/0/0)"
    )


def _hash(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
