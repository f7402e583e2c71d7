"""Constraints on what a text contains, on the number of its lines and their first letters, and on its end."""

from collections.abc import Iterable
from dataclasses import dataclass

from charlm.sampling.constraints.automaton import STARTS_CHARACTER, UNFINISHED, Table, explore

_Line = tuple[int, bytes | None, bool]
"""The number of a line, the first bytes of its letter or None when it is complete, and whether there is more."""
_PUNCTUATION = b"\xe2\x80"  # the first bytes of quotation marks, dashes and dots
_NEWLINE, _BLANKS = ord("\n"), frozenset(b" \t\r")
_MARKS = {mark.encode() for mark in ".!?…。！？"}
_AFTER_MARKS = {one.encode() for one in " \t\r\n'\"’”»)]」』"}
_WITHIN = {one[:end] for one in _MARKS | _AFTER_MARKS for end in range(1, len(one))}


def containing(text: str) -> Table:
    """The texts that contain `text` as whole words: where it begins or ends with a letter, no letter is next to it."""
    data = text.encode("utf-8", "surrogatepass")
    starts_word, ends_word = text[0].isalnum(), text[-1].isalnum()

    def step(state: _Search, byte: int) -> _Search:
        read, last = state.read, state.last
        if state.is_found or (len(data) in read and not (ends_word and _may_be_letter(last, byte))):
            return _FOUND
        begins = {0} if STARTS_CHARACTER[byte] and not (starts_word and state.in_word) else set()
        longer = frozenset(length + 1 for length in {*read, *begins} if length < len(data) and data[length] == byte)
        last = last + bytes((byte,)) if last == _PUNCTUATION[:1] else bytes((byte,))
        kept = last if _PUNCTUATION.startswith(last) else b""
        return _Search(longer, kept, in_word=_may_be_letter(state.last, byte))

    start = _Search(frozenset(), b"", in_word=False)
    return explore(start, step, lambda state: state.is_found or len(data) in state.read)


@dataclass(frozen=True, slots=True)
class _Search:
    """Where a search for a text is."""

    read: frozenset[int] = frozenset()
    """How many bytes of the text were read last: there may be several answers."""
    last: bytes = b""
    """The last bytes, where they begin a punctuation mark."""
    in_word: bool = False
    """Whether the last character is a letter or digit."""
    is_found: bool = False


_FOUND = _Search(is_found=True)


def _may_be_letter(before: bytes, byte: int) -> bool:
    """Whether a byte may belong to a letter or digit, given those before; beyond ASCII all but general punctuation."""
    if byte < 0x80:
        return chr(byte).isalnum()
    return before != _PUNCTUATION and not _PUNCTUATION.startswith(before + bytes((byte,)))


def without(text: str, *, ends: bool = False) -> Table:
    """The texts that don't contain `text`, by the automaton of Knuth, Morris and Pratt 1977, SIAM J. Comput. 6(2).

    With `ends` a text ends before the byte that would complete it.
    """
    data = text.encode("utf-8", "surrogatepass")
    fallback = [0] * (len(data) + 1)  # the longest proper end of each beginning that is itself a beginning
    for end in range(2, len(data) + 1):
        length = fallback[end - 1]
        while length and data[length] != data[end - 1]:
            length = fallback[length]
        fallback[end] = length + 1 if data[length] == data[end - 1] else 0

    def step(state: int, byte: int) -> int | None:
        while state and data[state] != byte:
            state = fallback[state]
        following = state + 1 if data[state] == byte else 0
        return None if following == len(data) else following

    return explore(0, step, lambda state: True, ends=ends)


def lines(number: int) -> Table:
    """The texts of exactly `number` lines with visible characters; there may be blank lines between them.

    The text ends where another line would begin.
    """

    def step(state: tuple[int, bool], byte: int) -> tuple[int, bool] | None:
        before, is_visible = state
        if byte == _NEWLINE:
            if before + is_visible == number:
                return None
            return before + is_visible, False
        return before, is_visible or byte not in _BLANKS

    return explore((0, False), step, lambda state: state == (number - 1, True), ends=True)


def acrostic(letters: Iterable[str]) -> Table:
    """The texts whose lines begin with these letters in turn, in upper or lower case; blank lines are skipped.

    Every line but the last is more than its letter. The text ends where another line would begin.
    """
    expected = [sorted({case.encode() for case in (letter.lower(), letter.upper(), letter)}) for letter in letters]

    def step(state: _Line, byte: int) -> _Line | None:
        line, read, has_more = state
        if read is None:
            if byte != _NEWLINE:
                return line, None, has_more or byte not in _BLANKS
            return (line + 1, b"", False) if has_more and line + 1 < len(expected) else None
        if byte == _NEWLINE and not read:
            return state
        read += bytes((byte,))
        if read in expected[line]:
            return line, None, False
        return (line, read, False) if any(case.startswith(read) for case in expected[line]) else None

    last = len(expected) - 1
    start: _Line = (0, b"", False)
    return explore(start, step, lambda state: state == (last, None, True), ends=True)


def whole_sentences() -> Table:
    """All texts; those that don't end with a sentence have the ending `UNFINISHED`."""

    def step(state: tuple[bool, bytes], byte: int) -> tuple[bool, bytes]:
        is_complete, read = state[0], state[1] + bytes((byte,))
        if read in _WITHIN:
            return is_complete, read
        return read in _MARKS or (is_complete and read in _AFTER_MARKS), b""

    return explore((False, b""), step, lambda state: True, ending=lambda state: 0.0 if state[0] else UNFINISHED)
