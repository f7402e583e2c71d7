"""The additions of a language model, read together, and their states, which follow those of the layers."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from charlm.cells import LayerStates, State
from charlm.data.encoded.label_codes import Codes
from charlm.model.additions.label_embedding import LabelEmbedding
from charlm.model.additions.label_ngrams import LabelNgrams
from charlm.model.additions.lookups import Lookups
from charlm.model.additions.match import Match
from charlm.model.additions.ngram_embedding import NgramEmbedding
from charlm.model.additions.ngram_prior import NgramPrior
from charlm.ngram.match import Predictions
from charlm.ngram.trie import Nodes


class AdditionStates(NamedTuple):
    """The states of the additions; None for those that a model doesn't have."""

    prior: State | None = None
    labels: State | None = None
    match: State | None = None

    def joined(self) -> LayerStates:
        """The states that there are, in this order: the end of a model's state, after those of the layers."""
        return tuple(state for state in self if state is not None)


class Added(NamedTuple):
    """What the additions make of the tokens of a text, before the network has read them."""

    nodes: Nodes | None
    """The states of the n-gram model after each token, (T, B, n - 1)."""
    extra: Tensor | None
    """The vectors of contexts and labels to add to the embeddings, (T, B, E)."""
    by_labels: Tensor | None
    """What the n-grams of the labels add to the logits, (T, B, V)."""
    predictions: Predictions | None
    """The predictions of the match after each token, (T, B, 1 + K, 2)."""
    states: LayerStates
    """The states of the additions after the last token."""


@dataclass(frozen=True, slots=True)
class Additions:
    """The additions of a language model; None for those that it doesn't have."""

    prior: NgramPrior | None
    contexts: NgramEmbedding | None
    labels: LabelEmbedding | None
    label_ngrams: LabelNgrams | None
    """Those that add to the logits; none while a model is trained."""
    match: Match | None
    fixed_labels: State | None
    """The labels of every text, (1, N), whatever labels the documents have; see `LanguageModel.with_labels`."""

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights."""
        if self.prior is not None:
            self.prior.initialise()
        if self.contexts is not None:
            self.contexts.initialise(generator)
        if self.match is not None:
            self.match.initialise()
        if self.labels is not None:
            self.labels.initialise()

    def initial_state(self, batch: int, labels: Codes | None, generator: torch.Generator | None) -> LayerStates:
        """The state before the first token of a document, for B = `batch` rows.

        `labels` are those of each row, (B, C); with `generator` some are left out at random.
        """
        return AdditionStates(
            prior=None if self.prior is None else self.prior.initial_state(batch),
            labels=None if self.labels is None else self._state_of_labels(self.labels, batch, labels, generator),
            match=None if self.match is None else self.match.initial_state(batch),
        ).joined()

    def _state_of_labels(
        self, embedding: LabelEmbedding, batch: int, labels: Codes | None, generator: torch.Generator | None
    ) -> State:
        if self.fixed_labels is not None:
            state: State = (self.fixed_labels[0].repeat(batch, 1),)
        else:
            state = embedding.initial_state(batch) if labels is None else embedding.state_of(labels, generator)
        return state if self.label_ngrams is None else (*state, self.label_ngrams.initial_state(batch))

    def split(self, states: LayerStates) -> AdditionStates:
        """The inverse of `AdditionStates.joined`."""
        following = iter(states)
        parts = (self.prior, self.labels, self.match)
        return AdditionStates(*(None if part is None else next(following) for part in parts))

    def read(
        self,
        ids: Tensor,
        states: AdditionStates,
        generator: torch.Generator | None = None,
        lookups: Lookups | None = None,
    ) -> Added:
        """What the additions make of the tokens (T, B), given the states before the first.

        `generator` is that of dropout in training mode; `lookups` are those of the window, if they have been made
        already.
        """
        lookups = lookups or Lookups()
        nodes = extra = by_labels = predictions = counted = matched = None
        labels = states.labels
        if self.prior is not None and states.prior is not None:
            nodes = self.prior.advance(ids, states.prior) if lookups.nodes is None else lookups.nodes
            counted = (torch.from_numpy(nodes[-1]),)
            if self.contexts is not None:
                extra = self.contexts(nodes, generator, rows=lookups.rows)
        if self.labels is not None and labels is not None:
            with torch.autocast(self.labels.vectors.device.type, enabled=False):
                added = self.labels(labels).expand(len(ids), -1, -1)  # (T, B, E)
            extra = added if extra is None else extra + added
            if self.label_ngrams is not None and self.prior is not None and self.prior.ngram is not None:
                factors, before = labels
                by_labels, before = self.label_ngrams.read(ids, before, factors, self.prior.ngram)
                labels = (factors, before)
        if self.match is not None and states.match is not None:
            if lookups.predictions is None or lookups.match is None:
                predictions, matched = self.match.advance(ids, states.match)
            else:
                predictions, matched = lookups.predictions, lookups.match
        after = AdditionStates(prior=counted, labels=labels, match=matched)
        return Added(nodes, extra, by_labels, predictions, after.joined())
