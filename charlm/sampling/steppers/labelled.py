"""A stepper that adds the n-grams of labels to the logits of another one, whose code doesn't have them."""

from collections.abc import Sequence

import numpy as np
import torch

from charlm.cells import LayerStates
from charlm.model.language_model import LanguageModel
from charlm.sampling.steppers.base import LogitRows, Stepper


class LabelledStepper:
    """A stepper (see `charlm.sampling.steppers.Stepper`) of a model that adds the n-grams of its labels."""

    def __init__(self, stepper: Stepper, model: LanguageModel, states: Sequence[LayerStates]) -> None:
        """Begin with the states of B texts, (1, H) each, which `stepper` has loaded."""
        self._stepper, self._split = stepper, model.split_states
        self.change = stepper.change
        ngrams = model.additions.label_ngrams
        assert ngrams is not None and model.prior is not None and model.prior.ngram is not None
        self._ngrams, self._of_all = ngrams, model.prior.ngram
        loaded = [self._labels(state) for state in states]
        self._factors = torch.cat([factors for factors, _ in loaded])
        self._before = torch.cat([before for _, before in loaded])

    def step(self, tokens: Sequence[int]) -> LogitRows:
        """See `Stepper.step`."""
        logits = self._stepper.step(tokens)
        ids = torch.tensor([[*tokens]])
        added, self._before = self._ngrams.read(ids, self._before, self._factors, self._of_all)
        logits += added[0].numpy()
        return logits

    def load(self, row: int, states: LayerStates) -> None:
        """See `Stepper.load`."""
        self._stepper.load(row, states)
        factors, before = self._labels(states)
        self._factors[row], self._before[row] = factors[0], before[0]

    def take(self, rows: Sequence[int]) -> None:
        """See `Stepper.take`."""
        self._stepper.take(rows)
        kept = np.array(rows, dtype=np.int64)
        self._factors, self._before = self._factors[kept], self._before[kept]

    def _labels(self, states: LayerStates) -> tuple[torch.Tensor, torch.Tensor]:
        """The factors of the values and the last tokens of a text, (1, N) and (1, n - 1)."""
        labels = self._split(states)[1].labels
        assert labels is not None
        factors, before = labels
        return factors, before
