"""Writes a corpus as token ids: the files of its splits, with their labels, sizes and checksums."""

import contextlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from charlm.ahead import map_ahead
from charlm.config import LabelColumn
from charlm.data.corpus import Corpus
from charlm.data.documents import Part, whole_words
from charlm.data.encoded.label_codes import LabelCodes
from charlm.data.encoded.parts import EncodedParts, SplitFacts, encode_parts
from charlm.data.splits import SPLITS
from charlm.data.verified_file import checksums
from charlm.errors import CharlmError
from charlm.files import flush_folder, seal
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

logger = logging.getLogger(__name__)

BATCH = 1 << 20
"""Characters that are encoded at a time, and ids that are reversed at a time."""

_NAMED = 8  # unknown labels that a warning names


class SplitWriter:
    """Appends one split's documents to its files; a context manager that closes them."""

    def __init__(self, folder: Path, name: str, *, labels: bool = False, pairs: bool = False) -> None:
        """Open the files; with `labels` there is also one with the labels of each document, and with `pairs` one with
        the places at which targets begin."""
        self._ids = (folder / f"{name}.ids").open("wb")
        self._starts = (folder / f"{name}.starts").open("wb")
        self._labels = (folder / f"{name}.labels").open("wb") if labels else None
        self._targets = (folder / f"{name}.targets").open("wb") if pairs else None
        self._length = 0
        self.facts = SplitFacts()
        """The size of what was written."""

    def __enter__(self) -> "SplitWriter":
        return self

    def __exit__(self, *_: object) -> None:
        with self._ids, self._starts, self._labels or nullcontext(), self._targets or nullcontext():
            np.array([self._length], dtype=np.int64).tofile(self._starts)

    def write(self, parts: EncodedParts) -> None:
        """Append parts, which continue where the last ended."""
        parts.ids.tofile(self._ids)
        (self._length + parts.starts).astype(np.int64).tofile(self._starts)
        if self._labels is not None and parts.labels is not None:
            parts.labels.tofile(self._labels)
        if self._targets is not None and parts.targets is not None:
            (self._length + parts.targets).astype(np.int64).tofile(self._targets)
        self._length += len(parts.ids)
        sizes = asdict(self.facts)
        self.facts = SplitFacts(**{name: size + sizes[name] for name, size in asdict(parts.facts).items()})


def encode_corpus(
    corpus: Corpus,
    tokenizer: Tokenizer,
    folder: Path,
    *,
    labels: Sequence[LabelColumn] = (),
    progress: Progress = silent,
) -> None:
    """Write the token ids and labels of all splits in batches to a temporary folder, then rename it to `folder`.

    Raises `CharlmError` when the files can't be written, and `CorpusError` when the text changed since it was first
    read.
    """
    codes = LabelCodes(labels) if labels else None
    try:
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".encoding-"))
    except OSError as error:
        raise _not_written(folder, error) from None
    try:
        _write_splits(temporary, corpus, tokenizer, codes, progress)
        flush_folder(temporary)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    except OSError as error:
        if not folder.exists():  # another process may have written it meanwhile
            raise _not_written(folder, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if codes is not None and codes.unknown:
        shown = ", ".join(f"{name}={value}" for name, value in sorted(codes.unknown)[:_NAMED])
        logger.warning(
            "the model doesn't know the labels %s%s of %s, so these documents count as unlabelled",
            shown,
            ", …" * (len(codes.unknown) > _NAMED),
            corpus.name,
        )


def _write_splits(
    folder: Path, corpus: Corpus, tokenizer: Tokenizer, codes: LabelCodes | None, progress: Progress
) -> None:
    """Write the files of all splits, and their sizes and checksums, to a folder."""
    dtype = np.dtype(np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.uint32)
    labels, pairs = codes is not None, corpus.config.is_pairs
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(SplitWriter(folder, name, labels=labels, pairs=pairs)) for name in SPLITS]
        done = 0
        batches = _batches(whole_words(corpus.parts(), type(tokenizer)))
        for index, encoded in map_ahead(lambda batch: batch.encode(tokenizer, dtype, codes), batches):
            writers[index].write(encoded)
            done += encoded.facts.characters
            progress("encoding", done, corpus.characters)
    if corpus.config.direction == "backward":
        for name in SPLITS:
            _reverse(folder, name, dtype, tokenizer)
            if codes is not None:
                _reverse_labels(folder / f"{name}.labels", len(codes))
    kinds = ("ids", "starts", *["labels"] * labels, *["targets"] * pairs)
    facts = {name: asdict(writer.facts) for name, writer in zip(SPLITS, writers, strict=True)}
    sums = {name: {kind: checksums(folder / f"{name}.{kind}") for kind in kinds} for name in SPLITS}
    description = {"dtype": dtype.name, "splits": facts, "checksums": sums}
    (folder / "facts.json").write_text(json.dumps(seal(description)), encoding="utf-8")


def _not_written(folder: Path, error: OSError) -> CharlmError:
    reason = error.strerror or "the disk is full"  # numpy gives no reason when it can't write all of an array
    return CharlmError(
        f"can't write the encoded text to {folder.parent}: {reason}; free some space, or set CHARLM_CACHE to another "
        "folder that you can write to"
    )


def _reverse(folder: Path, name: str, dtype: np.dtype[Any], tokenizer: Tokenizer) -> None:
    """Reverse a split's ids for reading from right to left: the last document comes first, BOS swaps with EOS."""
    path, reversed_path = folder / f"{name}.ids", folder / f"{name}.reversed"
    length = path.stat().st_size // dtype.itemsize
    with path.open("rb") as source, reversed_path.open("wb") as target:
        for end in range(length, 0, -BATCH):
            start = max(0, end - BATCH)
            source.seek(start * dtype.itemsize)
            ids = np.fromfile(source, dtype=dtype, count=end - start)[::-1]
            swapped = np.where(ids == tokenizer.bos, tokenizer.eos, np.where(ids == tokenizer.eos, tokenizer.bos, ids))
            swapped.astype(dtype).tofile(target)
    os.replace(reversed_path, path)
    starts = np.fromfile(folder / f"{name}.starts", dtype=np.int64)
    (length - starts[::-1]).tofile(folder / f"{name}.starts")


def _reverse_labels(path: Path, number: int) -> None:
    """Reverse the labels of a split's documents; each document has a `number` of them."""
    in_order = np.fromfile(path, np.uint16).reshape(-1, number)
    in_order[::-1].tofile(path)


class _Batch(NamedTuple):
    """Consecutive parts of one split."""

    split: int
    """Its index in `SPLITS`."""
    parts: list[Part]
    inside: bool
    """Whether the first continues a document."""

    def encode(self, tokenizer: Tokenizer, dtype: np.dtype[Any], codes: LabelCodes | None) -> tuple[int, EncodedParts]:
        """The split and the tokens."""
        return self.split, encode_parts(tokenizer, dtype, self.parts, inside=self.inside, codes=codes)


def _batches(parts: Iterable[tuple[int, Part]]) -> Iterator[_Batch]:
    """Parts in batches, each of one split; parts of other splits may stand between those of a batch."""
    batches, sizes = [_Batch(index, [], False) for index in range(len(SPLITS))], [0] * len(SPLITS)
    for index, part in parts:
        batch = batches[index]
        batch.parts.append(part)
        sizes[index] += sum(map(len, part.texts))
        if sizes[index] >= BATCH:
            yield batch
            batches[index], sizes[index] = _Batch(index, [], not part.ends), 0
    yield from (batch for batch in batches if batch.parts)
