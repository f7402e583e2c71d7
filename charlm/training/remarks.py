"""What a user may not expect of a text or a setting, told when training begins."""

import logging

from charlm.config import TrainConfig
from charlm.data.dataset import Dataset
from charlm.model.language_model import LanguageModel

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
    if config.precision == "bfloat16" and not model.recurrent.quick_in_bfloat16:
        logger.warning(
            "--precision bfloat16: this machine is not quick at such products of this cell, and training will take "
            "many times as long as without it"
        )
