"""A model loaded from a file, with methods that do what the commands do: write, score, fill and adapt."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from charlm.analysis.strings import score_text, surprisal
from charlm.config import CorpusOptions, SplitName, check_choice
from charlm.data.dataset import Dataset
from charlm.data.sources import TextLike
from charlm.errors import ConfigError, CorpusError
from charlm.evaluation.baselines import Baseline, measure_baselines
from charlm.evaluation.copying import Copied, find_copies_in_texts
from charlm.evaluation.dynamic import DynamicConfig, adapt, dynamic_evaluate
from charlm.evaluation.neural_cache import NeuralCacheConfig
from charlm.evaluation.score import Evaluation, evaluate
from charlm.evaluation.spans.choice import Calibration
from charlm.evaluation.spans.classification import Classification, calibrate_on, classify, held_out_parts
from charlm.evaluation.spans.reading import parts_of_strings
from charlm.evaluation.spans.scores import SpanKind, SpanScore, score_spans
from charlm.evaluation.words import count_words
from charlm.model.additions.label_embedding import find_label
from charlm.processes.processes import Processes
from charlm.progress import Progress, silent
from charlm.sampling.free_texts import free_texts
from charlm.sampling.infill.fill import FillConfig, Filling, fill
from charlm.sampling.pairs.source import require_no_pairs, require_source
from charlm.sampling.pairs.targets import ExactMatches, exact_matches, parts_of_pairs
from charlm.storage.checkpoint import weights_sha256
from charlm.storage.own_text import read_held_out, read_own_text
from charlm.text_model.loaded import require_forward, require_infill_models
from charlm.text_model.reading import ReadingModel
from charlm.text_model.writing import WritingModel


@dataclass(frozen=True, kw_only=True, repr=False)
class TextModel(WritingModel, ReadingModel):
    """A trained model with its tokenizer, in evaluation mode."""

    def classify(
        self,
        text: TextLike,
        *,
        label: str | None = None,
        prior: Sequence[float] | None = None,
        temperature: float | None = None,
        corpus: CorpusOptions | None = None,
        progress: Progress = silent,
    ) -> Iterator[Classification]:
        """Say for each document of a text how probable each value of a label is, as the text is read.

        Args:
            text: files, folders or named corpora, or - for standard input.
            label: the name of the label; None is the only one of the model.
            prior: p(value) before reading, in the order of the values; None is the share of each value in the model's
                own text.
            temperature: what nats are divided by; None fits it to the validation split, see `calibrate_labels`.
            corpus: how to read the text; settings that are missing are those of training.
            progress: called with the bytes read.

        Raises `ConfigError` for an unknown label, `CorpusError` if a text can't be read.
        """
        column = find_label(label, self.model.config.labels)
        if temperature is None:
            temperature = self.calibrate_labels(label, prior=prior, corpus=corpus, progress=progress).temperature
        parts = self.stream(text, corpus=corpus, progress=progress)
        return classify(self.model, self.tokenizer, parts, column, prior=prior, temperature=temperature)

    def calibrate_labels(
        self,
        label: str | None = None,
        *,
        prior: Sequence[float] | None = None,
        corpus: CorpusOptions | None = None,
        progress: Progress = silent,
    ) -> Calibration:
        """How well the model tells the values of a label apart on its validation split; arguments as in `classify`.

        Raises: as `read` without a text, and `CorpusError` if there is no validation split.
        """
        column = find_label(label, self.model.config.labels)
        facts = self.checkpoint.corpus
        held_out = read_held_out(self.path, facts, "valid", progress=progress)
        own = held_out.get("valid") or read_own_text(self.path, facts, progress=progress)
        split = "train" if "valid" in held_out else "valid"
        parts = held_out_parts(own, split, self.corpus_config.changed(corpus or {}))
        return calibrate_on(self.model, self.tokenizer, parts, column, prior=prior)

    def fill(
        self, backward: "TextModel", left: str, right: str, *, num: int = 5, config: FillConfig | None = None
    ) -> list[Filling]:
        """The likeliest texts between `left` and `right`, best first, with the help of a backward model.

        Raises `ConfigError` unless this model reads forward, and `backward` reads backward and has the same tokens.
        """
        require_infill_models(self, backward)
        return fill(self.model, backward.model, self.tokenizer, left=left, right=right, num=num, config=config)

    def adapt(self, text: TextLike, *, corpus: CorpusOptions | None = None, progress: Progress = silent) -> "TextModel":
        """A copy of the model, trained on a text as in dynamic evaluation; arguments as in `read`."""
        split = self.read(text, corpus=corpus, progress=progress).split("train")
        model = adapt(self.model, split, progress=progress)
        return replace(
            self,
            checkpoint=replace(self.checkpoint, model=model),
            adapted_from=self.adapted_from or weights_sha256(self.model),
        )

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

    def baselines(
        self, dataset: Dataset, split: SplitName, *, own: Dataset, progress: Progress = silent
    ) -> dict[str, Baseline]:
        """How simple predictors trained on the model's training split score a text; see `charlm.evaluation.baselines`.

        Args:
            dataset: the dataset from `read`.
            split: the split to score.
            own: the dataset from `read` without a text.
            progress: called with the progress of the predictors.

        Raises `CorpusError` for the training split itself, which the predictors have memorised.
        """
        if split == "train" and dataset.corpus.sha256 == own.corpus.sha256:
            raise CorpusError("the predictors have memorised the training split; score a text that they have not seen")
        part = dataset.split(split)
        return measure_baselines(self.tokenizer, train=own.train, valid=own.valid, text=part, progress=progress)

    def copying(
        self,
        dataset: Dataset,
        split: SplitName,
        *,
        least: int = 40,
        characters: int = 10_000,
        progress: Progress = silent,
    ) -> tuple[Copied, Copied]:
        """How much of a generated text is copied from the training text, and how much of a scored text for comparison.

        Args:
            dataset: the dataset from `read`.
            split: the split to compare with; only its first characters are used.
            least: length of the shortest passage that counts as copied, characters.
            characters: length of each text. The model writes at temperature 1.
            progress: called with the progress of reading and writing.

        Raises: as `read` without a text, and `ConfigError` for a model that reads from right to left.
        """
        require_forward(self, "writing freely")
        index = self.copy_index(least, progress=progress)
        generated = free_texts(self.model, self.tokenizer, characters, progress=progress)
        corpus, part = dataset.text_of(split)
        return (
            find_copies_in_texts(generated, index, characters=characters),
            find_copies_in_texts(corpus.split_documents(part, longest=characters), index, characters=characters),
        )
