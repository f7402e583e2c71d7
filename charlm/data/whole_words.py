"""Parts of a corpus that begin and end between words, for tokenizers whose tokens are words."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from charlm.data.documents import Part
from charlm.tokenizers import Tokenizer
from charlm.tokenizers.word_split import last_border

_Key = TypeVar("_Key")

_LONGEST = 1 << 16  # characters that may be moved to the next part


def whole_words(parts: Iterable[tuple[_Key, Part]], tokenizer: type[Tokenizer]) -> Iterator[tuple[_Key, Part]]:
    """The same parts, but for a tokenizer of words, what follows the last white space of a part that doesn't end is
    moved to the next part, unless it is longer than `_LONGEST`."""
    if not tokenizer.splits_words:
        yield from parts
        return
    moved = ""
    for key, (texts, ends) in parts:
        texts = [moved + texts[0], *texts[1:]]
        moved = ""
        if not ends:
            last = texts[-1]
            end = last[-_LONGEST:]
            border = last_border(end)
            if border or len(last) < _LONGEST:
                cut = len(last) - len(end) + border
                texts[-1], moved = last[:cut], last[cut:]
        yield key, Part(texts, ends)
