"""Token ids on disk: one folder in the cache for each pair of text and tokenizer.

The folder is named by a hash of the text's bytes, how the text is cut and split, and the tokenizer. So it can't go
stale: another text or another vocabulary has another folder. It is written under a temporary name, flushed to disk and
renamed when it is complete. All of it has checksums; a damaged folder is made again.
"""

import hashlib
import json
import logging
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.config import CorpusConfig, LabelColumn, SplitName, TokenizerConfig, check_choice
from charlm.data.corpus import Corpus
from charlm.data.documents import whole_words
from charlm.data.labels.codes import Codes
from charlm.data.split_writer import SplitFacts, encode_corpus
from charlm.data.splits import SPLITS
from charlm.data.verified_file import DamagedFileError, VerifiedFile
from charlm.errors import CharlmError, CorpusError
from charlm.files import atomic_write, cache_folder, parse_object, seal, unseal
from charlm.progress import Progress, silent
from charlm.tokenizers import TOKENIZERS, Tokenizer, fit_tokenizer, tokenizer_from_json

logger = logging.getLogger(__name__)

_FORMAT = 2
_UNKNOWN_NAMED = 8  # characters outside the vocabulary that a message names
_STARTS_IN_MEMORY = 1 << 23  # documents of a split up to which their places are kept in memory
_VERIFIED_AT_ONCE = 1 << 24  # tokens of a split up to which it is verified when it is opened: milliseconds


