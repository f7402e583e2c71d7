"""Lines of English verse: each has its number of syllables; lines with the same letter of a scheme rhyme, and others
don't. There are no blank lines between them, and none before them has anything else than white space.

A state is a line, the syllables that it still needs, a node of the lexicon's tree of letters, and the words that later
lines must rhyme with. One more line stands for the end of a sentence after the last.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charlm.sampling.constraints.automata.endings import (
    APOSTROPHE,
    LINE_ENDS,
    SENTENCE_ENDS,
    SEPARATORS,
    SHORT,
    Endings,
    EndingsWithout,
    endings,
    likely_letters,
    whole_sentences,
)
from charlm.sampling.constraints.automata.lexicon import LETTERS, MOST_SYLLABLES, Lexicon
from charlm.sampling.constraints.automaton import DEAD, ENDED, FIRST, NEVER, UNFINISHED, Bytes, States
from charlm.sampling.constraints.bigrams import Bigrams
from charlm.sampling.constraints.lookahead import LOWEST

_NEWLINE = ord("\n")
_FEW = 2  # syllables of words that every rhyme must offer
_LETTER = np.full(256, -1)
for _place, _one in enumerate(LETTERS):
    _LETTER[[ord(_one), ord(_one.upper())]] = _place
_BLANK, _BEGUN = 0, 1  # contexts without rhymes: of white space alone, and after that
_CUT = math.exp(UNFINISHED)
_CLOSING = b"\"')"
_SEPARATES = np.isin(np.arange(256), np.frombuffer(SEPARATORS, dtype=np.uint8))

Bound = tuple[tuple[int, ...], ...]
"""For each letter of the scheme, the words at the ends of its lines so far."""


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """What is left of a line, given the rhymes so far."""

    last: Endings | EndingsWithout
    """Of the words that may end the line."""
    fewest: NDArray[np.int64]
    """The fewest characters of each number of syllables up to the end of the line, (R + 1,)."""
    likely: NDArray[np.float64]
    """The chance of words of each number of syllables, (R + 1,)."""


class Verse:
    """An automaton (see `charlm.sampling.constraints.automaton.Automaton`) and its lookahead."""

    def __init__(self, lexicon: Lexicon, syllables: tuple[int, ...], scheme: str, bigrams: Bigrams) -> None:
        """Lines of `syllables`; `scheme` has a letter for each line, or is "" for lines that need not rhyme."""
        self._lexicon, self._targets = lexicon, np.array(syllables)
        self._nats, ends_word, self._ends_line = likely_letters(lexicon, bigrams)
        self._nodes, self._most = len(lexicon.child), max(syllables) + 1
        repeated = sorted({letter for letter in scheme if scheme.count(letter) > 1})
        self._letter_of = [repeated.index(letter) if letter in repeated else None for letter in scheme.ljust(self.num)]
        words = np.arange(len(lexicon.words))
        self._all = endings(lexicon, words, self._nats, ends_word)
        self._viable = [self._rhyming(number) for number in range(len(repeated))]
        self._viable_endings = [self._endings(np.flatnonzero(words)) for words in self._viable]
        unbound: Bound = ((),) * len(repeated)
        self._contexts = [unbound, unbound]
        self._number_of = {unbound: _BEGUN}
        self._lines: dict[tuple[int, tuple[int, ...] | frozenset[int]], _Line] = {}
        self._free = self._line(self._endings(words))
        self._whole = _CUT + (1 - _CUT) * whole_sentences(bigrams)

    @property
    def num(self) -> int:
        """The number of lines."""
        return len(self._targets)

    @property
    def start(self) -> int:
        """See `Automaton.start`."""
        return self._code(_BLANK, 0, int(self._targets[0]), 0)

    def step(self, states: States, data: Bytes) -> States:
        """See `Automaton.step`."""
        after = np.where(states == ENDED, ENDED, DEAD)
        alive = states >= FIRST
        context, line, rest, node = self._parts(states)
        letter = _LETTER[data]
        child = np.where(letter >= 0, self._lexicon.child[node, np.maximum(letter, 0)], 0)
        spells = alive & (child > 0) & (rest > 0)
        after = np.where(spells, states - node + child, after)
        for place in np.flatnonzero(alive & ~spells & _SEPARATES[data]).tolist():
            after[place] = self._separate(
                int(context[place]), int(line[place]), int(rest[place]), int(node[place]), int(data[place])
            )
        return after

    def accepts(self, states: States) -> NDArray[np.bool_]:
        """See `Automaton.accepts`."""
        context, line, rest, node = self._parts(states)
        accepted: NDArray[np.bool_] = (states >= FIRST) & (line >= self.num - 1) & (rest == 0) & (node == 0)
        word = self._lexicon.word[node]
        whole = (states >= FIRST) & (line == self.num - 1) & (word >= 0) & (self._lexicon.syllables[word] == rest)
        for place in np.flatnonzero(whole).tolist():
            accepted[place] = self._bind(int(context[place]), int(line[place]), int(word[place])) is not None
        return accepted

    def distance(self, states: States) -> States:
        """See `Automaton.distance`: an upper bound where a line still has a choice of rhymes."""
        distances = np.where(states == ENDED, 0, NEVER)
        for places, context, line, rest, node in self._groups(states):
            if line == self.num:
                distances[places] = 0
                continue
            own = self._after(context, line)
            later = sum(1 + self._fewest(context, number) for number in range(line + 1, self.num))
            begun = node != 0
            distances[places[~begun]] = later + own.fewest[rest]
            if begun.any():
                every, last = self._all.letters_at(node), own.last.letters_at(node)
                least = last[:, rest] if rest <= MOST_SYLLABLES else np.full(len(node), NEVER)
                for number in range(1, min(rest, MOST_SYLLABLES + 1)):
                    least = np.minimum(least, every[:, number] + 1 + own.fewest[rest - number])
                distances[places[begun]] = np.minimum(least + later, NEVER)[begun]
        return distances

    def is_free(self, states: States) -> NDArray[np.bool_]:
        """See `Automaton.is_free`."""
        return np.zeros(len(states), dtype=bool)

    def ending(self, states: States) -> NDArray[np.float64]:
        """See `Automaton.ending`."""
        return np.where(self._parts(states)[1] == self.num, 0.0, UNFINISHED)

    def log_chance(self, states: States, last: States, remaining: States) -> NDArray[np.float64]:
        """See `Lookahead.log_chance`: the chance of words with these syllables and rhymes."""
        chances = np.where(states == ENDED, 1.0, 0.0)
        for places, context, line, rest, node in self._groups(states):
            if line == self.num:
                chances[places] = 1.0
                continue
            own = self._after(context, line)
            later = self._whole * np.prod([self._likely(context, number) for number in range(line + 1, self.num)])
            begun = node != 0
            is_over = line == self.num - 1 and rest == 0
            chances[places[~begun]] = _CUT if is_over else later * own.likely[rest]
            if begun.any():
                every, ending = self._all.chances_at(node), own.last.chances_at(node)
                chance = ending[:, rest] if rest <= MOST_SYLLABLES else np.zeros(len(node))
                for number in range(1, min(rest, MOST_SYLLABLES + 1)):
                    chance = chance + every[:, number] * own.likely[rest - number]
                chances[places[begun]] = (chance * later)[begun]
        with np.errstate(divide="ignore"):
            return np.maximum(np.log(chances), LOWEST)

    def _separate(self, context: int, line: int, rest: int, node: int, byte: int) -> int:
        """The state after a separator."""
        if node:
            if byte == ord(APOSTROPHE):  # what follows would be a part of the word that is not pronounced as counted
                return DEAD
            word = int(self._lexicon.word[node])
            if word < 0 or (rest := rest - int(self._lexicon.syllables[word])) < 0:
                return DEAD
            if rest == 0:
                bound = self._bind(context, line, word)
                if bound is None:
                    return DEAD
                context = bound
        if rest == 0 and byte not in LINE_ENDS:
            return DEAD
        last = self.num - 1
        if context == _BLANK and not node and bytes([byte]).isspace():
            return self.start
        context = max(context, _BEGUN)
        if byte != _NEWLINE:
            if rest == 0 and line >= last:
                is_whole = byte in SENTENCE_ENDS or (line > last and byte in _CLOSING)
                line = last + is_whole
            return self._code(context, line, rest, 0)
        if rest:
            return DEAD
        return ENDED if line >= last else self._code(context, line + 1, int(self._targets[line + 1]), 0)

    def _bind(self, context: int, line: int, word: int) -> int | None:
        """The context after a word at the end of a line; None if it doesn't rhyme, or with another letter."""
        letter = self._letter_of[line]
        if letter is None:
            return context
        bound = self._contexts[context]
        own = bound[letter]
        rhymes = self._lexicon.rhymes
        if (rhymes[own[0]] != rhymes[word] or word in own) if own else not self._viable[letter][word]:
            return None
        if not own and rhymes[word] in self._taken(context):
            return None
        new = (*bound[:letter], (*own, word), *bound[letter + 1 :])
        if new not in self._number_of:
            self._number_of[new] = len(self._contexts)
            self._contexts.append(new)
        return self._number_of[new]

    def _after(self, context: int, line: int) -> _Line:
        """The line in a context."""
        if (letter := self._letter_of[line]) is None:
            return self._free
        bound = self._contexts[context]
        key = (letter, bound[letter] or self._taken(context))
        if (known := self._lines.get(key)) is None:
            known = self._lines[key] = self._line(self._last_words(*key))
        return known

    def _last_words(self, letter: int, bound: tuple[int, ...] | frozenset[int]) -> Endings | EndingsWithout:
        """The words that may end a line, given the words at the ends of its letter's lines so far, or, if there are
        none, the rhymes of other letters."""
        rhymes = self._lexicon.rhymes
        if isinstance(bound, tuple):
            words = np.flatnonzero(rhymes == rhymes[bound[0]])
            return self._endings(words[~np.isin(words, bound)])
        words, viable = np.flatnonzero(self._viable[letter] & np.isin(rhymes, [*bound])), self._viable_endings[letter]
        return EndingsWithout(viable, self._endings(words)) if len(words) else viable

    def _taken(self, context: int) -> frozenset[int]:
        """The rhymes of a context, which no other letter may have."""
        return frozenset(int(self._lexicon.rhymes[words[0]]) for words in self._contexts[context] if words)

    def _line(self, last: Endings | EndingsWithout) -> _Line:
        """The line that these words may end."""
        root, every = np.zeros(1, dtype=np.int64), self._all
        letters, chances = last.letters_at(root)[0], last.chances_at(root)[0]
        fewest, likely = np.full(self._most, NEVER, dtype=np.int64), np.zeros(self._most)
        fewest[0], likely[0] = 0, 1.0
        for rest in range(1, self._most):
            if rest <= MOST_SYLLABLES:
                fewest[rest], likely[rest] = letters[rest], chances[rest]
            for number in range(1, min(rest, MOST_SYLLABLES + 1)):
                fewest[rest] = min(fewest[rest], every.letters[0, number] + 1 + fewest[rest - number])
                likely[rest] += every.chances[0, number] * likely[rest - number]
        return _Line(last, fewest, likely)

    def _fewest(self, context: int, line: int) -> int:
        """Enough characters for a whole line that has not begun."""
        letter, target = self._letter_of[line], int(self._targets[line])
        if letter is not None and not self._contexts[context][letter]:
            return 1 + SHORT + int(self._free.fewest[target - 1])
        return int(self._after(context, line).fewest[target])

    def _likely(self, context: int, line: int) -> float:
        """The chance of a whole line that has not begun."""
        return float(self._after(context, line).likely[int(self._targets[line])])

    def _rhyming(self, letter: int) -> NDArray[np.bool_]:
        """The words, (W,), with which enough short words rhyme for all lines of a letter."""
        lines = [line for line, own in enumerate(self._letter_of) if own == letter]
        syllables, rhymes = self._lexicon.syllables, self._lexicon.rhymes
        lengths = self._lexicon.depth[self._lexicon.node]
        short = (lengths <= SHORT) & (syllables <= min(_FEW, int(self._targets[lines].min())))
        counts = np.bincount(rhymes[short], minlength=int(rhymes.max()) + 1)
        enough: NDArray[np.bool_] = (counts > len(lines))[rhymes]
        return enough

    def _endings(self, words: NDArray[np.int64]) -> Endings:
        """How words end a line."""
        return endings(self._lexicon, words, self._nats, self._ends_line)

    def _code(self, context: int, line: int, rest: int, node: int) -> int:
        """The number of a state."""
        return FIRST + ((context * (self.num + 1) + line) * self._most + rest) * self._nodes + node

    def _parts(self, states: States) -> tuple[States, States, States, States]:
        """Context, line, rest and node of states; any for those below `FIRST`."""
        higher, node = np.divmod(np.maximum(states - FIRST, 0), self._nodes)
        higher, rest = np.divmod(higher, self._most)
        context, line = np.divmod(higher, self.num + 1)
        return context, line, rest, node

    def _groups(self, states: States) -> list[tuple[States, int, int, int, States]]:
        """Places with the same context, line and rest, each with these and the nodes there."""
        alive = np.flatnonzero(states >= FIRST)
        keys, group = np.unique((states[alive] - FIRST) // self._nodes, return_inverse=True)
        context, line, rest, _ = self._parts(keys * self._nodes + FIRST)
        node = (states[alive] - FIRST) % self._nodes
        return [
            (alive[group == one], int(context[one]), int(line[one]), int(rest[one]), node[group == one])
            for one in range(len(keys))
        ]
