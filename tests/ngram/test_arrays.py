"""An n-gram model as the arrays of a file: there and back, and what is damaged is refused."""

import numpy as np
import pytest

from charlm.errors import ModelFileError
from charlm.ngram.arrays import from_arrays, to_arrays
from charlm.ngram.model import NgramModel
from charlm.ngram.score import token_nats

BOS, EOS, UNK, A, B = range(5)
V = 5


def fit(ids: np.ndarray | list[int], order: int) -> NgramModel:
    return NgramModel.fit(np.array(ids, dtype=np.uint16), order=order, vocab_size=V, bos=BOS)


@pytest.mark.parametrize("order", [1, 2, 5])
def test_arrays_make_the_model_again(order: int) -> None:
    ids = np.array([BOS, *np.random.default_rng(4).integers(A, V, 300), EOS, BOS, EOS])
    model = fit(ids, order)
    again = from_arrays(to_arrays(model))
    assert np.array_equal(token_nats(again, ids), token_nats(model, ids))
    assert (again.order, again.vocab_size, again.bos, again.nbytes) == (order, V, BOS, model.nbytes)
    states = model.advance(model.no_context(1), ids[:, None])[:, 0]
    assert np.array_equal(again.advance(again.no_context(1), ids[:, None])[:, 0], states)
    assert np.array_equal(again.probabilities(states), model.probabilities(states))


DAMAGES = {
    "a part is missing": lambda arrays: arrays.pop("weights"),
    "a part is short": lambda arrays: arrays.update(tokens=arrays["tokens"][1:]),
    "weights and tokens are short": lambda arrays: arrays.update(
        tokens=arrays["tokens"][:-1], weights=arrays["weights"][:-1]
    ),
    "a token out of range": lambda arrays: arrays.update(tokens=arrays["tokens"] + V),
    "tokens out of order": lambda arrays: arrays["tokens"].__setitem__([1, 2], arrays["tokens"][[2, 1]]),
    "not a number": lambda arrays: arrays["weights"].fill(np.nan),
    "not a probability": lambda arrays: arrays["backoffs"].fill(1.5),
    "a higher order": lambda arrays: arrays["sizes"].__setitem__(2, 4),
    "a lower order": lambda arrays: arrays["sizes"].__setitem__(2, 2),
    "an order without end": lambda arrays: arrays["sizes"].__setitem__(2, 2**62),
    "weights of no width": lambda arrays: arrays.update(weights=arrays["weights"][:, None][:, :0]),
    "unigrams of no width": lambda arrays: arrays.update(unigrams=arrays["unigrams"][:, None][:, :0]),
    "no order": lambda arrays: arrays["sizes"].__setitem__(2, 0),
    "a negative number of children": lambda arrays: arrays["children"].__setitem__(1, -1),
    "frequent nodes that are none": lambda arrays: arrays["frequent"].__setitem__(0, 2**30),
    "a single token among them": lambda arrays: arrays["frequent"].__setitem__(0, 1),
    "a frequent node twice": lambda arrays: arrays["frequent"].__setitem__(0, arrays["frequent"][1]),
    "frequent nodes of another type": lambda arrays: arrays.update(frequent=arrays["frequent"].astype(np.int64)),
    "another type": lambda arrays: arrays.update(unigrams=arrays["unigrams"].astype(np.float64)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_arrays_are_refused(damage) -> None:
    arrays = {name: array.copy() for name, array in to_arrays(fit([BOS, A, B, A, EOS, BOS, A, EOS], 3)).items()}
    damage(arrays)
    with pytest.raises(ModelFileError, match="n-gram model is damaged"):
        from_arrays(arrays)
