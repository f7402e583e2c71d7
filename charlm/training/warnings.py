"""Warnings about a run: about its text and settings at the start, about its gradients and its speed during training."""

import logging
from collections.abc import Callable
from itertools import pairwise

from charlm.config import TrainConfig, option_of
from charlm.data.dataset import Dataset
from charlm.model.language_model import LanguageModel
from charlm.nouns import count_of, form_for
from charlm.training.events import Event, StepEvent
from charlm.training.start.settings import AutotunedSettings, settings_for

logger = logging.getLogger(__name__)

_MIN_VALIDATION_TOKENS = 200
"""Below, the validation loss is too noisy to compare models by."""


def warn_about_run(dataset: Dataset, model: LanguageModel, config: TrainConfig) -> None:
    """Log a warning for each property of the text or the settings that is likely to be a mistake."""
    corpus, tokens = dataset.corpus, dataset.train.facts.tokens
    if tokens < config.seq_len:
        logger.warning(
            "the training split has %s, fewer than --seq-len %d; shorter sequences are used",
            count_of(tokens, "token"),
            config.seq_len,
        )
    if corpus.copies:
        copy, first = corpus.copies[0]
        which = f"{copy} is given twice" if copy == first else f"{copy} is a copy of {first}"
        if len(corpus.copies) > 1:
            which = f"{len(corpus.copies):,} of the files are copies of others; {which}"
        logger.warning(
            "%s; text that appears in both the training split and a held-out split inflates the scores, so remove "
            "duplicates",
            which,
        )
    if corpus.table is not None and corpus.config.documents != "record":
        logger.warning("%s", corpus.table.advice())
    elif corpus.looks_like_list:
        logger.warning(
            "%s looks like a list of short lines; use --documents line to treat each line as a document", corpus.name
        )
    if corpus.undivided is not None:
        logger.warning("%s; check what separates its documents", corpus.undivided)
    if corpus.looks_sorted and corpus.config.splits[0] < 100:
        logger.warning(
            "the documents of %s are in alphabetical order, so the held-out ones start with letters that no training "
            "document starts with; shuffle the documents first",
            corpus.name,
        )
    if dataset.valid.facts.tokens == 0:
        logger.warning("there is no validation split, so the latest model is kept instead of the best")
    elif dataset.valid.facts.tokens < _MIN_VALIDATION_TOKENS:
        logger.warning(
            "the validation split has only %s, so the validation loss and the choice of the best model are "
            "unreliable; give it a larger share with --splits",
            count_of(dataset.valid.facts.tokens, "token"),
        )
    if unknown := dataset.train.facts.unknown_characters:
        logger.warning(
            "%s of the training split %s <unk> (%s)",
            count_of(unknown, "character"),
            form_for(unknown, "is not in the vocabulary and becomes", "are not in the vocabulary and become"),
            dataset.unknown_in("train"),
        )
    on_cpu = model.output_bias.device.type == "cpu"
    if config.precision == "bfloat16" and on_cpu and not model.network.has_bfloat16_kernel:
        logger.warning(
            "--precision bfloat16: this machine has no fast bfloat16 kernel for this network, so training will take "
            "many times as long as without the option"
        )


_BLOCK = 100  # steps whose norms are averaged
_GROWTH = 3.0  # of the mean norm, from block to block
_BLOCKS = 3  # of such growth in a row


class GradientMonitor:
    """Called with every step; returns a warning when one is due, each of the two kinds at most once.

    "clipping": more than half of the last 100 steps were clipped, so that the effective learning rate is lower than
    the one set. "growth": the norm before clipping grows without bound (Pascanu, Mikolov and Bengio 2013, section 2.1).
    """

    def __init__(self) -> None:
        self._norms: list[float] = []
        self._clipped = 0
        self._means: list[float] = []
        self._issued: set[str] = set()

    def __call__(self, event: StepEvent) -> str | None:
        """The warning that is due after this step, or None."""
        self._norms.append(event.gradient_norm)
        self._clipped += event.clipped_norm < event.gradient_norm
        if len(self._norms) < _BLOCK:
            return None
        clipped, mean = self._clipped / _BLOCK, sum(self._norms) / _BLOCK
        self._means.append(mean)
        self._norms, self._clipped = [], 0
        recent = self._means[-_BLOCKS - 1 :]
        if len(recent) > _BLOCKS and all(after > _GROWTH * before for before, after in pairwise(recent)):
            return self._once(
                "growth",
                f"the gradient norm grows without bound: {recent[0]:.3g} to {mean:.3g} in {_BLOCKS * _BLOCK} steps; "
                "lower --learning-rate or use another --recurrent-init",
            )
        if clipped > 0.5:
            return self._once(
                "clipping",
                f"the gradient was clipped in {clipped:.0%} of the last {_BLOCK} steps (mean norm {mean:.3g}); raise "
                "--clip or lower --learning-rate",
            )
        return None

    def _once(self, kind: str, warning: str) -> str | None:
        if kind in self._issued:
            return None
        self._issued.add(kind)
        return warning


_SHARE = 0.1  # of the run, after which the forecast of passes is checked
_FAR = 1.5  # factor between the forecast and the actual passes
_REGULARISATION = ("dropout", "weight_dropout", "averaging", "weight_decay")


class PassesCheck:
    """Called with every event of a run; passes it on, and logs a warning if the forecast turns out to be far off.

    On a machine that is busy when the speed is measured, or becomes busy later, a run of some minutes can read the text
    far less or far more often than expected.
    """

    def __init__(self, selected: AutotunedSettings, on_event: Callable[[Event], None]) -> None:
        self._selected, self._on_event = selected, on_event
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
        self._on_event(event)

    def _check(self, first: StepEvent, event: StepEvent) -> None:
        """Log a warning if the pace between two steps is far from what was expected, with the settings that would suit.

        The pace says how often the run will read the text.
        """
        pace = (event.epoch - first.epoch) / (event.progress - first.progress)
        passes, expected = event.epoch + (1 - event.progress) * pace, self._selected.passes
        if expected / _FAR < passes < expected * _FAR or max(passes, expected) <= 1:
            return  # one pass or a part of it is shown as "less than once", and gets the same settings
        selected = self._selected.model | self._selected.training
        suited = settings_for(self._selected.task, passes)
        better = [
            option_of(name, f"{value:g}")
            for name, value in (suited.model | suited.training).items()
            if name in _REGULARISATION and name in selected and value != selected[name]
        ]
        logger.warning(
            "at its current speed, this run will read the training split about %.1f times instead of the expected "
            "%.1f%s",
            passes,
            expected,
            f"; for that many passes, the automatic settings would be {' '.join(better)}" if better else "",
        )
