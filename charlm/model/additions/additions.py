"""The additions of a language model, read together: their states follow those of the layers in the model's state."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from charlm.cells import LayerStates, State
from charlm.data.labels.codes import Codes
from charlm.model.additions.label_embedding import LabelEmbedding
from charlm.model.additions.lookups import Lookups
from charlm.model.additions.match import Match
from charlm.model.additions.ngram_embedding import NgramEmbedding
from charlm.model.additions.ngram_prior import NgramPrior
from charlm.ngram.match import States as Voices
from charlm.ngram.trie import Nodes


class Added(NamedTuple):
    """What the additions make of the tokens of a text, before the network has read them."""

    nodes: Nodes | None
    """The states of the n-gram model after each token, (T, B, n - 1)."""
    extra: Tensor | None
    """The vectors of contexts and labels to add to the embeddings, (T, B, E)."""
    voices: Voices | None
    """The predictions of the match after each token, (T, B, 1 + K, 2)."""
    states: LayerStates
    """The states of the n-gram model, the labels and the match after the last token."""


@dataclass(frozen=True, slots=True)
class Additions:
    """The additions of a language model; None for those that it doesn't have.

    A state here is that of the n-gram model, of the labels and of the match, in this order, as far as there are any.
    """

    prior: NgramPrior | None
    contexts: NgramEmbedding | None
    labels: LabelEmbedding | None
    match: Match | None
    fixed_labels: State | None
    """The labels of every text, (1, N), whatever labels the documents have; see `LanguageModel.with_labels`."""

    def initialise(self, generator: torch.Generator, *, std: float) -> None:
        """Draw the weights; `std` is that of the embeddings of tokens."""
        if self.prior is not None:
            self.prior.initialise()
        if self.contexts is not None:
            self.contexts.initialise(generator)
        if self.match is not None:
            self.match.initialise()
        if self.labels is not None:
            self.labels.initialise(generator, std=std)

    def initial_state(self, batch: int, labels: Codes | None, generator: torch.Generator | None) -> LayerStates:
        """The state before the first token of a document, for B = `batch` rows.

        `labels` are those of each row, (B, C); with `generator` some are left out at random.
        """
        states = [] if self.prior is None else [self.prior.initial_state(batch)]
        if self.labels is not None:
            if self.fixed_labels is not None:
                states.append((self.fixed_labels[0].repeat(batch, 1),))
            elif labels is None:
                states.append(self.labels.initial_state(batch))
            else:
                states.append(self.labels.state_of(labels, generator))
        if self.match is not None:
            states.append(self.match.initial_state(batch))
        return tuple(states)

    def read(
        self,
        ids: Tensor,
        states: LayerStates,
        generator: torch.Generator | None = None,
        lookups: Lookups | None = None,
    ) -> Added:
        """What the additions make of the tokens (T, B), given the state before the first.

        `generator` is that of dropout in training mode; `lookups` are those of the window, if they have been made
        already.
        """
        nodes = extra = voices = None
        after: LayerStates = ()
        if self.prior is not None:
            known = None if lookups is None else lookups.nodes
            nodes = self.prior.advance(ids, states[0]) if known is None else known
            if self.contexts is not None:
                extra = self.contexts(nodes, generator, rows=None if lookups is None else lookups.rows)
            after = ((torch.from_numpy(nodes[-1]),),)
        if self.labels is not None:
            state = states[len(after)]
            with torch.autocast(self.labels.vectors.device.type, enabled=False):
                added = self.labels(state).expand(len(ids), -1, -1)  # (T, B, E)
            extra = added if extra is None else extra + added
            after = (*after, state)
        if self.match is not None:
            if lookups is None or lookups.voices is None or lookups.match is None:
                voices, matched = self.match.advance(ids, states[-1])
            else:
                voices, matched = lookups.voices, lookups.match
            after = (*after, matched)
        return Added(nodes, extra, voices, after)
