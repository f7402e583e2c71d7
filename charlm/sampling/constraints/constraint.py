"""A constraint for a vocabulary: which tokens may follow, and how far each is from the end of the text."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

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
        self._chances: dict[tuple[State, int, bool, bytes], NDArray[np.float64]] = {}
        self._cache: OrderedDict[State, Continuations] = OrderedDict()
        self._most = max(16, _CACHE_BYTES // (vocabulary.size * (8 * len(automata) + 25)))

    def accepts(self, state: State) -> bool:
        """Whether the text may end in a state."""
        return all(bool(own.accepts(np.array([one]))[0]) for own, one in zip(self._automata, state, strict=True))

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
        if rest:
            spelled = [data[len(rest) :] if data.startswith(rest) else b"" for data in self._vocabulary.bytes]
            return self._follow(state, _Spelling(spelled, self._vocabulary))
        found = self._cache.get(state)
        if found is None:
            found = self._cache[state] = self._follow(state, self._spelling)
            if len(self._cache) > self._most:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(state)
        return found

    def chances(self, state: State, room: int, *, may_end: bool, rest: bytes = b"") -> NDArray[np.float64]:
        """Nats of the chance that free writing satisfies the constraint after each token, (V,); -inf for tokens that
        are not allowed. A text that the constraint ends has its `ending`.

        Args:
            state: the state before.
            room: how many more characters there may be.
            may_end: whether the text may end now. One that can only end may end in any case.
            rest: as in `continuations`.
        """
        key = (state, room, may_end, rest)
        if (known := self._chances.get(key)) is not None:
            return known
        following = self.continuations(state, rest)
        allowed = following.needed <= room
        if not may_end and (goes_on := allowed & ~following.ended).any():
            allowed = goes_on
        left = np.maximum(0, room - following.characters)
        chances = np.zeros(self._size)
        for lookahead, states in zip(self._lookaheads, following.next, strict=True):
            chances += lookahead.log_chance(states, self._lasts, left)
        chances = np.where(following.ended, following.ending, np.maximum(chances, LOWEST))
        if len(self._chances) >= _MOST_KNOWN:
            self._chances.clear()
        known = self._chances[key] = np.where(allowed, chances, -np.inf)
        return known

    def _follow(self, state: State, spelling: "_Spelling") -> Continuations:
        """Run the automata over the bytes of all tokens, one column of bytes at a time.

        Of a token in which the text ends only the bytes before the end count.
        """
        states = np.array(state)[:, None].repeat(self._size, 1)  # (P, V)
        characters, sizes = np.zeros(self._size, dtype=np.int64), np.zeros(self._size, dtype=np.int64)
        ending = np.zeros(self._size)
        running = spelling.lengths > 0
        states[:, ~running] = DEAD
        for column in range(spelling.bytes.shape[1]):
            tokens = np.flatnonzero(running & (spelling.lengths > column))
            if not len(tokens):
                break
            data = spelling.bytes[tokens, column]
            before = states[:, tokens]
            accepted = np.logical_and.reduce(
                [own.accepts(part) for own, part in zip(self._automata, before, strict=True)]
            )
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
        needed[self._eos] = 0 if self.accepts(state) else NEVER
        ended[self._eos] = True
        return Continuations(states, characters, sizes, needed, ended, ending)


class _Spelling:
    """The bytes of all tokens, as columns."""

    def __init__(self, spelled: Sequence[bytes], vocabulary: Vocabulary) -> None:
        unusable = {*vocabulary.never_written, vocabulary.eos}
        used = [b"" if token in unusable else data for token, data in enumerate(spelled)]
        self.lengths = np.array([len(data) for data in used])
        width = max(1, int(self.lengths.max()))
        joined = b"".join(data.ljust(width, b"\0") for data in used)
        self.bytes = np.frombuffer(joined, dtype=np.uint8).reshape(len(used), width)
