"""A stepper that adds the n-grams of labels to the logits of another one, whose code doesn't have them."""

from collections.abc import Sequence

import numpy as np

from charlm.cells import LayerStates
from charlm.model.additions.label_ngrams import states_after
from charlm.model.language_model import LanguageModel
from charlm.ngram.trie import Nodes
from charlm.sampling.steppers.base import LogitRows, Stepper


class LabelledStepper:
    """A stepper (see `charlm.sampling.steppers.Stepper`) of a model that adds the n-grams of its labels."""

    def __init__(self, stepper: Stepper, model: LanguageModel, states: Sequence[LayerStates]) -> None:
        """Begin with the states of B texts, (1, H) each, which `stepper` has loaded."""
        self._stepper, self._split = stepper, model.split_states
        self.change = stepper.change
        ngrams = model.additions.label_ngrams
        assert ngrams is not None and model.prior is not None and model.prior.ngram is not None
        self._ngrams = ngrams
        self._models = (*ngrams.models, model.prior.ngram)
        self._shares = np.zeros((len(states), len(self._models)), dtype=np.float32)  # of each model in what is added
        self._nodes: dict[int, Nodes] = {}  # for the models in use, by their index: (B, n - 1)
        for row, state in enumerate(states):
            self._load_labels(row, state)

    def step(self, tokens: Sequence[int]) -> LogitRows:
        """See `Stepper.step`."""
        logits, ids = self._stepper.step(tokens), np.array([tokens])
        for index, nodes in self._nodes.items():
            model = self._models[index]
            self._nodes[index] = after = model.advance(nodes, ids)[0]
            logits += self._shares[:, index, None] * self._ngrams.log_p(model, after)
        return logits

    def load(self, row: int, states: LayerStates) -> None:
        """See `Stepper.load`."""
        self._stepper.load(row, states)
        self._load_labels(row, states)

    def take(self, rows: Sequence[int]) -> None:
        """See `Stepper.take`."""
        self._stepper.take(rows)
        kept = np.array(rows, dtype=np.int64)
        self._shares = self._shares[kept]
        self._nodes = {index: nodes[kept] for index, nodes in self._nodes.items()}

    def _load_labels(self, row: int, states: LayerStates) -> None:
        """Replace what is known of the labels of a row."""
        labels = self._split(states)[1].labels
        assert labels is not None
        factors, before = labels  # (1, N) and (1, n - 1)
        self._shares[row] = self._ngrams.shares(factors)[0]
        for index in np.flatnonzero(self._shares[row]).tolist():
            model = self._models[index]
            nodes = self._nodes.setdefault(index, model.no_context(len(self._shares)))
            nodes[row] = states_after(model, before.T.cpu().numpy())[-1, 0]
