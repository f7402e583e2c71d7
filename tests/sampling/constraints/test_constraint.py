"""A constraint for a vocabulary: positions that are looked up together have what each has alone."""

from collections.abc import Callable

import numpy as np
import pytest

from charlm.sampling.constraints.automata import texts
from charlm.sampling.constraints.automaton import DEAD
from charlm.sampling.constraints.constraint import Constraint, Position
from charlm.sampling.constraints.lookahead import NoLookahead
from charlm.sampling.vocabulary import Vocabulary
from charlm.tokenizers import CharTokenizer


@pytest.fixture(params=["characters", "words"])
def make(request, word_tokenizer) -> Callable[[], Constraint]:
    """A new constraint: texts of two lines that contain "bad"."""
    words = ("\n", " ", "a", "b", "d", "ba", "ad", "d\n", "bad ", "a\nb")
    tokenizer = CharTokenizer("\n abcdé") if request.param == "characters" else word_tokenizer(*words)
    automata, vocabulary = [texts.containing("bad"), texts.lines(2)], Vocabulary(tokenizer)
    return lambda: Constraint(automata, [NoLookahead(), NoLookahead()], vocabulary, None)


def test_positions_together_have_the_chances_of_each_alone(make) -> None:
    constraint = make()
    states = {constraint.start}
    for _ in range(3):
        for state in tuple(states):
            following = constraint.continuations(state)
            states |= {tuple(column) for column in following.next.T.tolist() if min(column) > DEAD}
    positions = [
        Position(state, room, may_end, rest)
        for state in sorted(states)
        for room, may_end, rest in ((0, True, b""), (5, False, b""), (9, True, b"b"), (9, False, b""))
    ]
    assert len(positions) > 30
    together = constraint.chances([*positions, positions[0]])
    assert np.array_equal(together[-1], together[0])
    assert {bool(one) for one in np.isneginf(together).ravel()} == {True, False}
    for position, chances in zip(positions, together[:-1], strict=True):
        assert np.array_equal(make().chances([position])[0], chances)
