"""The chance that free writing satisfies a constraint: what a look-ahead sees.

The model's own writing is approximated by its byte bigrams. With B(c' | c) their probabilities, s.c' the state after
one more byte, and w(c') = 1 for the first byte of a character and 0 for another, the chance that a text in state s with
last byte c satisfies the constraint within n more characters is

    psi_0(s, c) = 1 if s is accepting else 0
    psi_n(s, c) = sum over c' of B(c' | c) psi_{n - w(c')}(s.c', c')

where the state after which a text has ended counts 1, or less if it ends inside a sentence (`Automaton.ending`), and
the end of a document counts 1 in an accepting state.

A constraint on each word by itself has no look-ahead: whole words are drafted and compared
(`charlm.sampling.constraints.word_by_word`). Bigrams would favour short words: after "k" they hardly see "king".

Source: the exact look-ahead of an approximate model of Zhang et al. 2023 (GeLaTo, arXiv 2304.07438) and 2024 (Ctrl-G,
arXiv 2406.13892), with bigrams for their hidden Markov model.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from charlm.sampling.constraints.automaton import ENDED, STARTS_CHARACTER, States, Table
from charlm.sampling.constraints.bigrams import Bigrams

LOWEST = -700.0
"""Nats of the smallest chance, so that what is possible is never ruled out."""
_CUT = 0.05
"""The chance of a text that the maximum length cuts off where it might have ended by itself."""
_WORK = 2e9  # multiplications
_MEMORY = 6_000_000  # numbers
_MORE_BYTES = 3  # bytes of a character after its first


class Lookahead(Protocol):
    """The chance that free writing satisfies a constraint."""

    def log_chance(self, states: States, last: States, remaining: States) -> NDArray[np.float64]:
        """Nats of the chance, (N,).

        Args:
            states: N states.
            last: the last byte before each.
            remaining: how many more characters each may have.
        """


class NoLookahead:
    """The lookahead of a constraint on each word by itself: whatever is allowed has the chance 1."""

    def log_chance(self, states: States, last: States, remaining: States) -> NDArray[np.float64]:
        """See `Lookahead.log_chance`."""
        return np.zeros(len(states))


class TableLookahead:
    """The chances of a table, by the recursion above."""

    def __init__(self, table: Table, bigrams: Bigrams, longest: int) -> None:
        """Compute the chances up to `longest` characters, or fewer for a large table: they are then taken as constant.

        A table too large for bigrams uses the frequencies of single bytes.
        """
        self._bigrams = bigrams
        letters = len(bigrams.bytes)
        self._by_last = table.size * letters * letters * 64 <= _WORK
        contexts = bigrams.following if self._by_last else bigrams.frequencies[None]  # (A or 1, A + 1)
        work = table.size * letters * (letters if self._by_last else 1)
        longest = int(min(longest, max(24, _WORK // work)))
        most = max(8, _MEMORY // (table.size * len(contexts)))
        kept = _grid(longest, most)
        following = table.next[:, table.classes[bigrams.bytes]]  # (S, A)
        starts = STARTS_CHARACTER[bigrams.bytes]
        splits = not starts.all()
        columns = np.arange(letters) if self._by_last else np.zeros(letters, dtype=np.int64)
        at_end = table.accepting[:, None] * contexts[None, :, -1]  # (S, A or 1)
        ending = np.exp(table.ending(np.arange(table.size)))
        at_most = np.where(table.accepting, _CUT * ending if table.ends else 1.0, 0.0)
        chance = at_most[:, None].repeat(len(contexts), 1)
        is_one = np.arange(table.size) == ENDED
        chance[is_one] = 1
        factor = np.where(following == ENDED, ending[:, None], 1.0)  # (S, A)
        self._logs = np.empty((len(kept), table.size, len(contexts)), dtype=np.float32)
        self._place = np.zeros(longest + 1, dtype=np.int64)
        row = 0
        for number in range(longest + 1):
            if number:
                gathered = chance[following, columns] * factor  # (S, A)
                new = gathered @ contexts[:, :-1].T + at_end
                for _ in range(_MORE_BYTES if splits else 0):
                    new[is_one] = 1
                    gathered = np.where(starts, gathered, new[following, columns] * factor)
                    new = gathered @ contexts[:, :-1].T + at_end
                chance = new
                chance[is_one] = 1
            if number in kept:
                with np.errstate(divide="ignore"):
                    self._logs[row] = np.maximum(np.log(chance), LOWEST)
                row += 1
            self._place[number] = max(0, row - 1)

    def log_chance(self, states: States, last: States, remaining: States) -> NDArray[np.float64]:
        """See `Lookahead.log_chance`."""
        numbers = self._place[np.clip(remaining, 0, len(self._place) - 1)]
        context = self._bigrams.place(last) if self._by_last else np.zeros(len(states), dtype=np.int64)
        logs: NDArray[np.float64] = self._logs[numbers, states, context].astype(np.float64)
        return logs


def _grid(longest: int, most: int) -> set[int]:
    """At most about `most` lengths up to `longest`, the short ones all, the others at growing distances."""
    if longest < most:
        return set(range(longest + 1))
    half = most // 2
    return {*range(half), *np.geomspace(max(1, half), longest, half).astype(int).tolist()}
