"""No token outside the vocabulary, and no state outside a trie or of other keys, reaches the compiled code."""

import numpy as np
import pytest
import torch

from charlm.config import ModelConfig
from charlm.model.language_model import LanguageModel
from charlm.native.library import native_library
from charlm.ngram.mixture import NgramQuery
from charlm.ngram.model import NgramModel
from charlm.sampling.steppers import CompiledStepper

pytestmark = pytest.mark.skipif(native_library() is None, reason="no C compiler here")
V = 6
OUTSIDE = pytest.mark.parametrize("token", [-1, V, 2**31, 2**62])


def ngrams() -> NgramModel:
    return NgramModel.fit(np.array([1, *[3, 4, 5, 3] * 9, 2]), order=3, vocab_size=V, bos=1)


@OUTSIDE
def test_a_token_outside_the_vocabulary_is_not_looked_up(token: int) -> None:
    model = ngrams()
    with pytest.raises(ValueError, match="a token is not below the 6 tokens"):
        model.advance(model.no_context(2), np.array([[3, 4], [5, token]]))


@OUTSIDE
@pytest.mark.parametrize("order", [0, 3])
def test_a_token_outside_the_vocabulary_is_not_sampled(token: int, order: int) -> None:
    model = LanguageModel(ModelConfig(vocab_size=V, hidden_size=8, embedding_size=5, ngram_order=order)).eval()
    model.initialise(torch.Generator().manual_seed(1))
    if order:
        model.build_on(ngrams())
    stepper = CompiledStepper(model, [model.initial_state(1)] * 2)
    with pytest.raises(ValueError, match="a token is not below the 6 tokens"):
        stepper.step([3, token])
    assert np.isfinite(stepper.step([3, 5])).all()


@pytest.mark.parametrize("node", [-2, 10_000])
def test_a_state_outside_the_trie_is_not_asked(node: int) -> None:
    model = ngrams()
    states = np.array([[3, -1], [4, node]], dtype=np.int32)
    query = NgramQuery(states, [model], np.zeros(2, dtype=np.int64))
    order_weights = np.ones((2, 1), dtype=np.float32)
    for ask in (
        query.known_contexts,
        lambda: query.mixture((3,), order_weights),
        lambda: model.advance(states, [[3, 3]]),
    ):
        with pytest.raises(ValueError, match="does not belong to this n-gram model"):
            ask()


@pytest.mark.parametrize(
    "damaged",
    [
        lambda keys, values, length: (keys, values, length - 1),
        lambda keys, values, length: (keys, values, length + 5),
        lambda keys, values, length: (keys, values, length + 2**40),
        lambda keys, values, length: (keys, values, length.repeat(1, 2)),
        lambda keys, values, length: (keys[:, 1:], values, length),
        lambda keys, values, length: (keys, values[..., :1], length),
    ],
)
def test_a_state_that_is_not_of_the_transformer_is_not_loaded(damaged) -> None:
    shape = {"network": "transformer", "attention_span": 4, "heads": 2, "num_layers": 2}
    model = LanguageModel(ModelConfig(vocab_size=V, hidden_size=8, embedding_size=5, **shape)).eval()
    model.initialise(torch.Generator().manual_seed(1))
    sound = model.initial_state(1)
    stepper = CompiledStepper(model, [sound])
    with pytest.raises(ValueError, match="does not belong to this transformer"):
        stepper.load(0, (sound[0], damaged(*sound[1])))
    for _ in range(9):
        assert np.isfinite(stepper.step([3])).all()
