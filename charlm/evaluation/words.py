"""Words of a text, as papers on word-level models count them."""

from collections.abc import Iterable


def count_words(documents: Iterable[str]) -> int:
    """Words between white space, plus one for the end of each line.

    This is the count behind the perplexity per word of Merity et al. 2017 (arXiv 1609.07843), whose texts have one
    `<eos>` for each line. A last line without a line end counts too, and so does each document of a list.
    """
    return sum(len(document.split()) + max(1, len(document.splitlines())) for document in documents)
