"""Score texts with a loaded model: as a whole, by their documents, lines, sentences or words, or by characters."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import get_args

from charlm.config import CorpusOptions, SplitName, check_choice
from charlm.data.dataset import Dataset
from charlm.data.sources import TextLike
from charlm.errors import ConfigError
from charlm.evaluation.dynamic import DynamicConfig, dynamic_evaluate
from charlm.evaluation.neural_cache import NeuralCacheConfig
from charlm.evaluation.score import Evaluation, evaluate
from charlm.evaluation.spans.reading import parts_of_strings
from charlm.evaluation.spans.scores import SpanKind, SpanScore, score_spans
from charlm.evaluation.words import count_words
from charlm.processes.processes import Processes
from charlm.progress import Progress, silent
from charlm.sampling.pairs.source import require_no_pairs, require_source
from charlm.sampling.pairs.targets import ExactMatches, exact_matches, parts_of_pairs
from charlm.storage.checkpoint import weights_sha256
from charlm.text_model.loaded import require_forward
from charlm.text_model.reading import ReadingModel
from charlm.text_model.strings import score_text, surprisal


@dataclass(frozen=True, kw_only=True, repr=False)
class ScoringModel(ReadingModel):
    """A loaded model that scores texts."""

    def evaluate(
        self,
        text: TextLike | None = None,
        *,
        split: SplitName | None = None,
        dynamic: DynamicConfig | None = None,
        neural_cache: NeuralCacheConfig | None = None,
        corpus: CorpusOptions | None = None,
        progress: Progress = silent,
        processes: Processes | None = None,
    ) -> Evaluation:
        """Score a text: every token once, given everything before it in its document.

        Args:
            text: files, folders or named corpora; None is the model's own text.
            split: the split to score; None is the whole of `text`, or the held-out split of the model's own text.
            dynamic: dynamic evaluation: the model learns from what it has scored.
            neural_cache: mix the model's predictions with those of a neural cache.
            corpus: how to read the text; settings that are missing are those of training.
            progress: called with the progress of reading, encoding and scoring.
            processes: those that score the text together, from `charlm.processes.distributed.joined`; None scores it in
                this one.

        Raises: as `read`; `ConfigError` if there is no held-out split, or too few documents for the processes to share.
        """
        if text is None and corpus:
            raise ConfigError("corpus says how to read a text; give a text, or leave out corpus")
        if text is None and split is None:
            split = self.held_out_split()
        processes = processes or Processes()
        with processes.one_per_machine_first():
            dataset = self.read(text, split=split, corpus=corpus, progress=progress)
        return self.score(
            dataset,
            split or "train",
            dynamic=dynamic,
            neural_cache=neural_cache,
            progress=progress,
            processes=processes,
        )

    def score(
        self,
        dataset: Dataset,
        split: SplitName,
        *,
        dynamic: DynamicConfig | None = None,
        neural_cache: NeuralCacheConfig | None = None,
        progress: Progress = silent,
        processes: Processes | None = None,
    ) -> Evaluation:
        """Score one split of a dataset from `read`; other arguments as in `evaluate`."""
        part, processes = dataset.split(split), processes or Processes()
        if processes.size > 1:
            if dynamic is not None:
                raise ConfigError("--dynamic learns from each part of a text before it reads the next; use one process")
            processes.require_same(
                {"model": weights_sha256(self.model), "text": dataset.text_of(split)[0].sha256, "split": split}
            )
        if dynamic is not None:
            scored = dynamic_evaluate(
                self.model, self.tokenizer, part, config=dynamic, cache=neural_cache, progress=progress
            )
        else:
            scored = evaluate(
                self.model, self.tokenizer, part, cache=neural_cache, progress=progress, processes=processes
            )
        corpus, name = dataset.text_of(split)
        return replace(scored, words=processes.from_first(lambda: count_words(corpus.split_parts(name))))

    def score_text(self, text: str) -> Evaluation:
        """Score a string as `evaluate` scores a file with that content.

        Raises `ConfigError` if it is empty, or the model reads from right to left.
        """
        require_forward(self)
        require_source(self.model, self.corpus_config)
        return score_text(self.model, self.tokenizer, text, self.corpus_config)

    def surprisal(self, text: str) -> list[float]:
        """-ln p of each character of a string given those before it, nats; divided by ln 2 they are bits.

        The string is one document. The nats of a token of several characters are divided evenly among them.

        Raises `ConfigError` for a model that reads from right to left.
        """
        require_forward(self)
        require_source(self.model, self.corpus_config)
        return surprisal(self.model, self.tokenizer, text)

    def score_spans(
        self,
        text: TextLike,
        *,
        by: SpanKind = "line",
        alone: bool = False,
        corpus: CorpusOptions | None = None,
        progress: Progress = silent,
        processes: Processes | None = None,
    ) -> Iterator[SpanScore]:
        """Score each document, line, sentence or word of a text as it is read, in bounded memory.

        Their nats and end_nats add up exactly to those of `evaluate`.

        Args:
            text: files, folders or named corpora, or - for standard input.
            by: "document", "line", "sentence" or "word".
            alone: read each from the initial state, without what precedes it in its document, and at most its first
                million characters.
            corpus: how to read the text; settings that are missing are those of training.
            progress: called with the bytes read.
            processes: as in `evaluate`; each gets all scores.

        Raises `ConfigError` for a model that reads from right to left, and for `alone` with a model of pairs,
        `CorpusError` if the text can't be read.
        """
        require_forward(self)
        if alone:
            require_no_pairs(self.corpus_config, "--alone", "leave it out")
        check_choice("by", by, get_args(SpanKind))
        if processes is not None and processes.size > 1:
            processes.require_same({"model": weights_sha256(self.model)})
        parts = self.stream(text, corpus=corpus, progress=progress)
        return score_spans(self.model, self.tokenizer, parts, by, alone=alone, processes=processes)

    def score_texts(
        self, texts: Iterable[str], *, by: SpanKind = "document", alone: bool = False
    ) -> Iterator[SpanScore]:
        """Score strings, each of which is a document, in batches; other arguments as in `score_spans`.

        Raises `ConfigError` for a single string, whose characters would each be a document, for a model that reads from
        right to left, and for one of pairs; see `score_pairs`.
        """
        if isinstance(texts, str):
            raise ConfigError("score_texts is given a single string; give a list of strings, or use score_text")
        require_forward(self)
        require_no_pairs(self.corpus_config, "score_texts", "use score_pairs")
        check_choice("by", by, get_args(SpanKind))
        parts = parts_of_strings(texts)
        return score_spans(self.model, self.tokenizer, parts, by, alone=alone, reads_empty=True)

    def score_pairs(self, pairs: Iterable[tuple[str, str]], *, by: SpanKind = "document") -> Iterator[SpanScore]:
        """Score the targets of pairs of source and target, each given its source; `by` is as in `score_spans`.

        Raises `ConfigError` for a model that was not trained on pairs, and for an empty source.
        """
        check_choice("by", by, get_args(SpanKind))
        parts = parts_of_pairs(pairs, self.corpus_config)
        return score_spans(self.model, self.tokenizer, parts, by, reads_empty=True)

    def exact_matches(self, dataset: Dataset, split: SplitName, *, most: int = 500) -> ExactMatches:
        """How many of the targets of a split, at most `most` from everywhere in it, greedy decoding writes exactly.

        `dataset` is from `read`. Raises `ConfigError` for a model that was not trained on pairs.
        """
        return exact_matches(self.model, self.tokenizer, dataset.split(split), most=most)
