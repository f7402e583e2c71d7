"""What a user should know about a run: of its text and settings when it begins, of its gradients while it goes on."""

import logging
from itertools import pairwise

from charlm.config import TrainConfig
from charlm.data.dataset import Dataset
from charlm.model.language_model import LanguageModel
from charlm.training.events import StepEvent

logger = logging.getLogger(__name__)

_TELLING = 200
"""Tokens that a validation split needs for its figure to mean something."""


def remark(dataset: Dataset, model: LanguageModel, config: TrainConfig) -> None:
    """Warn of all that there is to warn of."""
    corpus, tokens = dataset.corpus, dataset.train.facts.tokens
    if tokens < config.seq_len:
        logger.warning(
            "the training split has %d tokens, fewer than one window of %d; the window is shrunk to fit",
            tokens,
            config.seq_len,
        )
    if corpus.looks_like_list:
        logger.warning("%s looks like a list of short lines; --documents line makes each line a document", corpus.name)
    if corpus.looks_sorted and corpus.config.splits[0] < 100:
        logger.warning(
            "the documents of %s are in alphabetical order: those that are held out begin with letters that are not "
            "learnt from; shuffle them before",
            corpus.name,
        )
    if dataset.valid.facts.tokens == 0:
        logger.warning("there is no validation split; the latest model is kept, not the best")
    elif dataset.valid.facts.tokens < _TELLING:
        logger.warning(
            "the validation split has only %d tokens, so that its figure and the choice of the best model mean little; "
            "give it a larger share with --splits",
            dataset.valid.facts.tokens,
        )
    if unknown := dataset.train.facts.unknown_characters:
        logger.warning("%d characters of the training split are not in the vocabulary and become <unk>", unknown)
    if config.precision == "bfloat16" and not model.recurrent.has_bfloat16_kernel:
        logger.warning(
            "--precision bfloat16: this machine is not quick at such products of this cell, and training will take "
            "many times as long as without it"
        )


_BLOCK = 100  # steps that are looked at together
_GROWTH = 3.0  # from block to block
_BLOCKS = 3  # in a row


class GradientWatch:
    """Is shown every step, and answers with a warning, each of its two at most once.

    One is that more than half of the last steps were clipped, so that the learning rate is no longer what it was set
    to; the other that the norm before clipping grows without bound (Pascanu, Mikolov and Bengio 2013, section 2.1).
    """

    def __init__(self) -> None:
        self._norms: list[float] = []
        self._clipped = 0
        self._means: list[float] = []
        self._told: set[str] = set()

    def __call__(self, record: StepEvent) -> str | None:
        """The warning that this step earns, if any."""
        self._norms.append(record.gradient_norm)
        self._clipped += record.clipped_norm < record.gradient_norm
        if len(self._norms) < _BLOCK:
            return None
        clipped, mean = self._clipped / _BLOCK, sum(self._norms) / _BLOCK
        self._means.append(mean)
        self._norms, self._clipped = [], 0
        last = self._means[-_BLOCKS - 1 :]
        if len(last) > _BLOCKS and all(after > _GROWTH * before for before, after in pairwise(last)):
            return self._once(
                "growth",
                f"the gradient norm grows without bound: {last[0]:.3g} to {mean:.3g} in {_BLOCKS * _BLOCK} steps; "
                "lower --learning-rate, or begin with other --recurrent-init",
            )
        if clipped > 0.5:
            return self._once(
                "clipping",
                f"the gradient was clipped in {clipped:.0%} of the last {_BLOCK} steps (mean norm {mean:.3g}); a "
                "higher --clip or a lower --learning-rate would let it through",
            )
        return None

    def _once(self, kind: str, warning: str) -> str | None:
        if kind in self._told:
            return None
        self._told.add(kind)
        return warning
