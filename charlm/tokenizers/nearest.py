"""The nearest text to a character that a vocabulary lacks: é as e, Ж as ж, “ as "."""

import contextlib
import unicodedata
from collections.abc import Callable, Iterator

_ALIKE = (
    "'‘’‚‛′ʼ`´",
    '"“”„‟″«»',
    "-‐‑‒–—―−",
    " \u00a0\u2002\u2003\u2009\u202f\u3000\t",
    "\n\r\x0b\x0c\x85\u2028\u2029",
)
"""Characters that stand in for each other, the likeliest first; Unicode doesn't decompose them."""


def nearest_text(character: str, known: Callable[[str], bool]) -> str | None:
    """The first of the character's likenesses that consists of known characters only; None where none does.

    They are, in this order: its Unicode composition and decomposition (NFC, NFKC, NFKD), that without marks, its letter
    without a stroke or hook (by its name), each of them in the other case, and typographic quotes, dashes and spaces.

    Source: Unicode Standard Annex 15 for the forms.
    """
    for text in _likenesses(character):
        if text and all(known(part) for part in text):
            return text
    return None


def _likenesses(character: str) -> Iterator[str]:
    forms = [unicodedata.normalize(form, character) for form in ("NFC", "NFKC", "NFKD")]
    forms.append("".join(part for part in forms[-1] if not unicodedata.combining(part)))
    letter, stroke, _ = unicodedata.name(character, "").partition(" WITH ")
    if stroke:
        with contextlib.suppress(KeyError):
            forms.append(unicodedata.lookup(letter))
    for form in forms:
        yield form
        yield from (form.swapcase(), form.lower(), form.upper(), form.casefold())
    for group in _ALIKE:
        if character in group:
            yield from group
