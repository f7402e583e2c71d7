"""What followed an earlier occurrence of the last tokens of the document: a match of any length.

An n-gram model sees n - 1 tokens and only what the training text has. A match follows a repeat for as long as it
lasts, in what the document itself has said so far: the chorus of a song, the name of a person, a line of a table.

After each token, if the token is the one that the match predicted, the match is followed by one token. Otherwise, and
while it is short, the last tokens are looked up by their hash, the longer length first; what is found is the latest
occurrence, and is compared token by token.

Source: the match model of Mahoney's PAQ (2002, "The PAQ1 Data Compression Program").

A state is a row of S = 4 + 3 M int32: the number of tokens read, the position of the predicted token (0 for none), the
length of the match, and the wrong predictions in a row (at most 3); then the last M tokens; then two tables of M
positions by the hash of the tokens before them; then the state of `charlm.ngram.recent`. A row of zeros is the initial
state.
"""

import ctypes
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charlm.config import SMALL_VOCABULARY
from charlm.ngram import recent
from charlm.ngram.native_code import native_library, structures
from charlm.nouns import count_of

WINDOW = 1 << 13
"""M, the tokens that are remembered."""
BUCKETS = 80
"""Kinds of matches: 20 lengths (0 to 15, then from 16, 32, 64 and 128 up) times 4 numbers of misses. The kinds of
recent contexts come after them."""
_HEAD = 4
VERIFIED, MOST_MISSES = 32, 3
"""The most tokens that are compared, and the most wrong predictions in a row that are counted."""
_LONGEST_COUNT = 1 << 30

States = NDArray[np.int32]
"""The states of B texts, (B, S)."""
Predictions = NDArray[np.int32]
"""What the match and K recent contexts predict after each token: a token, or -1 for none, and the bucket of the
prediction, (T, B, 1 + K, 2)."""


class Lengths(NamedTuple):
    """How many tokens must agree for a match; a lookup tries `longer` first."""

    longer: int
    shorter: int
    recent: tuple[int, ...] = ()
    """K lengths of recent contexts, ascending."""

    @property
    def predictions(self) -> int:
        """How many tokens are predicted at most: 1 + K."""
        return 1 + len(self.recent)

    @property
    def buckets(self) -> int:
        """How many buckets there are."""
        return BUCKETS + recent.KINDS * len(self.recent)

    @property
    def size(self) -> int:
        """S, the length of a state."""
        return _HEAD + 3 * WINDOW + recent.size_of(self.recent)


def lengths_for(vocab_size: int, *, with_recent: bool = False) -> Lengths:
    """The lengths for a vocabulary: tokens of a large one, such as subwords, say more each."""
    if vocab_size <= SMALL_VOCABULARY:
        return Lengths(12, 5, recent.ORDERS if with_recent else ())
    return Lengths(4, 2, recent.ORDERS_LARGE if with_recent else ())


def no_matches(lengths: Lengths, rows: int) -> States:
    """The state before the first token, (B, S)."""
    return np.zeros((rows, lengths.size), dtype=np.int32)


def advance(lengths: Lengths, states: States, ids: NDArray[Any]) -> tuple[Predictions, States]:
    """Read tokens.

    Args:
        lengths: from `lengths_for`.
        states: the states before the first token, (B, S); they stay as they are.
        ids: token ids, (T, B).

    Returns:
        The predictions after each token, (T, B, 1 + K, 2), and the states after the last token. Raises
        `ValueError` for states of another shape, or whose position lies outside the text.
    """
    tokens, states = np.ascontiguousarray(ids, dtype=np.int64), check_states(lengths, states).copy()
    if len(states) != tokens.shape[1]:
        raise ValueError(f"there are states for {len(states)} of {count_of(tokens.shape[1], 'row')}")
    predictions = np.empty((*tokens.shape, lengths.predictions, 2), dtype=np.int32)
    if code := native_library():
        code.match_advance(
            ctypes.byref(match_shape(lengths)),
            states.ctypes.data,
            states.shape[1],
            tokens.ctypes.data,
            *tokens.shape,
            predictions.ctypes.data,
        )
        return predictions, states
    for row, state in enumerate(states):
        values = memoryview(state)
        for step, token in enumerate(tokens[:, row].tolist()):
            _read(lengths, values, token)
            found = [*_prediction(values)]
            if lengths.recent:
                recent.read(lengths.recent, values, _HEAD + 3 * WINDOW, token)
                found += recent.predictions(lengths.recent, values, _HEAD + 3 * WINDOW, BUCKETS)
            predictions[step, row] = np.reshape(found, (-1, 2))
    return predictions, states


