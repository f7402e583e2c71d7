"""What predicts the next token for the coder: the same for compression and decompression, one token at a time."""

from collections.abc import Callable
from copy import deepcopy
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from charlm.compression.portable import portable_stepper
from charlm.evaluation.dynamic import DynamicConfig, Learner
from charlm.evaluation.nats import nats_of
from charlm.model.language_model import LanguageModel
from charlm.sampling.steppers import LogitRows, Stepper, make_stepper


class Predictor(Protocol):
    """Logits of the next token, (V,), each valid until the next call."""

    def begin(self) -> LogitRows:
        """Start a document."""

    def read(self, token: int) -> LogitRows:
        """Read the next token of the document."""


def make_predictor(model: LanguageModel, bos: int, *, portable: bool, dynamic: bool) -> Predictor | None:
    """A predictor for a model; None if it should be portable and can't be.

    Args:
        model: the model, in evaluation mode.
        bos: the token that starts a document.
        portable: whether the logits must be the same on every machine.
        dynamic: whether the model learns from what it has read, which is never portable.
    """
    if dynamic:
        return None if portable else LearningPredictor(model, bos, DynamicConfig())
    stepper = portable_stepper(model) if portable else make_stepper(model, [model.initial_state(1)])
    return None if stepper is None else FixedPredictor(stepper, model, bos)


class FixedPredictor:
    """A `Predictor` whose model stays as it is."""

    def __init__(self, stepper: Stepper, model: LanguageModel, bos: int) -> None:
        self._stepper, self._initial, self._bos = stepper, model.initial_state(1), bos
        self._rows: LogitRows | None = None
        self._row: LogitRows = np.zeros(0, np.float32)

    def begin(self) -> LogitRows:
        """See `Predictor.begin`."""
        self._stepper.load(0, self._initial)
        return self.read(self._bos)

    def read(self, token: int) -> LogitRows:
        """See `Predictor.read`."""
        rows = self._stepper.step((token,))
        if rows is not self._rows:  # mostly it is the same memory again
            self._rows, self._row = rows, rows[0]
        return self._row


class LearningPredictor:
    """A `Predictor` whose model learns by dynamic evaluation after every window (`charlm.evaluation.dynamic`).

    A token is predicted by one step, and a window is read again as a whole to learn from it.
    """

    def __init__(self, model: LanguageModel, bos: int, config: DynamicConfig) -> None:
        self._model, self._bos, self._seq_len = deepcopy(model).eval(), bos, config.seq_len
        self._learner = Learner(self._model, config)
        self._states = self._model.initial_state(1)
        self._window: list[int] = []  # the tokens read since the last learning, the first of which was read before
        self._step: Callable[[int], LogitRows]

    def begin(self) -> LogitRows:
        """See `Predictor.begin`."""
        if len(self._window) > 1:
            self._learn()
        self._states = self._model.initial_state(1)
        self._step, self._window = self._stepping(), [self._bos]
        return self._step(self._bos)

    def read(self, token: int) -> LogitRows:
        """See `Predictor.read`."""
        self._window.append(token)
        if len(self._window) > self._seq_len:
            self._learn()
            self._step, self._window = self._stepping(), [token]
        return self._step(token)

    def _stepping(self) -> Callable[[int], LogitRows]:
        stepper = make_stepper(self._model, [self._states])

        def step(token: int) -> LogitRows:
            logits: LogitRows = stepper.step((token,))[0]
            return logits

        return step

    def _learn(self) -> None:
        """Read the window, learn from it, and keep the states after it."""
        tokens = torch.tensor(self._window).unsqueeze(1)  # (T + 1, 1)
        with torch.enable_grad():
            logits, self._states = self._model(tokens[:-1], self._states)
            loss: Tensor = nats_of(logits, tokens[1:]).mean()
            loss.backward()  # type: ignore[no-untyped-call]
        self._states = tuple(tuple(part.detach() for part in state) for state in self._states)
        self._learner.step()
