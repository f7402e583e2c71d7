"""A constraint for a vocabulary: which tokens may follow, and how far each is from the end of the text."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charlm.sampling.constraints.automaton import DEAD, ENDED, NEVER, STARTS_CHARACTER, Automaton, Table, combine
from charlm.sampling.constraints.distance_search import DistanceSearch
from charlm.sampling.constraints.lookahead import LOWEST, Lookahead
from charlm.sampling.vocabulary import Vocabulary

State = tuple[int, ...]
"""The state of each automaton of a product."""
_CACHE_BYTES = 64_000_000
_MOST_KNOWN = 512  # chances of all tokens
_AT_ONCE = 65_536  # tokens that are followed together


class Position(NamedTuple):
    """Where a text is in a constraint."""

    state: State
    """The state after the text."""
    room: int
    """How many more characters there may be."""
    may_end: bool
    """Whether the text may end now. One that can only end may end in any case."""
    rest: bytes = b""
    """What the next token must begin with; it doesn't count."""


@dataclass(frozen=True, slots=True)
class Continuations:
    """What each token of a vocabulary leads to from a state."""

    next: NDArray[np.int64]
    """The states after each token, (P, V); `DEAD` for one that is not allowed, `ENDED` if the text ends in it."""
    characters: NDArray[np.int64]
    """How many characters each token adds, up to the end of the text, (V,)."""
    sizes: NDArray[np.int64]
    """How many bytes those are, (V,)."""
    needed: NDArray[np.int64]
    """The least characters from the state to the end of a text that begins with each token, (V,)."""
    ended: NDArray[np.bool_]
    """Tokens with which the text ends, EOS among them, (V,)."""
    ending: NDArray[np.float64]
    """Nats of a text that the constraint ends with each token, (V,); see `Automaton.ending`."""


