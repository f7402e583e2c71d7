"""Token ids on disk: one folder in the cache for each pair of text and tokenizer.

The folder is named by a hash of the text's bytes, how the text is cut and split, and the tokenizer. So it can't go
stale: another text or another vocabulary has another folder. It is written under a temporary name, flushed to disk and
renamed when it is complete. All of it has checksums; a damaged folder is made again.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from charlm.config import CorpusConfig, LabelColumn, SplitName, TokenizerConfig, check_choice
from charlm.data.corpus import Corpus
from charlm.data.documents import whole_words
from charlm.data.encoded.split_writer import encode_corpus
from charlm.data.splits import SPLITS
from charlm.data.token_split import TokenSplit
from charlm.data.verified_file import DamagedFileError
from charlm.errors import CharlmError, CorpusError
from charlm.files import atomic_write, cache_folder, parse_object, seal, unseal
from charlm.progress import Progress, silent
from charlm.tokenizers import TOKENIZERS, Tokenizer, fit_tokenizer, tokenizer_from_json

logger = logging.getLogger(__name__)

_FORMAT = 2
_UNKNOWN_NAMED = 8  # characters outside the vocabulary that a message names


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
