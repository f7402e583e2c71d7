"""Which value of a label a text has: p(value | text) by Bayes' theorem, from one model of labelled texts.

The model scores the text once for each value, as if the text had it. A model with an n-gram prior also has an n-gram
model of the documents of each value, and the value is chosen by the mean of both scores.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.config import CorpusConfig, LabelColumn, Labels, check_range
from charlm.data.corpus import Corpus
from charlm.data.documents import Part, cut_documents
from charlm.errors import CorpusError
from charlm.evaluation.spans.choice import Calibration, Choice, calibrate, choose
from charlm.evaluation.spans.label_ngrams import ngram_nats
from charlm.evaluation.spans.scores import SpanScore, score_with_all
from charlm.model.additions.label_embedding import parse_labels
from charlm.model.language_model import LanguageModel
from charlm.tokenizers import Tokenizer

_CHARACTERS = 200_000  # most that a calibration reads


@dataclass(frozen=True, kw_only=True, slots=True)
class Classification:
    """A document and the probabilities of the values of a label."""

    choice: Choice
    """The scores for each value, and the probabilities."""
    values: tuple[str, ...]
    truth: str | None
    """The document's own label; None if it has none, or one that the model doesn't know."""

    @property
    def value(self) -> str:
        """The likeliest value."""
        return self.values[self.choice.likeliest]

    @property
    def text(self) -> str:
        """The document, or its first million characters."""
        return self.choice.span.text

    @property
    def probabilities(self) -> dict[str, float]:
        """p(value | document) of each value; they sum to 1."""
        return dict(zip(self.values, self.choice.posterior, strict=True))

    def to_json(self) -> dict[str, Any]:
        """All of it by name, with the bits of the document for each value."""
        span = self.choice.span
        names = ("source", "document", "text", "characters", "unknown_characters")
        place = {name: getattr(span, name) for name in names}
        bits = dict(zip(self.values, (score.bits for score in self.choice.scores), strict=True))
        known = {"value": self.value, "truth": self.truth}
        return place | known | {"probabilities": self.probabilities, "bits": bits}


def classify(
    model: LanguageModel,
    tokenizer: Tokenizer,
    parts: Iterable[tuple[str, Part]],
    label: LabelColumn,
    *,
    prior: Sequence[float] | None = None,
    temperature: float = 1.0,
) -> Iterator[Classification]:
    """Classify each document of a text, in order and in bounded memory.

    The probabilities of an empty document are the prior.

    Args:
        model: a model that has the label.
        tokenizer: the tokenizer of the model.
        parts: the text, with the names of its sources; see `charlm.data.reader.stream_parts`.
        label: the label whose values are told apart. Others are left out.
        prior: p(value) before reading; None is the share of each value in the model's own text.
        temperature: what nats are divided by, from `calibrate_on`.

    Raises `ConfigError` for an invalid prior or temperature.
    """
    check_range("temperature", temperature, 0, math.inf, exclusive_low=True)
    scores, second = _scores(model, tokenizer, parts, label), None
    if model.label_ngrams is not None:
        first = next(code for code, (name, _) in enumerate(model.config.label_values) if name == label.name)
        second = partial(ngram_nats, model, tokenizer, values=slice(first, first + len(label.values)))
    for choice in choose(scores, prior=prior or label.shares, temperature=temperature, second=second):
        truth = dict(choice.span.labels).get(label.name)
        known = truth if truth in label.values else None
        yield Classification(choice=choice, values=label.values, truth=known)


def calibrate_on(
    model: LanguageModel,
    tokenizer: Tokenizer,
    parts: Iterable[tuple[str, Part]],
    label: LabelColumn,
    *,
    prior: Sequence[float] | None = None,
) -> Calibration:
    """Fit the temperature to labelled text that the model was not trained on; arguments as in `classify`.

    Raises `ConfigError` for an invalid prior, or if no document has a label that the model knows.
    """
    found = [one for one in classify(model, tokenizer, parts, label, prior=prior) if one.truth is not None and one.text]
    truth = (label.values.index(one.truth) for one in found if one.truth is not None)
    return calibrate((one.choice for one in found), truth, prior=prior or label.shares)


def held_out_parts(
    corpus: Corpus, split: str, config: CorpusConfig, *, most_documents: int = 1000
) -> list[tuple[str, Part]]:
    """Documents of a split with their labels, at most as many as a calibration needs, from everywhere in it.

    `config` says what a document is, if that is not what it is in the corpus: a file may be cut into its lines.

    Raises `CorpusError` if the text has changed since it was first read.
    """
    documents = list[tuple[str, Labels, tuple[str, ...]]]()
    begun = list[str]()
    for texts, ends, labels, sources in corpus.split_parts(split):
        whole = ["".join((*begun, texts[0])), *texts[1:]]
        begun = [] if ends else [whole.pop()]
        own_sources = ((source,) for source in sources) if sources else repeat(())
        documents += zip(whole, repeat(labels), own_sources, strict=False)
    if config.documents not in (corpus.config.documents, "record"):
        documents = [
            (text, labels, ())
            for whole_text, labels, _ in documents
            for part in cut_documents([whole_text], config)
            for text in part.texts
        ]
    length = sum(len(text) for text, *_ in documents) / max(1, len(documents))
    most = max(1, min(len(documents), most_documents, int(_CHARACTERS / max(1, length))))
    if not documents:
        raise CorpusError(f"{corpus.name} has no {split} split to calibrate on; give the run one with --splits")
    chosen = np.linspace(0, len(documents) - 1, most).round().astype(int).tolist()
    return [("", Part([text], True, *more)) for text, *more in (documents[index] for index in chosen)]


class Confusion:
    """How often documents with one value are taken for another."""

    def __init__(self, values: Sequence[str]) -> None:
        self._values = [*values]
        self.counts: NDArray[np.int64] = np.zeros((len(values), len(values)), np.int64)
        """How many documents with value i (row) have value j as the likeliest (column)."""

    def add(self, classification: Classification) -> None:
        """Count a document, if its own value is known and it isn't empty."""
        if classification.truth is not None and classification.text:
            self.counts[self._values.index(classification.truth), classification.choice.likeliest] += 1

    @property
    def documents(self) -> int:
        """How many were counted."""
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        """The share of documents whose likeliest value is their own."""
        return float(np.trace(self.counts) / self.documents)


def _scores(
    model: LanguageModel, tokenizer: Tokenizer, parts: Iterable[tuple[str, Part]], label: LabelColumn
) -> list[Iterator[SpanScore]]:
    """The scores of the documents for each value of a label."""
    columns = model.config.labels
    alone = model.with_label_ngrams(0)
    labelled = [alone.with_labels(parse_labels([f"{label.name}={value}"], columns)) for value in label.values]
    return score_with_all([(one, tokenizer) for one in labelled], parts, "document")
