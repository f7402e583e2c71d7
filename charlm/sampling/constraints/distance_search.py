"""Exact distances in a product of automata that is too large for a table: a search for the nearest accepted text."""

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from charlm.sampling.constraints.automaton import DEAD, ENDED, NEVER, STARTS_CHARACTER, Automaton, combine

State = tuple[int, ...]
_MOST_EXPANDED = 20_000
_MOST_KNOWN = 200_000


class DistanceSearch:
    """Finds how many characters a state of a product is from acceptance, and remembers it.

    The search is A* (Hart, Nilsson and Raphael 1968), whose lower bound is the largest distance of the single automata.
    """

    def __init__(self, automata: Sequence[Automaton], letters: NDArray[np.uint8]) -> None:
        """For a product of automata, and the bytes that a text may have."""
        self._automata, self._letters = automata, letters
        self._known: dict[State, int] = {}

    def distance(self, state: State) -> int:
        """The least number of characters to acceptance; `NEVER` if there is none, or none that the search finds."""
        if ENDED in state:
            return 0
        if DEAD in state:
            return NEVER
        if state not in self._known:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            self._search(state)
        return self._known[state]

    def _search(self, start: State) -> None:
        """Find the distance of a state, which must not be known, and remember it.

        Among states of the same bound the one furthest from the start comes first. A known distance replaces the bound,
        and ends the search when its state is reached.
        """
        parents: dict[State, tuple[State, int]] = {}
        costs = {start: 0}
        bound = int(self._bounds(np.array(start)[:, None])[0])
        waiting = [(bound, 0, 0, start)]
        order = 0
        done: set[State] = set()
        while waiting and len(done) < _MOST_EXPANDED:
            _, _, _, state = heapq.heappop(waiting)
            if state in done:
                continue
            done.add(state)
            rest = 0 if self._accepts(state) else self._known.get(state)
            if rest == NEVER:
                continue
            if rest is not None:
                self._remember(start, state, rest, parents)
                return
            repeated = np.array(state)[:, None].repeat(len(self._letters), 1)
            parts = [own.step(part, self._letters) for own, part in zip(self._automata, repeated, strict=True)]
            after = np.stack(parts)
            allowed = combine(after, np.zeros(len(self._letters), dtype=bool), np.full(len(self._letters), NEVER))
            places = np.flatnonzero(allowed == NEVER)
            bounds = self._bounds(after[:, places])
            for place, bound in zip(places.tolist(), bounds.tolist(), strict=True):
                following = tuple(after[:, place].tolist())
                weight = int(STARTS_CHARACTER[self._letters[place]])
                cost = costs[state] + weight
                bound = self._known.get(following, bound)
                if bound < NEVER and cost < costs.get(following, NEVER):
                    costs[following] = cost
                    parents[following] = (state, weight)
                    order += 1
                    heapq.heappush(waiting, (cost + bound, -cost, order, following))
        self._known[start] = NEVER

    def _remember(self, start: State, state: State, distance: int, parents: dict[State, tuple[State, int]]) -> None:
        """Remember the distances of all states on the way that the search found."""
        self._known[state] = distance
        while state != start:
            state, weight = parents[state]
            distance += weight
            self._known[state] = distance

    def _accepts(self, state: State) -> bool:
        return all(bool(own.accepts(np.array([one]))[0]) for own, one in zip(self._automata, state, strict=True))

    def _bounds(self, states: NDArray[np.int64]) -> NDArray[np.int64]:
        own = zip(self._automata, states, strict=True)
        bounds: NDArray[np.int64] = np.max([one.distance(part) for one, part in own], axis=0)
        return bounds
