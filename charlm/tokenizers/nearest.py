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


def clusters(text: str) -> Iterator[str]:
    """A text cut before each character that can't compose with those before it; CRLF stays whole."""
    start = 0
    for end in range(1, len(text)):
        if not _extends(text[end]) and text[end - 1 : end + 1] != "\r\n":
            yield text[start:end]
            start = end
    if text:
        yield text[start:]


def canonical_text(cluster: str, known: Callable[[str], bool]) -> str | None:
    """The canonical composition or decomposition (NFC, NFD) that consists of known characters; None if none does.

    Source: Unicode Standard Annex 15.
    """
    forms = (unicodedata.normalize(form, cluster) for form in ("NFC", "NFD"))
    return next((form for form in forms if all(map(known, form))), None)


def nearest_text(cluster: str, known: Callable[[str], bool]) -> str | None:
    """The first of a cluster's alternatives that consists of known characters; None if there is none.

    The alternatives, in order: its Unicode compositions and decompositions (NFC, NFD, NFKC, NFKD), the last without
    marks, its letter without a stroke or hook (by its name), each of these in the other case, and similar quotes,
    dashes, spaces and line ends.

    Source: Unicode Standard Annex 15 for the forms.
    """
    for text in _alternatives(cluster):
        if text and all(map(known, text)):
            return text
    return None


def _extends(character: str) -> bool:
    """Whether a character may compose with one before it: a mark, or a vowel or final consonant of Hangul."""
    return not character.isascii() and (unicodedata.category(character)[0] == "M" or "\u1160" <= character <= "\u11ff")


def _alternatives(cluster: str) -> Iterator[str]:
    forms = [unicodedata.normalize(form, cluster) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    forms.append(_without_marks(forms[3]))
    letter, stroke, _ = unicodedata.name(forms[0], "").partition(" WITH ") if len(forms[0]) == 1 else ("", "", "")
    if stroke:
        with contextlib.suppress(KeyError):
            forms.append(unicodedata.lookup(letter))
    for form in forms:
        yield form
        yield from (form.swapcase(), form.lower(), form.upper(), form.casefold())
    character = "\n" if cluster == "\r\n" else _without_marks(forms[1])
    for group in _SIMILAR:
        if character in set(group):
            yield from group


def _without_marks(text: str) -> str:
    return "".join(character for character in text if not unicodedata.combining(character))