class TokenSplit:
    """The token ids of one split: its documents in order, each `BOS ... EOS`, or `BOS source EOS target EOS`."""

    def __init__(
        self,
        ids: NDArray[Any] | VerifiedFile,
        starts: NDArray[np.int64],
        facts: SplitFacts,
        labels: Codes | None = None,
        targets: NDArray[np.int64] | None = None,
    ) -> None:
        self._ids = ids
        self.starts = starts
        """Document d is ids[starts[d] : starts[d + 1]]; shape (documents + 1,)."""
        self.labels = labels
        """The codes of each document's labels, (documents, C); None if the model that reads them has no labels."""
        self.targets = targets
        """Where the target of each document begins, (documents,); None if all of a document is predicted."""
        self.facts = facts

    @classmethod
    def open(
        cls,
        folder: Path,
        name: str,
        description: dict[str, Any],
        vocab_size: int,
        label_columns: Sequence[LabelColumn] = (),
    ) -> "TokenSplit":
        """Open the files written by `encode_corpus`; `description` is that of the folder.

        Raises ValueError, KeyError or `CharlmError` when the files don't match it, OSError when they can't be read.
        """
        facts, dtype = SplitFacts.from_json(description["splits"][name]), np.dtype(description["dtype"])
        length = facts.tokens + facts.source_tokens + facts.documents  # neither of the first counts BOS
        if length == 0:
            return cls(np.zeros(0, dtype), np.zeros(1, np.int64), facts)
        sums = description["checksums"][name]
        starts = VerifiedFile(
            folder / f"{name}.starts", np.dtype(np.int64), facts.documents + 1, sums["starts"], length + 1
        )
        starts.verify(0, len(starts))
        ids = VerifiedFile(folder / f"{name}.ids", dtype, length, sums["ids"], vocab_size)
        if length <= _VERIFIED_AT_ONCE:
            ids.verify(0, length)
        is_large = len(starts) > _STARTS_IN_MEMORY
        places = np.memmap(starts.path, np.int64, "r") if is_large else starts.read(0, len(starts))
        labels = None
        if label_columns:
            shape = (facts.documents, len(label_columns))
            codes = sum(len(column.values) for column in label_columns) + 1
            path = folder / f"{name}.labels"
            file = VerifiedFile(path, np.dtype(np.uint16), shape[0] * shape[1], sums["labels"], codes)
            labels = file.read(0, len(file)).reshape(shape)
        targets = None
        if facts.source_tokens:
            path = folder / f"{name}.targets"
            file = VerifiedFile(path, np.dtype(np.int64), facts.documents, sums["targets"], length)
            targets = file.read(0, len(file))
        return cls(ids, places, facts, labels, targets)

    def __len__(self) -> int:
        """The number of ids."""
        return len(self._ids)

    def __getitem__(self, part: slice) -> NDArray[Any]:
        """A copy of consecutive ids; raises as `read` does."""
        return self.read(*part.indices(len(self))[:2])

    @property
    def ids(self) -> NDArray[Any]:
        """A copy of all ids. Raises `CharlmError` as `read` does, which is cheaper for a part of them."""
        return self.read(0, len(self))

    def tail(self, count: int) -> NDArray[Any]:
        """A copy of the last `count` ids, or of all if there are fewer; raises as `read` does."""
        return self.read(max(0, len(self) - count), len(self))

    def labels_at(self, starts: NDArray[np.int64]) -> Codes | None:
        """The labels of the documents in which some positions are, (B, C); None if there are no labels."""
        if self.labels is None:
            return None
        codes: Codes = self.labels[np.searchsorted(self.starts, starts, side="right") - 1]
        return codes

    def predicted(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Whether each of ids[start:stop] is one that a model predicts: not BOS, nor part of a source."""
        first = max(0, int(np.searchsorted(self.starts, start, side="right")) - 1)
        last = int(np.searchsorted(self.starts[:-1], stop))
        begins = np.asarray(self.starts[first:last])
        counts = begins + 1 if self.targets is None else self.targets[first:last]
        edges = np.zeros(stop - start + 1, np.int8)
        np.add.at(edges, np.clip(begins - start, 0, stop - start), 1)
        np.add.at(edges, np.clip(counts - start, 0, stop - start), -1)
        is_predicted: NDArray[np.bool_] = np.cumsum(edges[:-1]) == 0
        return is_predicted

    def part(self, start: int, stop: int, tokenizer: Tokenizer) -> "TokenSplit":
        """ids[start:stop] as a split; `tokenizer` is the one that encoded them. Raises as `read` does."""
        ids = self.read(start, stop)
        starts = np.flatnonzero(ids == tokenizer.bos)
        text = tokenizer.decode(ids)
        facts = SplitFacts(
            documents=len(starts),
            characters=max(1, len(text)),
            bytes=len(text.encode()),
            tokens=len(ids) - len(starts),
            unknown_characters=0 if tokenizer.unk is None else int(np.count_nonzero(ids == tokenizer.unk)),
        )
        return TokenSplit(ids, np.append(starts, len(ids)), facts, self.labels_at(start + starts))

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """A copy of ids[start:stop].

        Raises `CharlmError` if they were damaged on disk; their folder is then removed, so that the next command makes
        it again.
        """
        if not isinstance(self._ids, VerifiedFile):
            return self._ids[start:stop].copy()
        try:
            return self._ids.read(start, stop)
        except (DamagedFileError, OSError) as error:
            folder = self._ids.path.parent
            shutil.rmtree(folder, ignore_errors=True)
            remedy = f"remove {folder} and run" if folder.exists() else "it was removed, so run"
            raise CharlmError(
                f"{error}; {remedy} the command again, or continue the run with --resume, to encode the text again"
            ) from None


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A corpus as token ids, with the tokenizer that encoded it."""

    corpus: Corpus
    tokenizer: Tokenizer
    train: TokenSplit
    valid: TokenSplit
    test: TokenSplit
    held_out: Mapping[SplitName, Corpus] = field(default_factory=dict)
    """The splits that are texts of their own, of which all is in their first split; see `with_held_out`."""
    labels: tuple[LabelColumn, ...] = ()
    """The labels of the documents, if they have any."""

    def split(self, name: str) -> TokenSplit:
        """The split named train, valid or test; raises `ConfigError` for another name, `CorpusError` if it is empty."""
        check_choice("--split", name, SPLITS)
        split: TokenSplit = {"train": self.train, "valid": self.valid, "test": self.test}[name]
        if split.facts.tokens == 0:
            raise CorpusError(_empty_split(name, self.corpus))
        return split

    def text_of(self, name: SplitName) -> tuple[Corpus, SplitName]:
        """The text that a split is part of, and the name of the split there."""
        own = self.held_out.get(name)
        return (self.corpus, name) if own is None else (own, "train")

    def with_held_out(self, texts: Mapping[SplitName, Corpus], *, progress: Progress = silent) -> "Dataset":
        """The same with splits that are texts of their own; raises as `make_dataset` does."""
        encoded: dict[str, TokenSplit] = {
            name: make_dataset(corpus, self.tokenizer, labels=self.labels, progress=progress).train
            for name, corpus in texts.items()
        }
        return replace(self, held_out={**self.held_out, **texts}, **encoded)  # type: ignore[arg-type]

    def unknown_in(self, name: str) -> str:
        """The most frequent characters of a split that are not in the vocabulary; reads the text again."""
        counts: Counter[str] = Counter()
        for text in self.corpus.split_texts(name):
            counts.update(text)
        unk = self.tokenizer.unk
        unknown = [
            character
            for character, _ in counts.most_common()
            if unk in self.tokenizer.encode(character, unknown="replace")
        ]
        shown = " ".join(repr(character)[1:-1] for character in unknown[:_UNKNOWN_NAMED])
        return shown + " …" * (len(unknown) > _UNKNOWN_NAMED)


def make_dataset(
    corpus: Corpus,
    tokenizer: Tokenizer | TokenizerConfig,
    *,
    labels: tuple[LabelColumn, ...] | None = None,
    progress: Progress = silent,
) -> Dataset:
    """A corpus as token ids, from the cache if possible. Releases the text that the corpus keeps in memory.

    Args:
        corpus: the text to encode.
        tokenizer: a tokenizer, or the settings to fit one to the training split.
        labels: the labels of the model that reads the text; None takes those of the text.
        progress: called with the characters read and encoded.

    Raises:
        CorpusError: a split with a share above 0 is empty, a label can't be learnt, or the text changed since it was
            first read.
        TokenizerError: no tokenizer can be fitted to this text.
        CharlmError: the cache can't be written.
    """
    try:
        return _make_dataset(corpus, tokenizer, corpus.labels() if labels is None else labels, progress)
    finally:
        corpus.release_text()


def _make_dataset(
    corpus: Corpus, tokenizer: Tokenizer | TokenizerConfig, labels: tuple[LabelColumn, ...], progress: Progress
) -> Dataset:
    if corpus.boundaries()[0] == 0:
        raise CorpusError(_empty_split("train", corpus))
    if isinstance(tokenizer, TokenizerConfig):
        tokenizer = _cached_tokenizer(corpus, tokenizer, progress)
    values = [(label.name, label.values) for label in labels]
    key = _hash([_FORMAT, corpus.sha256, corpus.config.to_json(), tokenizer.fingerprint(), values])
    folder = cache_folder("tokens") / key
    dataset = _open_dataset(folder, corpus, tokenizer, labels)
    if dataset is None:
        encode_corpus(corpus, tokenizer, folder, labels=labels, progress=progress)
        dataset = _open_dataset(folder, corpus, tokenizer, labels)
        if dataset is None:
            raise CharlmError(f"the encoded text in {folder} can't be read back; check the disk")
    for name, share in zip(SPLITS, corpus.config.splits, strict=True):
        if share > 0:
            dataset.split(name)  # raises when the split is empty
    return dataset


def unsplit(config: CorpusConfig) -> CorpusConfig:
    """The same configuration with the whole text in the first split, to score a text that was never split."""
    return replace(config, splits=(100.0, 0.0, 0.0))


def _open_dataset(
    folder: Path, corpus: Corpus, tokenizer: Tokenizer, labels: tuple[LabelColumn, ...]
) -> Dataset | None:
    """The dataset in a folder; None when it is missing or damaged."""
    try:
        description = _read_sealed(folder / "facts.json")
        if description is None:
            return None
        splits = {name: TokenSplit.open(folder, name, description, tokenizer.vocab_size, labels) for name in SPLITS}
    except (OSError, ValueError, KeyError, TypeError, CharlmError) as error:
        logger.warning("the encoded text in the cache is damaged and made again: %s", str(error))
        return None
    train, valid, test = (splits[name] for name in SPLITS)
    return Dataset(corpus=corpus, tokenizer=tokenizer, train=train, valid=valid, test=test, labels=labels)


def _read_sealed(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file of the cache; None if there is none with a checksum.

    Raises ValueError for a damaged file, OSError for one that can't be read.
    """
    try:
        return unseal(parse_object(path.read_bytes()))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DamagedFileError(f"{path} is damaged: {error}") from None


def _cached_tokenizer(corpus: Corpus, config: TokenizerConfig, progress: Progress) -> Tokenizer:
    """The tokenizer of a corpus from the cache, or fitted to it."""
    key = _hash([_FORMAT, corpus.sha256, corpus.config.to_json(), config.to_json()])
    path = cache_folder("tokenizers") / f"{key}.json"
    try:
        if (values := _read_sealed(path)) is not None:
            return tokenizer_from_json(values)
    except (OSError, ValueError, CharlmError) as error:
        logger.warning("the tokenizer in the cache is damaged and made again: %s", str(error))
    characters = corpus.boundaries()[0]

    def training_texts() -> Iterator[list[str]]:
        """The texts of the training split, with the sources of pairs; the other splits are read but left out."""
        done = 0
        parts = whole_words(corpus.parts(), TOKENIZERS[config.kind])
        for index, part in parts:  # to the end: a text that changed must not reach the cache
            if SPLITS[index] == "train":
                yield [*part.sources, *part.texts]
                done += sum(map(len, part.texts))
                progress("collecting the vocabulary", min(done, characters), characters)

    tokenizer = fit_tokenizer(chain.from_iterable(training_texts()), characters, config)
    atomic_write(path, json.dumps(seal(tokenizer.to_json())).encode())
    return tokenizer


def _empty_split(split: str, corpus: Corpus) -> str:
    """The message for a split that is empty."""
    if corpus.undivided is not None:
        return (
            f"{corpus.undivided} and the {split} split is empty; give another separator or --documents, or train on "
            "all of it with --splits 100/0/0"
        )
    fix = "give a longer text, or make this split the whole text" if split == "train" else "change its share"
    return (
        f"the {split} split of {corpus.name} is empty (documents: {corpus.documents}, characters: "
        f"{corpus.characters}); {fix} with --splits (such as 100/0/0)"
    )


def _hash(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