def check_states(lengths: Lengths, states: States) -> States:
    """The states as the compiled code reads them; raises `ValueError` for those of another shape or type, and for
    positions outside the text."""
    if states.ndim != 2 or states.shape[1] != lengths.size or states.dtype != np.int32:
        raise ValueError("this is not the state of a match")
    count, pointer, length, misses = states[:, :_HEAD].T
    right = (count >= 0) & (count <= _LONGEST_COUNT) & (pointer >= 0) & (pointer < np.maximum(count, 1)) & (length >= 0)
    if not (right & (misses >= 0) & (misses <= MOST_MISSES)).all():
        raise ValueError("this is not the state of a match")
    return np.ascontiguousarray(states)


def match_shape(lengths: Lengths) -> "structures.MatchShape":
    """The argument block of the compiled code."""
    orders = (ctypes.c_int64 * recent.MOST_ORDERS)(*lengths.recent)
    contexts = structures.RecentShape(recent.SLOTS, len(lengths.recent), orders)
    return structures.MatchShape(WINDOW, lengths.longer, lengths.shorter, contexts)


def _read(lengths: Lengths, state: memoryview, token: int) -> None:
    """`match_read` of native/sources/match.h."""
    if state[0] == _LONGEST_COUNT:
        for place in range(_HEAD + 3 * WINDOW):
            state[place] = 0
    count, pointer, length, misses = state[:_HEAD]
    if pointer and state[_HEAD + pointer % WINDOW] == token:
        pointer, length, misses = pointer + 1, length + 1, 0
    elif pointer:
        pointer, length, misses = 0, 0, min(misses + 1, MOST_MISSES)
    state[_HEAD + count % WINDOW] = token
    count += 1
    slots = {
        needed: _HEAD + table * WINDOW + _slot(state, count, needed)
        for table, needed in enumerate(lengths[:2], 1)
        if count >= needed
    }
    for needed, slot in slots.items():
        found = state[slot]
        if length >= lengths.longer or not found or count - found >= WINDOW - VERIFIED:
            continue
        agreeing = _agreeing(state, count, found)
        if agreeing >= needed and agreeing > length:
            pointer, length = found, agreeing
            break
    for slot in slots.values():
        state[slot] = count
    for place, value in enumerate((count, pointer, length, misses)):
        state[place] = value


def _slot(state: memoryview, count: int, length: int) -> int:
    """The place in a table for the last `length` tokens."""
    value = 0
    for k in range(1, length + 1):
        value = ((value ^ state[_HEAD + (count - k) % WINDOW]) * 0x9E3779B1) & 0xFFFFFFFF
        value ^= value >> 15
    return value % WINDOW


def _agreeing(state: memoryview, count: int, position: int) -> int:
    """How many tokens before a position agree with the last ones, at most `VERIFIED`."""
    k = 0
    while k < min(VERIFIED, position) and (
        state[_HEAD + (position - k - 1) % WINDOW] == state[_HEAD + (count - k - 1) % WINDOW]
    ):
        k += 1
    return k


def _prediction(state: memoryview) -> tuple[int, int]:
    """The first prediction of `match_predictions` in native/sources/match.h: a token, or -1, and the bucket."""
    _, pointer, length, misses = state[:_HEAD]
    if length >= 16:
        length = 16 + min(3, length.bit_length() - 5)
    return state[_HEAD + pointer % WINDOW] if pointer else -1, length * (MOST_MISSES + 1) + misses
