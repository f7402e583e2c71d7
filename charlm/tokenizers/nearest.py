"""The nearest known text for a character outside the vocabulary: e for é, ж for Ж, " for “."""

import contextlib
import unicodedata
from collections.abc import Callable, Iterator

_SIMILAR = (
    "'‘’‚‛′ʼ`´",
    '"“”„‟″«»',
    "-‐‑‒–—―−",
    " \u00a0\u2002\u2003\u2009\u202f\u3000\t",
    "\n\r\x0b\x0c\x85\u2028\u2029",
)
"""Groups of characters that can replace each other, the most common first; Unicode doesn't decompose them."""


def nearest_text(character: str, known: Callable[[str], bool]) -> str | None:
    """The first of the character's alternatives that consists of known characters; None if there is none.

    The alternatives, in order: its Unicode composition and decompositions (NFC, NFKC, NFKD), the last without marks,
    its letter without a stroke or hook (by its name), each of these in the other case, and similar quotes, dashes and
    spaces.

    Source: Unicode Standard Annex 15 for the forms.
    """
    for text in _alternatives(character):
        if text and all(known(part) for part in text):
            return text
    return None


def _alternatives(character: str) -> Iterator[str]:
    forms = [unicodedata.normalize(form, character) for form in ("NFC", "NFKC", "NFKD")]
    forms.append("".join(part for part in forms[-1] if not unicodedata.combining(part)))
    letter, stroke, _ = unicodedata.name(character, "").partition(" WITH ")
    if stroke:
        with contextlib.suppress(KeyError):
            forms.append(unicodedata.lookup(letter))
    for form in forms:
        yield form
        yield from (form.swapcase(), form.lower(), form.upper(), form.casefold())
    for group in _SIMILAR:
        if character in group:
            yield from group
