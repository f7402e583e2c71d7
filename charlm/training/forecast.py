"""Checks during a run how often it reads the text: the settings were selected for a forecast of that."""

import logging
from collections.abc import Callable

from charlm.config import ModelConfig
from charlm.data.dataset import Dataset
from charlm.training.autotune import AutotunedSettings, settings_for
from charlm.training.events import Event, StepEvent

logger = logging.getLogger(__name__)

_SHARE = 0.1  # of the run, after which the forecast is checked
_FAR = 1.5  # factor between forecast and pace
_REGULARISATION = ("dropout", "weight_dropout", "averaging", "weight_decay")


class PassesCheck:
    """Called with every event of a run; passes it on, and logs a warning if the forecast turns out to be far off.

    On a machine that is busy when the speed is measured, or becomes busy later, a run of some minutes can read the text
    far less or far more often than expected.
    """

    def __init__(
        self, selected: AutotunedSettings, dataset: Dataset, model: ModelConfig, observer: Callable[[Event], None]
    ) -> None:
        self._selected, self._facts, self._model, self._observer = selected, dataset.train.facts, model, observer
        self._first: StepEvent | None = None
        self._checked = False

    def __call__(self, event: Event) -> None:
        """Pass the event on; after a tenth of the run, check the forecast once."""
        if isinstance(event, StepEvent) and not self._checked:
            if self._first is None:
                self._first = event
            elif event.progress - self._first.progress >= _SHARE * (1 - self._first.progress):
                self._checked = True
                self._check(self._first, event)
        self._observer(event)

    def _check(self, first: StepEvent, event: StepEvent) -> None:
        pace = (event.epoch - first.epoch) / (event.progress - first.progress)
        passes, expected = event.epoch + (1 - event.progress) * pace, self._selected.passes
        if expected / _FAR < passes < expected * _FAR:
            return
        selected = self._selected.model | self._selected.training
        suited = settings_for(
            tokens=self._facts.tokens,
            characters=self._facts.characters,
            passes=passes,
            units=self._model.hidden_size,
            cell=self._model.cell,
        )
        better = [
            f"--{name.replace('_', '-')} {value:g}"
            for name, value in (suited.model | suited.training).items()
            if name in _REGULARISATION and name in selected and value != selected[name]
        ]
        logger.warning(
            "at its present speed the run will read the training split about %.1f times, not %.1f times as expected%s",
            passes,
            expected,
            f"; such a run would have {' '.join(better)}" if better else "",
        )
