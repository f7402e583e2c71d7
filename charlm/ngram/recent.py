"""What last followed the last few tokens of the document, for contexts of several lengths.

An n-gram model counts the training text, and a match follows one long repeat. These contexts are short and hold what
the document says now: the names of its people, the words of its subject, the columns of its table.

After each token, the token is entered in a table for each order k, at the hash of the k tokens before it. An entry is
the token, how often in a row it was the one that followed, and whether another one ever did.

Source: the run models of PAQ8 (Mahoney 2005, "Adaptive Weighing of Context Models for Lossless Data Compression").

A state is a row of 1 + 8 + K M int32, for K orders: the number of tokens read (at most 8), the last 8 tokens, the
latest first, and K tables of M entries: token * 4096 + kind * 256 + check. The kind is the length of the run, 1 to 7,
plus 7 if another token has followed; the check is 8 bits of the hash that don't select the entry. A row of zeros is the
initial state.
"""

from collections.abc import Iterator, Sequence

ORDERS, ORDERS_LARGE = (1, 2, 3, 4, 6), (1, 2, 3)
"""The lengths of the contexts, in tokens, of a small and of a large vocabulary."""
SLOTS = 1 << 13
"""M, the entries of a table."""
HISTORY = 8
_LONGEST_RUN = 7
KINDS = 2 * _LONGEST_RUN
"""Kinds of entries of an order."""
_LARGEST_TOKEN = (1 << 19) - 1
MOST_ORDERS = 8


def size_of(orders: Sequence[int]) -> int:
    """The length of a state."""
    return 1 + HISTORY + len(orders) * SLOTS if orders else 0


def read(orders: Sequence[int], state: memoryview, begin: int, token: int) -> None:
    """Read a token; the state begins at `state[begin]`. `recent_read` of native/sources/recent.h."""
    if token <= _LARGEST_TOKEN:
        for _, place, check in _entries(orders, state, begin):
            entry = state[place] & 0xFFFFFFFF
            kind = entry >> 8 & 15
            run, contradicted = 1, 0
            if kind and entry & 255 == check:
                contradicted = int(kind > _LONGEST_RUN)
                if entry >> 12 == token:
                    run = min(kind - contradicted * _LONGEST_RUN + 1, _LONGEST_RUN)
                else:
                    contradicted = 1
            state[place] = token << 12 | (run + contradicted * _LONGEST_RUN) << 8 | check
    for place in range(begin + HISTORY, begin + 1, -1):
        state[place] = state[place - 1]
    state[begin + 1] = token
    state[begin] += state[begin] < HISTORY


def predictions(orders: Sequence[int], state: memoryview, begin: int, first: int) -> list[int]:
    """The token and the bucket for each order, one after the other; -1 for no token. Buckets begin at `first`.

    `recent_predictions` of native/sources/recent.h.
    """
    found = [number for order in range(len(orders)) for number in (-1, first + order * KINDS)]
    for order, place, check in _entries(orders, state, begin):
        entry = state[place] & 0xFFFFFFFF
        kind = entry >> 8 & 15
        if entry & 255 == check and 0 < kind <= KINDS:
            found[2 * order : 2 * order + 2] = entry >> 12, first + order * KINDS + kind - 1
    return found


def _entries(orders: Sequence[int], state: memoryview, begin: int) -> Iterator[tuple[int, int, int]]:
    """For each order that the text is long enough for: its index, the place of its entry in the state, the check."""
    value, order = 0, 0
    for k in range(1, min(state[begin], max(orders, default=0)) + 1):
        value = ((value ^ (state[begin + k] & 0xFFFFFFFF)) * 0x9E3779B1) & 0xFFFFFFFF
        value ^= value >> 15
        if k == orders[order]:
            mixed = _mixed(value)
            yield order, begin + 1 + HISTORY + order * SLOTS + mixed % SLOTS, mixed >> 24
            order += 1


def _mixed(value: int) -> int:
    """The finaliser of MurmurHash3 (Appleby 2011)."""
    value = ((value ^ value >> 16) * 0x85EBCA6B) & 0xFFFFFFFF
    value = ((value ^ value >> 13) * 0xC2B2AE35) & 0xFFFFFFFF
    return value ^ value >> 16
