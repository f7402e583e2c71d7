"""Whether a run begins with the bundled base, a model of English: it does where the base predicts the text well."""

import math
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from charlm.config import FINE_TUNING_OPTIONS, TokenizerConfig, without_additions
from charlm.data.dataset import Dataset
from charlm.data.encoded.parts import SplitFacts
from charlm.data.token_split import TokenSplit
from charlm.data.windows import block_windows
from charlm.evaluation.nats import ROWS, exact_sum, window_nats, window_width
from charlm.model.language_model import LanguageModel
from charlm.ngram.model import NgramModel
from charlm.ngram.score import total_nats
from charlm.storage.runs import PRETRAINED
from charlm.tokenizers import Tokenizer
from charlm.training.start.fine_tuning import StartModel, inherit, knows_the_script, load_start_model

BASE = "english"
"""Name of the bundled base."""
AUTO = "auto"
"""Begin with the base if it helps."""
NONE = "none"
"""Begin with a new model."""
MOST_BITS = 1.3
"""How many times the n-gram model's bits the base may need to be of help (docs/notes/autotune.md)."""

_LEAST = 100  # tokens of a training split that can tell what suits it
_SCORED = 16_384  # tokens at the end of the training split, at most a fifth of it
_COUNTED = 1_000_000  # tokens before them
_ORDER = 6
_LONGEST = 512  # tokens of a document; longer ones are cut, to be scored side by side


def reason_for_base(dataset: Dataset, tokenizer: TokenizerConfig, options: Collection[str]) -> str | None:
    """Why a run should begin with the base; None if it should not.

    The end of the training split decides: the base, as it is, is compared with an n-gram model of the rest.

    Args:
        dataset: the text, whose tokens are characters for the base to be of use.
        tokenizer: the settings of its tokenizer.
        options: names of the options of the model that the user has given; one that describes a network asks for a new
            one.
    """
    suits = (
        tokenizer.kind == "char"
        and dataset.corpus.config.direction == "forward"
        and set(FINE_TUNING_OPTIONS).issuperset(options)
    )
    if not (suits and len(dataset.train) >= _LEAST and (PRETRAINED / BASE).is_dir()):
        return None
    start = load_base()
    if not knows_the_script(start, dataset):
        return None
    base, ngram = _bits(start, dataset)
    if base > MOST_BITS * ngram:
        return None
    return f"the model {BASE} predicts it with {base:.2f} bits per token and an n-gram model of it with {ngram:.2f}"


def load_base(reason: str | None = None) -> StartModel:
    """The base, and why a run begins with it."""
    start = load_start_model(PRETRAINED / BASE)
    assert start is not None
    return replace(start, reason=reason)


def _bits(start: StartModel, dataset: Dataset) -> tuple[float, float]:
    """Bits per token of the end of the training split: those of the base, and of an n-gram model of what precedes."""
    tokenizer = dataset.tokenizer
    scored = min(_SCORED, len(dataset.train) // 5)
    ids = dataset.train.tail(_COUNTED + scored)
    text = _cut_documents(ids[len(ids) - scored :], tokenizer)
    counted = ids[: len(ids) - scored]
    ngram = NgramModel.fit(counted, order=_ORDER, vocab_size=tokenizer.vocab_size, bos=tokenizer.bos)
    model = LanguageModel(replace(without_additions(start.model.config), vocab_size=tokenizer.vocab_size))
    model.initialise(torch.Generator().manual_seed(0))
    inherit(model, start, dataset)
    windows = block_windows(text, batch_size=ROWS, width_for=window_width(tokenizer))
    nats = sum(map(exact_sum, window_nats(model, windows)))
    bits = math.log(2) * text.facts.tokens
    return nats / bits, total_nats(ngram, text.ids) / bits


def _cut_documents(ids: NDArray[np.integer], tokenizer: Tokenizer) -> TokenSplit:
    """The documents of some tokens, cut into pieces that are not too long."""
    pieces = []
    for document in np.split(ids, np.flatnonzero(ids == tokenizer.bos)):
        tokens = document[document != tokenizer.bos]
        starts = range(0, len(tokens), _LONGEST)
        pieces += [np.append(tokenizer.bos, tokens[start : start + _LONGEST]) for start in starts]
    facts = SplitFacts(documents=len(pieces), tokens=sum(map(len, pieces)) - len(pieces))
    return TokenSplit(np.concatenate(pieces), np.cumsum([0, *map(len, pieces)]), facts)
