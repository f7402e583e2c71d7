"""The texts of a new run: its own, and held-out texts, such as the official splits of a benchmark."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from charlm.api.agreement import require_same_texts
from charlm.api.fitting import with_valid_text
from charlm.config import CorpusConfig, CorpusOptions, TokenizerConfig
from charlm.data.corpus import corpus_config, read_corpus
from charlm.data.dataset import Dataset, make_dataset
from charlm.data.registry import NamedCorpus
from charlm.data.sources import FoundText, TextLike, find_sources, is_stream, names_text, not_found
from charlm.data.splits import Shares
from charlm.errors import ConfigError, CorpusError
from charlm.processes.processes import Processes
from charlm.progress import Progress
from charlm.tokenizers import Tokenizer


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTexts:
    """The text of a run, and how it is read and split."""

    found: FoundText
    config: CorpusConfig
    valid: tuple[str, ...] | None
    """Arguments that name the validation split, if it is a text of its own."""
    test: tuple[str, ...] | None
    """The same for the test split."""


def find_texts(
    text: TextLike, options: CorpusOptions, *, valid: TextLike | None, test: TextLike | None, progress: Progress
) -> RunTexts:
    """Find the text of a run and the texts that are whole splits, and check how they are to be split.

    Raises `CorpusError` for a text that isn't there, and `ConfigError` for splits that contradict each other.
    """
    found = find_sources(text, progress=progress, encoding=options.get("encoding", "utf-8"))
    named = None if "splits" in options else found.named  # splits that are given replace the official ones
    held_out = _HeldOutTexts(valid, test).or_official(named)
    config = corpus_config(found, options, default_splits=held_out.default_splits)
    _check_splits(config.splits, held_out)
    return RunTexts(
        found=found,
        config=config,
        valid=_absolute(held_out.valid, option="--valid"),
        test=_absolute(held_out.test, option="--test"),
    )


def read_dataset(
    texts: RunTexts, tokenizer: Tokenizer | TokenizerConfig, processes: Processes, progress: Progress
) -> Dataset:
    """The text as token ids, with the validation text if it has one; the same in all processes."""
    with processes.one_per_machine_first():
        corpus = read_corpus(texts.found, texts.config, progress=progress)
        dataset = make_dataset(corpus, tokenizer, progress=progress)
        dataset = with_valid_text(dataset, texts.valid, progress=progress)
    require_same_texts(dataset, processes)
    return dataset


class _HeldOutTexts(NamedTuple):
    """The texts that are a whole validation and test split."""

    valid: TextLike | None = None
    test: TextLike | None = None

    def or_official(self, named: NamedCorpus | None) -> "_HeldOutTexts":
        """These texts, or if there are none, the official splits of a named corpus."""
        if any(self) or named is None:
            return self
        return _HeldOutTexts(*(part.name if (part := named.held_out.get(name)) else None for name in ("valid", "test")))

    @property
    def default_splits(self) -> Shares | None:
        """The default shares of the training text; None for those of a text without held-out texts."""
        if self.valid is not None:
            return (100.0, 0.0, 0.0)
        return None if self.test is None else (95.0, 5.0, 0.0)


def _absolute(text: TextLike | None, *, option: str) -> tuple[str, ...] | None:
    """The arguments with which a text is found from any folder: with absolute paths.

    Raises `CorpusError` for a text that isn't there, `ConfigError` for standard input.
    """
    if text is None:
        return None
    arguments = [str(text)] if isinstance(text, str | Path) else [str(part) for part in text]
    for argument in arguments:
        if is_stream(argument):
            raise ConfigError(f"{option} can't be standard input or a pipe, which are read once; name a file")
        if not names_text(argument):
            raise CorpusError(f"{option}: {not_found(argument)}")
    return tuple(str(Path(name).resolve()) if os.path.exists(name) else name for name in arguments)


def _check_splits(splits: Shares, held_out: _HeldOutTexts) -> None:
    """Raise `ConfigError` if the training text would give a share to a split that is a text of its own."""
    for option, own, share in (("--valid", held_out.valid, splits[1]), ("--test", held_out.test, splits[2])):
        if own is not None and share > 0:
            text = "/".join(f"{part:g}" for part in splits)
            raise ConfigError(
                f"{option} names the whole split, but --splits {text} also takes one from the training text; leave out "
                "--splits"
            )
