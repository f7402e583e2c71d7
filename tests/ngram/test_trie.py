import numpy as np
import pytest

from charlm.ngram.model import NgramModel
from charlm.ngram.trie import compiled_lookup


@pytest.mark.parametrize("node", [-2, 10_000])
def test_a_state_outside_of_the_trie_is_refused(node: int) -> None:
    if compiled_lookup() is None:
        pytest.skip("no C compiler here")
    model = NgramModel.fit(np.random.default_rng(1).integers(1, 9, 60), order=3, vocab_size=9, bos=0)
    state = model.no_context(1)
    state[0, 1] = node
    with pytest.raises(ValueError, match="does not belong to this n-gram model"):
        model.advance(state, np.array([[1]]))