class Constraint:
    """The product of P automata, for the tokens of a vocabulary."""

    def __init__(
        self,
        automata: Sequence[Automaton],
        lookaheads: Sequence[Lookahead],
        vocabulary: Vocabulary,
        search: DistanceSearch | None,
    ) -> None:
        """A product of automata, each with its lookahead.

        `search` finds exact distances in the product; None if there is one automaton, whose distances are exact.
        """
        self._automata, self._lookaheads, self._search = automata, lookaheads, search
        self._of_words = [own.settled if isinstance(own, Table) else None for own in automata]
        self.has_words = any(settled is not None for settled in self._of_words)
        """Whether there is a constraint on each word by itself."""
        self._eos, self._size = vocabulary.eos, vocabulary.size
        self.start: State = tuple(automaton.start for automaton in automata)
        self._spelling = _Spelling(vocabulary.bytes, vocabulary)
        self._vocabulary = vocabulary
        self._lasts = np.array([data[-1] if data else 0 for data in vocabulary.bytes])
        self._chances: dict[Position, NDArray[np.float64]] = {}
        self._cache: OrderedDict[State, Continuations] = OrderedDict()
        self._most = max(16, _CACHE_BYTES // (vocabulary.size * (8 * len(automata) + 25)))

    def accepts(self, state: State) -> bool:
        """Whether the text may end in a state."""
        return bool(self._accept(np.array(state)[:, None])[0])

    def is_free(self, state: State) -> bool:
        """Whether every continuation is accepted."""
        return all(bool(own.is_free(np.array([one]))[0]) for own, one in zip(self._automata, state, strict=True))

    def is_between_words(self, state: State) -> bool:
        """Whether no word has begun, for a constraint on each word by itself."""
        tables = zip(self._of_words, state, strict=True)
        return all(bool(settled[one]) for settled, one in tables if settled is not None)

    def distance(self, state: State) -> int:
        """The least number of characters after which the text may end; `NEVER` if there is no such text."""
        if self._search is not None:
            return self._search.distance(state)
        return int(self._automata[0].distance(np.array(state))[0])

    def accepts_text(self, data: bytes) -> bool:
        """Whether a text is accepted."""
        states = np.array(self.start)[:, None]
        for byte in np.frombuffer(data, dtype=np.uint8)[:, None]:
            states = np.stack([own.step(part, byte) for own, part in zip(self._automata, states, strict=True)])
        return self.accepts(tuple(states[:, 0].tolist()))

    def reaches(self, state: State, most: int) -> bool:
        """Whether the text may end after at most `most` characters. Exact, unlike `Continuations.needed`."""
        return self._search is None or self._search.distance(state) <= most

    def continuations(self, state: State, rest: bytes = b"") -> Continuations:
        """What each token leads to; `rest` is what a token must begin with and doesn't count."""
        return self._continuations([(state, rest)])[0]

    def chances(self, positions: Sequence[Position]) -> NDArray[np.float64]:
        """Nats of the chance that free writing satisfies the constraint after each token, for N positions, (N, V); -inf
        for tokens that are not allowed. A text that the constraint ends has its `ending`."""
        found = {position: self._chances[position] for position in positions if position in self._chances}
        unknown = [position for position in dict.fromkeys(positions) if position not in found]
        if unknown:
            new = dict(zip(unknown, self._new_chances(unknown), strict=True))
            if len(self._chances) + len(new) > _MOST_KNOWN:
                self._chances.clear()
            self._chances |= new
            found |= new
        return np.stack([found[position] for position in positions])

    def _new_chances(self, positions: Sequence[Position]) -> NDArray[np.float64]:
        """`chances`, computed."""
        following = self._continuations([(position.state, position.rest) for position in positions])
        shape = (len(positions), self._size)
        ended = np.stack([one.ended for one in following])
        room = np.array([position.room for position in positions])[:, None]
        allowed = np.stack([one.needed for one in following]) <= room
        goes_on = allowed & ~ended
        only_ends = np.array([position.may_end for position in positions]) | ~goes_on.any(1)
        allowed = np.where(only_ends[:, None], allowed, goes_on)
        left = np.maximum(0, room - np.stack([one.characters for one in following])).ravel()
        lasts = np.tile(self._lasts, len(positions))
        chances = np.zeros(shape)
        for number, lookahead in enumerate(self._lookaheads):
            states = np.concatenate([one.next[number] for one in following])
            chances += lookahead.log_chance(states, lasts, left).reshape(shape)
        ending = np.stack([one.ending for one in following])
        return np.where(allowed, np.where(ended, ending, np.maximum(chances, LOWEST)), -np.inf)

    def _continuations(self, places: Sequence[tuple[State, bytes]]) -> list[Continuations]:
        """`continuations` of several states, each with its rest."""
        found, new = dict[tuple[State, bytes], Continuations](), list[State]()
        for state, rest in dict.fromkeys(places):
            if rest:
                spelled = [data[len(rest) :] if data.startswith(rest) else b"" for data in self._vocabulary.bytes]
                (found[state, rest],) = self._follow([state], _Spelling(spelled, self._vocabulary))
            elif (known := self._cache.get(state)) is not None:
                self._cache.move_to_end(state)
                found[state, rest] = known
            else:
                new.append(state)
        number = max(1, _AT_ONCE // self._size)
        for first in range(0, len(new), number):
            some = new[first : first + number]
            for state, followed in zip(some, self._follow(some, self._spelling), strict=True):
                found[state, b""] = self._cache[state] = followed
        while len(self._cache) > self._most:
            self._cache.popitem(last=False)
        return [found[place] for place in places]

    def _follow(self, starts: Sequence[State], spelling: "_Spelling") -> list[Continuations]:
        """Run the automata from S states over the bytes of all tokens, one column of bytes at a time.

        Of a token in which the text ends only the bytes before the end count.
        """
        shape = (len(starts), self._size)
        begun = np.array(starts).T  # (P, S)
        states = begun.repeat(self._size, 1)  # (P, S V)
        characters, sizes = np.zeros(states.shape[1], dtype=np.int64), np.zeros(states.shape[1], dtype=np.int64)
        ending = np.zeros(states.shape[1])
        lengths = np.tile(spelling.lengths, len(starts))
        running = lengths > 0
        states[:, ~running] = DEAD
        for column in range(spelling.bytes.shape[1]):
            tokens = np.flatnonzero(running & (lengths > column))
            if not len(tokens):
                break
            data = spelling.bytes[tokens % self._size, column]
            before = states[:, tokens]
            accepted = self._accept(before)
            after = np.stack([own.step(part, data) for own, part in zip(self._automata, before, strict=True)])
            outcome = combine(after, accepted, np.full(len(tokens), NEVER))
            states[:, tokens] = np.where(outcome == NEVER, after, outcome)
            if (over := outcome == ENDED).any():
                parts = zip(self._automata, before[:, over], strict=True)
                ending[tokens[over]] = np.sum([own.ending(part) for own, part in parts], axis=0)
            going_on = outcome == NEVER
            characters[tokens] += going_on & STARTS_CHARACTER[data]
            sizes[tokens] += going_on
            running[tokens] = going_on
        ended = states[0] == ENDED
        distances = np.max(
            [own.distance(part) for own, part in zip(self._automata, states, strict=True)], axis=0, initial=0
        )
        needed = np.where(ended, characters, characters + distances)
        needed[states[0] == DEAD] = NEVER
        needed, ended = needed.reshape(shape), ended.reshape(shape)
        needed[:, self._eos] = np.where(self._accept(begun), 0, NEVER)
        ended[:, self._eos] = True
        states = states.reshape(len(states), *shape)
        characters, sizes, ending = characters.reshape(shape), sizes.reshape(shape), ending.reshape(shape)
        return [
            Continuations(states[:, row], characters[row], sizes[row], needed[row], ended[row], ending[row])
            for row in range(len(starts))
        ]

    def _accept(self, states: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the text may end in each of N states, (P, N)."""
        accepted: NDArray[np.bool_] = np.logical_and.reduce(
            [own.accepts(part) for own, part in zip(self._automata, states, strict=True)]
        )
        return accepted


class _Spelling:
    """The bytes of all tokens, as columns."""

    def __init__(self, spelled: Sequence[bytes], vocabulary: Vocabulary) -> None:
        unusable = {*vocabulary.never_written, vocabulary.eos}
        used = [b"" if token in unusable else data for token, data in enumerate(spelled)]
        self.lengths = np.array([len(data) for data in used])
        width = max(1, int(self.lengths.max()))
        joined = b"".join(data.ljust(width, b"\0") for data in used)
        self.bytes = np.frombuffer(joined, dtype=np.uint8).reshape(len(used), width)
