"""The texts that have only words of a list."""

import unicodedata
from collections.abc import Callable, Iterable
from functools import cache

import numpy as np

from charlm.errors import ConfigError
from charlm.sampling.constraints.automaton import FIRST, STARTS_CHARACTER, Table, make_table

MOST_WORDS = 150_000
_APOSTROPHES = "'’"

Row = dict[int, int]
"""The node after each byte."""


@cache
def separators() -> tuple[str, ...]:
    """The characters that stand between words: white space and punctuation of all scripts in use."""
    between = (chr(code) for code in range(1 << 16) if unicodedata.category(chr(code))[0] in "PZ")
    return (*between, "\t", "\n")


def of_words(words: Iterable[str], can_write: Callable[[str], bool]) -> Table:
    """The texts of these words, with white space or punctuation between them.

    A word may also begin with a capital or have only capitals, and it may itself contain punctuation, as in "don't".
    An apostrophe alone separates two words only after one or two letters, as in "l'amour" or "o'the": a model that
    wants to write "man's" would otherwise write "man'stand".

    Raises `ConfigError` if there are too many words, or none that the vocabulary can write.
    """
    words = list(words)
    spellings = {case for word in words for case in (word, word[:1].upper() + word[1:], word.upper())}
    if len(spellings) > 3 * MOST_WORDS:
        raise ConfigError(f"--words has more than {MOST_WORDS:,} words; give a shorter list")
    written = [spelling for spelling in sorted(spellings) if spelling and can_write(spelling)]
    if not written:
        named = ", ".join(repr(word[:20]) for word in words[:3]) + ", …" * (len(words) > 3)
        raise ConfigError(
            f"--words has no word that this model can write: {named}; give a list in the script of its text"
        )
    rows, whole = _shared_endings(*_trie(written))
    gaps = [character for character in separators() if can_write(character)]
    joint = len(rows)  # after a word and an apostrophe, where no other word may begin
    between = _gap_rows(gaps, joint + 1)
    after = _gap_rows(gaps, joint + 1 + len(between), joint)
    gap_of = {0: between[0]} | {node: between[0] if is_short else after[0] for node, is_short in whole.items()}
    return _determinised([*rows, between[0], *between, *after], {**gap_of, joint: {}}, {0, joint})


def _gap_rows(characters: Iterable[str], base: int, joint: int = 0) -> list[Row]:
    """The rows of a trie of separators, whose nodes are numbered from `base`. They lead to node 0, where a word may
    begin, but apostrophes to `joint`."""
    rows: list[Row] = [{}]
    for character in characters:
        *beginning, last = character.encode()
        row = rows[0]
        for byte in beginning:
            if byte not in row:
                row[byte] = base + len(rows)
                rows.append({})
            row = rows[row[byte] - base]
        row[last] = joint if character in _APOSTROPHES else 0
    return rows


def _trie(texts: Iterable[str]) -> tuple[list[Row], dict[int, bool]]:
    """The rows of a trie, whose root is node 0, and the nodes where a text ends, with whether it has one or two
    characters."""
    rows: list[Row] = [{}]
    whole: dict[int, bool] = {}
    for text in texts:
        *beginning, last = text.encode()
        node = 0
        for byte in beginning:
            following = rows[node].get(byte)
            if following is None:
                following = rows[node][byte] = len(rows)
                rows.append({})
            node = following
        if last not in rows[node]:
            rows[node][last] = len(rows)
            rows.append({})
        whole[rows[node][last]] = len(text) <= 2
    return rows, whole


def _shared_endings(rows: list[Row], whole: dict[int, bool]) -> tuple[list[Row], dict[int, bool]]:
    """The same trie with equal subtrees merged; its root stays node 0."""
    merged: dict[tuple[bool | None, tuple[tuple[int, int], ...]], int] = {}
    kept: list[int] = []
    place = [0] * len(rows)
    for node in range(len(rows) - 1, -1, -1):  # a node comes after its parent
        row = tuple((byte, place[child]) for byte, child in rows[node].items())
        key = (whole.get(node), row)
        if key not in merged or node == 0:
            merged[key] = len(kept)
            kept.append(node)
        place[node] = merged[key]
    root = len(kept) - 1

    def number(node: int) -> int:
        return root - place[node]

    result = [{byte: number(child) for byte, child in rows[node].items()} for node in reversed(kept)]
    return result, {number(node): is_short for node, is_short in whole.items()}


def _determinised(rows: list[Row], gap_of: dict[int, Row], free: set[int]) -> Table:
    """The table of an automaton in which separators may follow the nodes of `gap_of`: the root and every whole word. A
    text may end there, too. In the nodes `free` no word has begun.

    A byte may both continue a word and begin a separator, as the apostrophe of "don't". So a state is a set of nodes.
    """
    number_of: dict[tuple[int, ...], int] = {(0,): FIRST}
    sets: list[tuple[int, ...]] = [(0,)]
    edges: list[tuple[int, int, int]] = []
    for nodes in sets:
        own = number_of[nodes]
        targets: dict[int, tuple[int, ...]] = {}
        for node in nodes:
            for row in (rows[node], gap_of.get(node, {})):
                for byte, following in row.items():
                    before = targets.get(byte, ())
                    targets[byte] = (following,) if not before else tuple(sorted({*before, following}))
        for byte, key in targets.items():
            following = number_of.get(key, 0)
            if not following:
                following = number_of[key] = FIRST + len(sets)
                sets.append(key)
            edges.append((own, byte, following))
    sources, data, states = np.array(edges, dtype=np.int64).T
    used, columns = np.unique(data, return_inverse=True)
    classes = np.where(STARTS_CHARACTER, len(used), len(used) + 1).astype(np.int16)
    classes[used] = np.arange(len(used))
    after = np.zeros((FIRST + len(sets), len(used) + 2), dtype=np.int32)
    after[sources, columns] = states
    accepting = np.array([False, False, *(not gap_of.keys().isdisjoint(nodes) for nodes in sets)])
    settled = np.array([False, False, *(not free.isdisjoint(nodes) for nodes in sets)])
    return make_table(FIRST, after, accepting, classes=classes, settled=settled)
