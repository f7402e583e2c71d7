"""Deterministic automata over the bytes of UTF-8, and their table form.

A constraint is an automaton that reads a text byte by byte, so that it works for every tokenizer, wherever a token
begins or ends. Lengths are counted in characters: the first byte of a character counts 1 and the others 0.
"""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

States = NDArray[np.int64]
Bytes = NDArray[np.uint8]

DEAD, ENDED = 0, 1
"""States that every automaton has. Dead: no continuation is accepted. Ended: the text before the last byte is accepted
and ends there, because the automaton doesn't allow that byte."""
FIRST = 2
"""The lowest number of any other state."""
NEVER = 1 << 40
"""The distance of a state from which no text is accepted, characters."""
UNFINISHED = math.log(0.02)
"""Nats of a text whose last sentence is not complete, where the constraint ends it."""

Key = TypeVar("Key", bound=Hashable)

STARTS_CHARACTER = np.array([byte & 0xC0 != 0x80 for byte in range(256)])


class Automaton(Protocol):
    """A deterministic automaton over bytes. All methods are vectorised over N states."""

    @property
    def start(self) -> int:
        """The state of the empty text."""

    def step(self, states: States, data: Bytes) -> States:
        """The states after one more byte each, (N,)."""

    def accepts(self, states: States) -> NDArray[np.bool_]:
        """Whether the text may end in these states, (N,)."""

    def distance(self, states: States) -> States:
        """The least number of characters after which the text may end, (N,); `NEVER` if there is no such text."""

    def is_free(self, states: States) -> NDArray[np.bool_]:
        """Whether every continuation that can be written is accepted, (N,)."""

    def ending(self, states: States) -> NDArray[np.float64]:
        """Nats by which a text that the constraint ends in these states is preferred to others, at most 0, (N,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """An automaton of S states, `DEAD` and `ENDED` included, as a table over C classes of bytes."""

    start: int
    next: NDArray[np.int32]
    """The state after each state and class, (S, C)."""
    classes: NDArray[np.int16]
    """The class of each byte, (256,). Bytes that start a character share no class with others."""
    accepting: NDArray[np.bool_]
    """(S,)."""
    distances: States
    """(S,)."""
    free: NDArray[np.bool_]
    """Whether every continuation that can be written is accepted, (S,)."""
    ends: bool = False
    """Whether a byte that is not allowed ends an accepted text."""
    settled: NDArray[np.bool_] | None = None
    """For a constraint on each word by itself: whether no word has begun, (S,)."""
    endings: NDArray[np.float64] | None = None
    """Nats of a text that the constraint ends in each state, (S,); 0 for all without them."""

    def step(self, states: States, data: Bytes) -> States:
        """See `Automaton.step`."""
        return self.next[states, self.classes[data]].astype(np.int64)

    def accepts(self, states: States) -> NDArray[np.bool_]:
        """See `Automaton.accepts`."""
        return self.accepting[states]

    def distance(self, states: States) -> States:
        """See `Automaton.distance`."""
        return self.distances[states]

    def is_free(self, states: States) -> NDArray[np.bool_]:
        """See `Automaton.is_free`."""
        return self.free[states]

    def ending(self, states: States) -> NDArray[np.float64]:
        """See `Automaton.ending`."""
        return np.zeros(len(states)) if self.endings is None else self.endings[states]

    @property
    def size(self) -> int:
        """S."""
        return len(self.next)


def make_table(
    start: int,
    after: NDArray[np.int32],
    accepting: NDArray[np.bool_],
    *,
    free: NDArray[np.bool_] | None = None,
    classes: NDArray[np.int16] | None = None,
    ends: bool = False,
    settled: NDArray[np.bool_] | None = None,
    endings: NDArray[np.float64] | None = None,
) -> Table:
    """A table from the state after each state and class of bytes, (S, C), or each byte, (S, 256), without `classes`.

    States from which nothing is accepted become `DEAD`. With `ends`, a byte that is not allowed after an accepted text
    leads to `ENDED` instead.
    """
    if classes is None:
        after, classes = _classes_of(after)
    after = after.copy()
    if ends:
        after[(after == DEAD) & accepting[:, None]] = ENDED
    after[DEAD], after[ENDED] = DEAD, ENDED
    distances = _distances(after, classes, accepting)
    lost = distances >= NEVER
    lost[ENDED] = False
    after[lost[after]] = DEAD
    if free is None:
        free = _free_states(after, accepting)
    return Table(
        start=DEAD if lost[start] else start,
        next=after,
        classes=classes,
        accepting=accepting,
        distances=distances,
        free=free,
        ends=ends,
        settled=settled,
        endings=endings,
    )


def explore(
    start: Key,
    step: Callable[[Key, int], Key | None],
    accepts: Callable[[Key], bool],
    *,
    ends: bool = False,
    ending: Callable[[Key], float] | None = None,
) -> Table:
    """The table of a small automaton whose states are any hashable values; `step` returns None for a byte that is not
    allowed, and `ending` the nats of `Automaton.ending`."""
    number_of: dict[Key, int] = {start: FIRST}
    waiting = [start]
    rows: list[list[int]] = []
    for state in waiting:
        row = []
        for byte in range(256):
            following = step(state, byte)
            if following is not None and following not in number_of:
                number_of[following] = FIRST + len(number_of)
                waiting.append(following)
            row.append(DEAD if following is None else number_of[following])
        rows.append(row)
    after = np.array([[DEAD] * 256, [ENDED] * 256, *rows], dtype=np.int32)
    accepting = np.array([False, False, *map(accepts, waiting)])
    endings = None if ending is None else np.array([0.0, 0.0, *map(ending, waiting)])
    return make_table(FIRST, after, accepting, ends=ends, endings=endings)


def intersect(first: Table, second: Table, *, most: int) -> Table | None:
    """The automaton of the texts that both accept; None if it has more than `most` states.

    A text ends where one of them ends it, provided that both accept it.
    """
    width = int(second.classes.max()) + 1
    pairs, classes = np.unique(first.classes.astype(np.int64) * width + second.classes, return_inverse=True)
    columns = np.divmod(pairs, width)
    codes = np.array([first.start * second.size + second.start])  # of the product's states, in the order of numbers
    if DEAD in (first.start, second.start):
        codes = np.array([DEAD])
    blocks: list[NDArray[np.int64]] = []
    number_of: dict[int, int] = {int(codes[0]): FIRST}
    frontier = codes
    order = [int(codes[0])]
    while len(frontier):
        ones, others = np.divmod(frontier, second.size)
        left, right = first.next[ones][:, columns[0]], second.next[others][:, columns[1]]
        accepted = (first.accepting[ones] & second.accepting[others])[:, None]
        following = combine(np.stack([left, right]), accepted, left.astype(np.int64) * second.size + right)
        blocks.append(following)
        found = [int(code) for code in np.unique(following[following >= FIRST]) if int(code) not in number_of]
        for code in found:
            number_of[code] = FIRST + len(order)
            order.append(code)
        if len(order) > most:
            return None
        frontier = np.array(found, dtype=np.int64)
    known = np.array(sorted(number_of), dtype=np.int64)
    numbers = np.array([number_of[int(code)] for code in known], dtype=np.int32)
    codes_after = np.concatenate(blocks)
    after = codes_after.astype(np.int32)
    is_state = codes_after >= FIRST
    after[is_state] = numbers[np.searchsorted(known, codes_after[is_state])]
    ones, others = np.divmod(np.array(order), second.size)
    nothing = np.zeros(FIRST, dtype=bool)
    endings = [table.endings[own] for table, own in ((first, ones), (second, others)) if table.endings is not None]
    settled = [table.settled[own] for table, own in ((first, ones), (second, others)) if table.settled is not None]
    accepting = np.concatenate([nothing, first.accepting[ones] & second.accepting[others]])
    sinks = np.array([[DEAD], [ENDED]], dtype=np.int32).repeat(len(pairs), 1)
    product = make_table(
        FIRST,
        np.concatenate([sinks, after]),
        accepting,
        free=np.concatenate([nothing, first.free[ones] & second.free[others]]),
        classes=classes.astype(np.int16),
        settled=np.concatenate([nothing, *settled[:1]]) & accepting if settled else None,
        endings=np.concatenate([np.zeros(FIRST), np.sum(endings, 0)]) if endings else None,
    )
    return replace(product, ends=first.ends or second.ends)


def combine(parts: NDArray[np.integer], accepted: NDArray[np.bool_], alive: NDArray[np.int64]) -> NDArray[np.int64]:
    """`alive`, but `DEAD` or `ENDED` where parts of a product, (P, ...), are; it ends only where all accepted it."""
    ended = (parts == ENDED).any(0)
    dead = (parts == DEAD).any(0) | (ended & ~accepted)
    return np.where(dead, DEAD, np.where(ended, ENDED, alive))


def _classes_of(after: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """The table over classes, and the class of each byte, of a table over bytes, (S, 256)."""
    columns = np.concatenate([after, STARTS_CHARACTER[None].astype(np.int32)])
    _, firsts, classes = np.unique(columns, axis=1, return_index=True, return_inverse=True)
    return after[:, firsts], classes.reshape(-1).astype(np.int16)


def _distances(after: NDArray[np.int32], classes: NDArray[np.int16], accepting: NDArray[np.bool_]) -> States:
    """Characters from each state to the nearest accepting one, (S,): a breadth-first search from these backwards."""
    weight = np.zeros(after.shape[1], dtype=bool)
    weight[classes[STARTS_CHARACTER]] = True
    size = len(after)
    predecessors = []
    for columns in (after[:, ~weight], after[:, weight]):  # edges of weight 0, and of weight 1
        flat = columns.ravel()
        order = np.argsort(flat, kind="stable")
        bounds = np.searchsorted(flat[order], np.arange(size + 1))
        predecessors.append((order // max(1, columns.shape[1]), bounds))
    distances = np.full(size, NEVER, dtype=np.int64)
    frontier = np.flatnonzero(accepting)
    steps = 0
    while len(frontier):
        distances[frontier] = steps
        inner = frontier
        while len(inner := _unvisited(inner, *predecessors[0], distances)):
            distances[inner] = steps
            frontier = np.concatenate([frontier, inner])
        frontier = _unvisited(frontier, *predecessors[1], distances)
        steps += 1
    return distances


def _unvisited(states: States, sources: States, bounds: States, distances: States) -> States:
    """Those states with an edge into `states` whose distance is not known."""
    starts, counts = bounds[states], bounds[states + 1] - bounds[states]
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    found = np.unique(sources[np.repeat(starts, counts) + offsets])
    unvisited: States = found[(distances[found] >= NEVER) & (found >= FIRST)]
    return unvisited


def _free_states(after: NDArray[np.int32], accepting: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest set of accepting states that no byte leaves, (S,)."""
    free = accepting.copy()
    while True:
        kept = free & free[after].all(1)
        if (kept == free).all():
            return free
        free = kept
