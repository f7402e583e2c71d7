"""A model loaded from a file, with methods that do what the commands do: write, score, fill and adapt."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Unpack, get_args

import torch

from charlm.analysis.strings import score_text, surprisal
from charlm.config import CorpusConfig, CorpusOptions, SplitName, Unknown, check_choice
from charlm.data.corpus import Corpus, open_corpus
from charlm.data.dataset import Dataset, make_dataset, unsplit
from charlm.data.documents import Part
from charlm.data.reader import stream_parts
from charlm.data.sources import TextLike, find_sources
from charlm.errors import ConfigError, CorpusError
from charlm.evaluation.baselines import Baseline, measure_baselines
from charlm.evaluation.copying import MOST_CHARACTERS, Copied, CopyIndex, find_copies_in_texts, index_training_text
from charlm.evaluation.dynamic import DynamicConfig, adapt, dynamic_evaluate
from charlm.evaluation.neural_cache import NeuralCacheConfig
from charlm.evaluation.overlap import warn_about_overlap
from charlm.evaluation.score import Evaluation, evaluate
from charlm.evaluation.spans.choice import Calibration
from charlm.evaluation.spans.classification import Classification, calibrate_on, classify, held_out_parts
from charlm.evaluation.spans.reading import parts_of_strings
from charlm.evaluation.spans.scores import SpanKind, SpanScore, score_spans
from charlm.evaluation.words import count_words
from charlm.model.label_embedding import find_label, parse_labels
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.sampling import Chunk, GeneratedText, SampleConfig, beam_search, generate_chunks, generate_many
from charlm.sampling.config import SampleSettings, sample_config
from charlm.sampling.edges.opening import needs_opening
from charlm.sampling.freely import written_texts
from charlm.sampling.infill.fill import FillConfig, Filling, fill
from charlm.sampling.pairs.source import (
    after_source,
    model_for,
    require_no_pairs,
    require_pairs_alike,
    require_source,
)
from charlm.sampling.pairs.targets import ExactMatches, exact_matches, parts_of_pairs
from charlm.sampling.session import Session
from charlm.sampling.steering import Hold, holds_for
from charlm.storage.checkpoint import Checkpoint, weights_sha256
from charlm.storage.direction import Direction, find_direction
from charlm.storage.own_text import held_out_arguments, read_held_out, read_own_text
from charlm.storage.summary import summarise
from charlm.tokenizers import Tokenizer


@dataclass(frozen=True, kw_only=True, repr=False)
class TextModel:
    """A trained model with its tokenizer, in evaluation mode."""

    path: Path
    checkpoint: Checkpoint
    adapted_from: str | None = None
    """The SHA-256 of the weights before `adapt`, for which saved directions are valid; None if not adapted."""

    def __repr__(self) -> str:
        return "\n  ".join(summarise(self.path, self.checkpoint))

    def _repr_html_(self) -> str:
        first, *others = map(escape, summarise(self.path, self.checkpoint))
        return "<br>".join([f"<b>{first}</b>", *others])

    @property
    def model(self) -> LanguageModel:
        """The language model."""
        return self.checkpoint.model

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""
        return self.checkpoint.tokenizer

    @property
    def corpus_config(self) -> CorpusConfig:
        """How the model's own text was read and split."""
        return CorpusConfig() if self.checkpoint.corpus is None else self.checkpoint.corpus.config

    def sample(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        seed: int | None = None,
        **settings: Unpack[SampleSettings],
    ) -> str:
        """Write a text and return it; arguments as in `generate`."""
        return "".join(self.generate(prefix, config, seed=seed, **settings))

    def generate(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        seed: int | None = None,
        **settings: Unpack[SampleSettings],
    ) -> Iterator[str]:
        """Write a text and yield it in parts as it is written, the prefix first.

        Args:
            prefix: what the text begins with.
            config: temperature, length and all other controls.
            seed: the random seed; None chooses a new one each time.
            settings: settings by name, such as temperature=0.7; they replace those of `config`.

        Raises `UnknownCharacterError` if the prefix has a character outside the vocabulary and `config.unknown` is
        "error", and `ConfigError` for a model that reads from right to left.
        """
        for chunk in self.generate_chunks(prefix, config, seed=seed, score=False, **settings):
            yield chunk.text

    def generate_chunks(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        seed: int | None = None,
        score: bool = True,
        progress: Progress = silent,
        **settings: Unpack[SampleSettings],
    ) -> Generator[Chunk, None, GeneratedText]:
        """Like `generate`, with log-probabilities if `score`; the generator's return value is the whole text.

        `progress` is called with how much of the prefix is read.
        """
        require_forward(self)
        config, generator = sample_config(config, settings), torch.Generator()
        if seed is None:
            generator.seed()
        else:
            generator.manual_seed(seed)
        return generate_chunks(
            self._labelled(config),
            self.tokenizer,
            generator,
            prefix=prefix,
            config=config,
            copies=self._copies(config),
            steering=self.steering(config),
            opening=needs_opening(self.checkpoint.corpus),
            progress=progress,
            score=score,
        )

    def generate_many(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        seed: int,
        num: int,
        batch: int = 1,
        progress: Progress = silent,
        **settings: Unpack[SampleSettings],
    ) -> Iterator[GeneratedText]:
        """Write `num` texts, `batch` at a time; text k uses seed + k, as `generate` does.

        `progress` is called with how much of the prefix is read.
        """
        require_forward(self)
        config = sample_config(config, settings)
        return generate_many(
            self._labelled(config),
            self.tokenizer,
            seed=seed,
            num=num,
            batch=batch,
            prefix=prefix,
            config=config,
            copies=self._copies(config),
            steering=self.steering(config),
            opening=needs_opening(self.checkpoint.corpus),
            progress=progress,
        )

    def beam(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        width: int,
        num: int = 1,
        progress: Progress = silent,
        **settings: Unpack[SampleSettings],
    ) -> list[GeneratedText]:
        """The most probable texts that a beam search finds, best first; see `charlm.sampling.beam_search`."""
        require_forward(self)
        config = sample_config(config, settings)
        steering = self.steering(config)
        return beam_search(
            self._labelled(config),
            self.tokenizer,
            width=width,
            num=num,
            prefix=prefix,
            config=config,
            steering=steering,
            opening=needs_opening(self.checkpoint.corpus),
            progress=progress,
        )

    def session(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        seed: int,
        progress: Progress = silent,
        **settings: Unpack[SampleSettings],
    ) -> Session:
        """A text that a person and the model write together; see `charlm.sampling.session`."""
        require_forward(self)
        config, generator = sample_config(config, settings), torch.Generator().manual_seed(seed)
        steering = self.steering(config)
        return Session(
            self._labelled(config),
            self.tokenizer,
            generator,
            prefix=prefix,
            config=config,
            steering=steering,
            opening=needs_opening(self.checkpoint.corpus),
            progress=progress,
        )

    def with_labels(self, *labels: str) -> "TextModel":
        """The same model for texts with these labels, such as "stars=5" or "author=Austen:0.5,Melville:0.5", whatever
        labels a text has; without arguments, for texts without labels.

        Raises `ConfigError` for a label that the model doesn't have.
        """
        if not self.model.config.labels and not labels:
            return self
        factors = parse_labels(labels, self.model.config.labels)
        return replace(self, checkpoint=replace(self.checkpoint, model=self.model.with_labels(factors)))

    def with_source(self, source: str, *, unknown: Unknown = "error") -> "TextModel":
        """The same model to write, or read, the target of a source.

        `unknown` says how to treat characters outside the vocabulary. Raises `ConfigError` for a model that was not
        trained on pairs, and for an empty source.
        """
        model = after_source(self.model, self.tokenizer, self.corpus_config, source, unknown)
        return replace(self, checkpoint=replace(self.checkpoint, model=model))

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
        """The likeliest texts between `left` and `right`, best first, with the help of a backward model."""
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
    ) -> Evaluation:
        """Score a text: every token once, given everything before it in its document.

        Args:
            text: files, folders or named corpora; None is the model's own text.
            split: the split to score; None is the whole of `text`, or the held-out split of the model's own text.
            dynamic: dynamic evaluation: the model learns from what it has scored.
            neural_cache: mix the model's predictions with those of a neural cache.
            corpus: how to read the text; settings that are missing are those of training.
            progress: called with the progress of reading, encoding and scoring.

        Raises: as `read`, and `ConfigError` if there is no held-out split.
        """
        if text is None and corpus:
            raise ConfigError("corpus says how to read a text; give a text, or leave out corpus")
        if text is None and split is None:
            split = self.held_out_split()
        dataset = self.read(text, split=split, corpus=corpus, progress=progress)
        return self.score(dataset, split or "train", dynamic=dynamic, neural_cache=neural_cache, progress=progress)

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

        Raises `ConfigError` for a model that reads from right to left, and for `alone` with a model of pairs,
        `CorpusError` if the text can't be read.
        """
        require_forward(self)
        if alone:
            require_no_pairs(self.corpus_config, "--alone", "leave it out")
        check_choice("by", by, get_args(SpanKind))
        parts = self.stream(text, corpus=corpus, progress=progress)
        return score_spans(self.model, self.tokenizer, parts, by, alone=alone)

    def score_pairs(self, pairs: Iterable[tuple[str, str]], *, by: SpanKind = "document") -> Iterator[SpanScore]:
        """Score the targets of pairs of source and target, each given its source; `by` is as in `score_spans`.

        Raises `ConfigError` for a model that was not trained on pairs, and for an empty source.
        """
        check_choice("by", by, get_args(SpanKind))
        return score_spans(self.model, self.tokenizer, parts_of_pairs(pairs, self.corpus_config), by)

    def exact_matches(self, dataset: Dataset, split: SplitName, *, most: int = 500) -> ExactMatches:
        """How many of the targets of a split, at most `most` from everywhere in it, greedy decoding writes exactly.

        `dataset` is from `read`. Raises `ConfigError` for a model that was not trained on pairs.
        """
        return exact_matches(self.model, self.tokenizer, dataset.split(split), most=most)

    def score_texts(
        self, texts: Iterable[str], *, by: SpanKind = "document", alone: bool = False
    ) -> Iterator[SpanScore]:
        """Score strings, each of which is a document, in batches; other arguments as in `score_spans`.

        Raises `ConfigError` for a model that reads from right to left, and for one of pairs; see `score_pairs`.
        """
        require_forward(self)
        require_no_pairs(self.corpus_config, "score_texts", "use score_pairs")
        check_choice("by", by, get_args(SpanKind))
        return score_spans(self.model, self.tokenizer, parts_of_strings(texts), by, alone=alone)

    def stream(
        self, text: TextLike, *, corpus: CorpusOptions | None = None, progress: Progress = silent
    ) -> Iterator[tuple[str, Part]]:
        """The documents of a text as they are read, with the names of their sources; arguments as in `score_spans`.

        Raises `CorpusError` if the text can't be read, or, at its end, if it is empty.
        """
        config = self._reading(corpus)
        found = find_sources(text, progress=progress, encoding=config.encoding, copies_stdin=False)
        return stream_parts(found.sources, config, progress)

    def held_out_split(self) -> SplitName:
        """The test split of the model's own text, or the validation split; raises `ConfigError` if there is neither."""
        _, valid, test = self.corpus_config.splits
        own = held_out_arguments(self.path)
        if test > 0 or "test" in own:
            return "test"
        if valid > 0 or "valid" in own:
            return "valid"
        raise ConfigError("this model has no held-out split; name a TEXT, or pass --split train")

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

    def score(
        self,
        dataset: Dataset,
        split: SplitName,
        *,
        dynamic: DynamicConfig | None = None,
        neural_cache: NeuralCacheConfig | None = None,
        progress: Progress = silent,
    ) -> Evaluation:
        """Score one split of a dataset from `read`; other arguments as in `evaluate`."""
        part = dataset.split(split)
        if dynamic is not None:
            scored = dynamic_evaluate(
                self.model, self.tokenizer, part, config=dynamic, cache=neural_cache, progress=progress
            )
        else:
            scored = evaluate(self.model, self.tokenizer, part, cache=neural_cache, progress=progress)
        corpus, name = dataset.text_of(split)
        return replace(scored, words=count_words(corpus.split_parts(name)))

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

    def copy_index(self, least: int, *, progress: Progress = silent) -> CopyIndex:
        """An index that finds passages of at least `least` characters copied from the model's training text.

        Raises: as `read` without a text.
        """
        text = read_own_text(self.path, self.checkpoint.corpus, purpose="copies", progress=progress)
        return index_training_text(text.split_documents("train", longest=MOST_CHARACTERS + 1), least=least)

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
        generated = written_texts(self.model, self.tokenizer, characters, progress=progress)
        corpus, part = dataset.text_of(split)
        return (
            find_copies_in_texts(generated, index, characters=characters),
            find_copies_in_texts(corpus.split_documents(part, longest=characters), index, characters=characters),
        )

    def direction(self, name: str) -> Direction:
        """Load a direction: a file, or the name of one that `charlm probe` saved next to the model.

        Raises `ConfigError` if there is none, or if it was made for another model.
        """
        path = find_direction(name, self.path)
        direction = Direction.load(path)
        direction.require_in(self.model, self.adapted_from or weights_sha256(self.model), path)
        return direction

    def steering(self, config: SampleConfig) -> list[Hold]:
        """The holds for `config.steer`; raises `ConfigError` for a unit or direction that the model doesn't have."""
        return holds_for(self.model, config.steer, self.direction)

    def _labelled(self, config: SampleConfig) -> LanguageModel:
        """The language model for texts with the labels and the source of a configuration."""
        labels = (config.label,) if isinstance(config.label, str) else config.label
        model = self.with_labels(*labels).model if labels else self.model
        return model_for(model, self.tokenizer, self.corpus_config, config)

    def _reading(self, corpus: CorpusOptions | None) -> CorpusConfig:
        """How to read another text; raises `ConfigError` if it would be pairs and the model's own is not, or vice
        versa."""
        config = self.corpus_config.changed(corpus or {})
        require_pairs_alike(self.corpus_config, config)
        return config

    def _copies(self, config: SampleConfig) -> CopyIndex | None:
        return self.copy_index(config.no_copy + 1) if config.no_copy else None


def require_forward(model: TextModel, what: str | None = None, *, pairs: bool = False) -> None:
    """Raise `ConfigError` for a model that reads from right to left, since it would write or read a text backwards.

    `what` is what needs the model, for the message. Unless it can use `pairs`, a model of pairs that has no source is
    refused too.
    """
    if what is not None and not pairs and not model.model.source:
        require_no_pairs(model.corpus_config, what, "name another model")
    if model.corpus_config.direction == "backward":
        remedy = "use it with `charlm fill`" if what is None else f"{what} needs a model that reads from left to right"
        raise ConfigError(f"{model.path} reads from right to left; {remedy}")
