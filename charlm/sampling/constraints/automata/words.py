"""The texts that have only words of a list."""

import unicodedata
from collections.abc import Callable, Iterable
from functools import cache

import numpy as np

from charlm.errors import ConfigError
from charlm.sampling.constraints.automaton import FIRST, STARTS_CHARACTER, Table, make_table

MOST_WORDS = 150_000

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
    gaps, _ = _trie([character for character in separators() if can_write(character)], leads_back=True)
    base = len(rows)  # of the nodes inside a separator
    gap_rows = [{byte: 0 if node == 0 else base + node for byte, node in row.items()} for row in gaps]
    return _determinised([*rows, *gap_rows], whole, gap_rows[0])


def _trie(texts: Iterable[str], *, leads_back: bool = False) -> tuple[list[Row], set[int]]:
    """The rows of a trie, whose root is node 0, and the nodes where a text ends; with `leads_back` that is the root."""
    rows: list[Row] = [{}]
    whole = set()
    for text in texts:
        *beginning, last = text.encode()
        node = 0
        for byte in beginning:
            following = rows[node].get(byte)
            if following is None:
                following = rows[node][byte] = len(rows)
                rows.append({})
            node = following
        if leads_back:
            rows[node][last] = 0
        elif last not in rows[node]:
            rows[node][last] = len(rows)
            whole.add(len(rows))
            rows.append({})
        else:
            whole.add(rows[node][last])
    return rows, whole


def _shared_endings(rows: list[Row], whole: set[int]) -> tuple[list[Row], set[int]]:
    """The same trie with equal subtrees merged; its root stays node 0."""
    merged: dict[tuple[bool, tuple[tuple[int, int], ...]], int] = {}
    kept: list[int] = []
    place = [0] * len(rows)
    for node in range(len(rows) - 1, -1, -1):  # a node comes after its parent
        row = tuple((byte, place[child]) for byte, child in rows[node].items())
        key = (node in whole, row)
        if key not in merged or node == 0:
            merged[key] = len(kept)
            kept.append(node)
        place[node] = merged[key]
    root = len(kept) - 1

    def number(node: int) -> int:
        return root - place[node]

    result = [{byte: number(child) for byte, child in rows[node].items()} for node in reversed(kept)]
    return result, {number(node) for node in whole}


def _determinised(rows: list[Row], whole: set[int], gap: Row) -> Table:
    """The table of an automaton in which a separator may follow the root and every whole word.

    A byte may both continue a word and begin a separator, as the apostrophe of "don't". So a state is a set of nodes.
    """
    may_end = whole | {0}
    number_of: dict[tuple[int, ...], int] = {(0,): FIRST}
    sets: list[tuple[int, ...]] = [(0,)]
    edges: list[tuple[int, int, int]] = []
    for nodes in sets:
        own = number_of[nodes]
        targets: dict[int, tuple[int, ...]] = {}
        for node in nodes:
            for row in (rows[node], gap) if node in may_end else (rows[node],):
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
    accepting = np.array([False, False, *(not may_end.isdisjoint(nodes) for nodes in sets)])
    settled = np.array([False, False, *(0 in nodes for nodes in sets)])
    return make_table(FIRST, after, accepting, classes=classes, settled=settled)
