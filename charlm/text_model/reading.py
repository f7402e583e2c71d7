"""Read a text as the text of a loaded model was read: its own text, or another one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from charlm.config import CorpusConfig, CorpusOptions, SplitName, check_choice
from charlm.data.corpus import Corpus, open_corpus
from charlm.data.dataset import Dataset, make_dataset, unsplit
from charlm.data.documents import Part
from charlm.data.reader import stream_parts
from charlm.data.sources import TextLike, find_sources
from charlm.errors import ConfigError
from charlm.evaluation.copying import warn_about_overlap
from charlm.progress import Progress, silent
from charlm.sampling.pairs.source import require_pairs_alike
from charlm.storage.own_text import held_out_arguments, read_held_out, read_own_text
from charlm.text_model.loaded import LoadedModel


@dataclass(frozen=True, kw_only=True, repr=False)
class ReadingModel(LoadedModel):
    """A loaded model that reads texts with its own tokenizer and settings."""

    def read(
        self,
        text: TextLike | None = None,
        *,
        split: SplitName | None = None,
        corpus: CorpusOptions | None = None,
        progress: Progress = silent,
    ) -> Dataset:
        """Read a text and encode it with the model's tokenizer.

        The result has the splits of the corpus configuration if `split` names one, else the whole text is in the first
        split. Without `text` it is the model's own text with its splits; a test split that is a text of its own is read
        only if `split` is "test".

        Raises `CorpusError` if the model's own text is missing or has changed, and `RunError` if the model file is
        outside its run folder, so that the location of its text is unknown.
        """
        if split is not None:
            check_choice("--split", split, get_args(SplitName))
        if text is not None:
            other = self.open_text(text, split, corpus, progress=progress)
            return make_dataset(other, self.tokenizer, labels=self.model.config.labels, progress=progress)
        facts = self.checkpoint.corpus
        own_text = read_own_text(self.path, facts, progress=progress)
        own = make_dataset(own_text, self.tokenizer, labels=self.model.config.labels, progress=progress)
        texts = read_held_out(self.path, facts, split, progress=progress)
        if "test" in texts:
            warn_about_overlap(own.corpus, texts["test"], "test")
        return own.with_held_out(texts, progress=progress)

    def open_text(
        self,
        text: TextLike,
        split: SplitName | None = None,
        corpus: CorpusOptions | None = None,
        *,
        progress: Progress = silent,
    ) -> Corpus:
        """Read a text without encoding it; arguments as in `read`."""
        config = self._reading(corpus)
        return open_corpus(text, config if split else unsplit(config), progress=progress)

    def stream(
        self, text: TextLike, *, corpus: CorpusOptions | None = None, progress: Progress = silent
    ) -> Iterator[tuple[str, Part]]:
        """The documents of a text as they are read, with the names of their sources; arguments as in `score_spans`.

        Raises `CorpusError` if the text can't be read, or, at its end, if it is empty.
        """
        config = self._reading(corpus)
        found = find_sources(text, progress=progress, encoding=config.encoding, copies_stdin=False)
        return stream_parts(found.sources, config, progress)

    def _reading(self, corpus: CorpusOptions | None) -> CorpusConfig:
        """How to read another text; raises `ConfigError` if it would be pairs and the model's own is not, or vice
        versa."""
        config = self.corpus_config.changed(corpus or {})
        require_pairs_alike(self.corpus_config, config)
        return config

    def held_out_split(self) -> SplitName:
        """The test split of the model's own text, or the validation split; raises `ConfigError` if there is neither."""
        _, valid, test = self.corpus_config.splits
        own = held_out_arguments(self.path)
        if test > 0 or "test" in own:
            return "test"
        if valid > 0 or "valid" in own:
            return "valid"
        raise ConfigError("this model has no held-out split; name a TEXT, or pass --split train")
