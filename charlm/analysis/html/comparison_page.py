"""A self-contained HTML page that shows where one of two models predicts a text better than the other."""

import math
import re
from itertools import pairwise

import numpy as np

from charlm.analysis.html.template import fill_template
from charlm.evaluation.comparison import Comparison
from charlm.nouns import count_of

_MOST_CHARACTERS = 300_000
_WORD = re.compile(r"\s+|\S+")


def comparison_page(comparison: Comparison, *, names: tuple[str, str], title: str) -> str:
    """The page: each word coloured by which model needs fewer bits for it; a tooltip shows both.

    Args:
        comparison: of two models; a long text is cut after 300,000 characters.
        names: the names of the two models.
        title: title of the page.
    """
    text = comparison.text[:_MOST_CHARACTERS]
    first, second = (np.concatenate(([0.0], np.cumsum(nats / math.log(2)))) for nats in comparison.nats)
    ends = np.minimum(np.cumsum(comparison.lengths), len(text)).tolist()
    words: list[tuple[int, int]] = []
    documents: list[int] = []  # the first word of each document but the first
    for start, end in pairwise([0, *ends]):
        if 0 < start < end:
            documents.append(len(words))
        words += [match.span() for match in _WORD.finditer(text, start, end)]
    data = {
        "names": names,
        "words": [text[start:end] for start, end in words],
        "first": [round(float(first[end] - first[start]), 2) for start, end in words],
        "second": [round(float(second[end] - second[start]), 2) for start, end in words],
        "documents": documents,
    }
    mean = [float(bits[len(text)]) / max(1, len(text)) for bits in (first, second)]
    about = (
        f"{len(text):,} of {count_of(comparison.characters, 'character')}. Orange: {names[0]} predicts the word better "
        f"({mean[0]:.3f} bits per character); blue: {names[1]} does ({mean[1]:.3f})."
    )
    return fill_template("comparison.html", title=title, about=about, data=data)
