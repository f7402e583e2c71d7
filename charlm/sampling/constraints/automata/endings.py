"""Ways to finish a word of a lexicon: how many letters are missing, and how likely a model is to write them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charlm.sampling.constraints.automata.lexicon import LETTERS, MOST_SYLLABLES, Lexicon
from charlm.sampling.constraints.automaton import NEVER
from charlm.sampling.constraints.bigrams import Bigrams

SEPARATORS = b" \n\t,.;:!?-\"()'"
"""What stands between words."""
LINE_ENDS = b'\n,.;:!?-")'
"""What may follow the last word of a line."""
SENTENCE_ENDS = b".!?"
APOSTROPHE = b"'"
SHORT = 7
"""Letters of words that every rhyme must offer."""


@dataclass(frozen=True, slots=True, eq=False)
class Endings:
    """How words of a set are finished, from M nodes of the lexicon's tree."""

    nodes: NDArray[np.int64]
    """The nodes below which there is a word of the set, in ascending order, (M,)."""
    letters: NDArray[np.int64]
    """The fewest letters that finish a word of each number of syllables, `NEVER` if there is none, (M + 1, 8); the last
    row is that of all other nodes."""
    chances: NDArray[np.float64]
    """The chance that a model finishes such a word, (M + 1, 8)."""
    counts: NDArray[np.int64]
    """The number of such words, (M + 1, 8)."""

    def letters_at(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The letters of each of N nodes, (N, 8)."""
        return self.letters[self.rows(nodes)]

    def chances_at(self, nodes: NDArray[np.int64]) -> NDArray[np.float64]:
        """The chances of each of N nodes, (N, 8)."""
        return self.chances[self.rows(nodes)]

    def rows(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each node."""
        places = np.minimum(np.searchsorted(self.nodes, nodes), len(self.nodes) - 1)
        return np.where(self.nodes[places] == nodes, places, len(self.nodes))


@dataclass(frozen=True, slots=True, eq=False)
class EndingsWithout:
    """How words of a set are finished that are not in a subset."""

    all: Endings
    left_out: Endings
    """The endings of the subset."""

    def letters_at(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Endings`: an upper bound where a word of the subset is the shortest."""
        rows, others = self.all.rows(nodes), self.left_out.rows(nodes)
        letters, shortest = self.all.letters[rows], self.left_out.letters[others]
        none = self.all.counts[rows] == self.left_out.counts[others]
        return np.where(none, NEVER, letters + np.where(letters == shortest, SHORT, 0))

    def chances_at(self, nodes: NDArray[np.int64]) -> NDArray[np.float64]:
        """See `Endings`."""
        rows, others = self.all.rows(nodes), self.left_out.rows(nodes)
        left: NDArray[np.float64] = np.maximum(self.all.chances[rows] - self.left_out.chances[others], 0.0)
        return np.where(self.all.counts[rows] == self.left_out.counts[others], 0.0, left)


def likely_letters(lexicon: Lexicon, bigrams: Bigrams) -> tuple[NDArray[np.float64], ...]:
    """Nats of the letters that lead to each node, and the chances that a word or line ends after each, (N,) each."""
    letters = [np.frombuffer((one + one.upper()).encode(), dtype=np.uint8) for one in LETTERS]
    spelled = [own[np.isin(own, bigrams.bytes)] for own in letters]
    gaps = [np.frombuffer(own, dtype=np.uint8) for own in (SEPARATORS.replace(APOSTROPHE, b""), LINE_ENDS)]
    columns = [bigrams.place(own[np.isin(own, bigrams.bytes)]) for own in gaps]
    rows = np.stack(
        [bigrams.following[bigrams.place(own[:1])[0]] if len(own) else bigrams.frequencies for own in spelled]
        + [bigrams.following[bigrams.place(np.array([ord(" ")]))[0]]]
    )  # (28, A + 1), the last after a space
    table = np.stack([rows[:, bigrams.place(own)].sum(1) if len(own) else np.zeros(28) for own in spelled], 1)
    before = np.where(lexicon.parent == 0, len(LETTERS), lexicon.letter[lexicon.parent])
    with np.errstate(divide="ignore"):
        nats = np.maximum(np.log(table), -50.0)[before, lexicon.letter]
    nats[0] = 0.0
    total = np.zeros(len(nats))
    for depth in range(1, int(lexicon.depth.max()) + 1):
        own = np.flatnonzero(lexicon.depth == depth)
        total[own] = total[lexicon.parent[own]] + nats[own]
    return total, *(rows[:, own].sum(1)[lexicon.letter] for own in columns)


def whole_sentences(bigrams: Bigrams) -> float:
    """The share of the marks that may end a line that end a sentence."""
    sentences, lines = (
        bigrams.frequencies[:-1][np.isin(bigrams.bytes, np.frombuffer(own, dtype=np.uint8))].sum()
        for own in (SENTENCE_ENDS, LINE_ENDS)
    )
    return float(sentences / max(lines, 1e-9))


def endings(
    lexicon: Lexicon, words: NDArray[np.int64], nats: NDArray[np.float64], ends: NDArray[np.float64]
) -> Endings:
    """The endings of some words; `nats` and `ends`, for words or lines, are those of `likely_letters`."""
    own = lexicon.node[words].astype(np.int64)
    sources, places = [], []
    nodes, index = own, np.arange(len(words))
    while len(nodes):
        sources.append(nodes)
        places.append(index)
        index = index[nodes != 0]
        nodes = lexicon.parent[nodes[nodes != 0]].astype(np.int64)
    above, index = np.concatenate(sources), np.concatenate(places)
    unique, rows = np.unique(above, return_inverse=True)
    shape = (len(unique) + 1, MOST_SYLLABLES + 1)
    letters, chances, counts = np.full(shape, NEVER, dtype=np.int64), np.zeros(shape), np.zeros(shape, dtype=np.int64)
    syllables = lexicon.syllables[words][index]
    np.minimum.at(letters, (rows, syllables), lexicon.depth[own[index]].astype(np.int64) - lexicon.depth[above])
    np.add.at(chances, (rows, syllables), np.exp(nats[own[index]] - nats[above]) * ends[own[index]])
    np.add.at(counts, (rows, syllables), 1)
    return Endings(unique, letters, chances, counts)
