"""Reads texts with automata."""

from collections.abc import Callable

import numpy as np
import pytest

from charlm.sampling.constraints.automaton import Table


@pytest.fixture(scope="session")
def read() -> Callable[[Table, str], tuple[int, bool, int]]:
    """The state of a table after a text, whether it accepts it, and its distance from acceptance."""

    def read(table: Table, text: str) -> tuple[int, bool, int]:
        states = np.array([table.start])
        for byte in np.frombuffer(text.encode(), dtype=np.uint8)[:, None]:
            states = table.step(states, byte)
        return int(states[0]), bool(table.accepts(states)[0]), int(table.distance(states)[0])

    return read
