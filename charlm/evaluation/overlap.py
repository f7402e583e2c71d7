"""How much of a held-out split also stands in the training split, which makes its score too good."""

import logging
from collections.abc import Iterable
from itertools import islice

from charlm.data.corpus import Corpus
from charlm.evaluation.copying import CopyIndex, find_copies

logger = logging.getLogger(__name__)

_NOTICEABLE = 0.01
_PASSAGE = 200  # characters of the shortest passage that counts
_TRAINING = 20_000_000  # characters of the training split that are compared
_HELD_OUT = 100_000  # characters of the held-out split that are compared
_DOCUMENT = 20  # characters of the shortest document that counts


def warn_about_overlap(training: Corpus, held_out: Corpus, name: str) -> None:
    """Warn if a hundredth or more of a held-out text, whose `name` is validation or test, is in the training text."""
    share = overlap(
        training.split_documents("train", longest=_TRAINING), held_out.split_documents("train", longest=_HELD_OUT)
    )
    if share >= _NOTICEABLE:
        logger.warning(
            "%.0f%% of the %s text also stands in the training text, so its loss is too low", 100 * share, name
        )


def overlap(training: Iterable[str], held_out: Iterable[str]) -> float:
    """The share of a held-out split's characters that also stand in the training split, 0 to 1.

    A document counts if the same document is in the training split, and otherwise its passages of 200 characters and
    more that occur there. Of long splits only the first 20,000,000 and 100,000 characters are compared.

    Args:
        training: the documents of the training split.
        held_out: the documents of the held-out split.
    """
    known = list(_first(training, _TRAINING))
    whole, index = set(known), CopyIndex(known, least=_PASSAGE)
    characters = shared = 0
    for document in _first(held_out, _HELD_OUT):
        characters += len(document)
        if len(document) >= _DOCUMENT and document in whole:
            shared += len(document)
        elif len(document) >= _PASSAGE:
            shared += find_copies(document, index).copied
    return shared / characters if characters else 0.0


def _first(documents: Iterable[str], characters: int) -> Iterable[str]:
    """The first characters of documents."""
    for document in islice(documents, characters):
        yield document[:characters]
        characters -= len(document)
        if characters <= 0:
            return
