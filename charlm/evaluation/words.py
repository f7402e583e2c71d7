"""Words of a text, as papers on word-level models count them."""

from collections.abc import Iterable

from charlm.data.documents import Part


def count_words(parts: Iterable[Part]) -> int:
    """Words between white space, plus one for the end of each line, in the documents of consecutive parts.

    This is the count behind the perplexity per word of Merity et al. 2017 (arXiv 1609.07843), whose texts have one
    `<eos>` for each line. A last line without a line end counts too, and so does each document of a list.
    """
    total = lines = 0
    last = ""  # the character before, in the same document
    for texts, ends, *_ in parts:
        for index, text in enumerate(texts):
            if text:
                total += len(text.split()) - (bool(last) and not (last.isspace() or text[0].isspace()))
                continues = bool(last) and len((last + text[0]).splitlines()) == 1  # the line that the last text began
                lines += len(text.splitlines()) - continues
                last = text[-1]
            if ends or index < len(texts) - 1:
                total += max(1, lines)
                lines, last = 0, ""
    return total
