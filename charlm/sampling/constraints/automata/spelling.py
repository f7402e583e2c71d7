"""The texts that a vocabulary can write, as an automaton."""

from dataclasses import replace

import numpy as np

from charlm.sampling.constraints.automaton import Table, explore
from charlm.sampling.vocabulary import Vocabulary


def writable(vocabulary: Vocabulary) -> Table:
    """All texts of the characters that a vocabulary has: all of Unicode if it has every byte."""
    usable = set(range(vocabulary.size)) - {*vocabulary.never_written, vocabulary.eos}
    single = {data for token in usable if len(data := vocabulary.bytes[token]) == 1}
    if len(single) == 256:
        return _utf8()
    characters = {character.encode() for token in usable for character in vocabulary.texts[token] or ""}
    beginnings = {character[:end] for character in characters for end in range(len(character))} | {b""}

    def step(state: bytes, byte: int) -> bytes | None:
        read = state + bytes((byte,))
        return b"" if read in characters else read if read in beginnings else None

    return _free(explore(b"", step, lambda state: not state))


def _utf8() -> Table:
    """Valid UTF-8: table 3-7 of the Unicode standard."""

    def step(state: tuple[int, int, int], byte: int) -> tuple[int, int, int] | None:
        missing, least, most = state  # continuation bytes, and the range of the next one
        if missing:
            return (missing - 1, 0x80, 0xBF) if least <= byte <= most else None
        if byte < 0x80:
            return state
        if 0xC2 <= byte < 0xE0:
            return 1, 0x80, 0xBF
        if 0xE0 <= byte < 0xF0:
            return 2, 0xA0 if byte == 0xE0 else 0x80, 0x9F if byte == 0xED else 0xBF
        if 0xF0 <= byte < 0xF5:
            return 3, 0x90 if byte == 0xF0 else 0x80, 0x8F if byte == 0xF4 else 0xBF
        return None

    return _free(explore((0, 0x80, 0xBF), step, lambda state: state[0] == 0))


def _free(table: Table) -> Table:
    """The table, with every state free: what can't be written is no restriction."""
    return replace(table, free=np.ones(table.size, dtype=bool))
