"""The n-grams of labels in the compiled step against the model, on random weights and n-grams of random tokens."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from charlm.cells import LayerStates
from charlm.config import LabelColumn
from charlm.model.additions.label_ngrams import LabelNgrams
from charlm.model.language_model import LanguageModel
from charlm.native.compiler import compiler
from charlm.native.library import native_library
from charlm.ngram.model import NgramModel
from charlm.sampling import steppers
from charlm.sampling.beam import beam_search
from charlm.sampling.config import SampleConfig
from charlm.sampling.steppers import CompiledStepper, ModelStepper, make_stepper

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler here")

LABELS = (
    LabelColumn(name="stars", values=("1", "3", "5"), documents=(1, 1, 1)),
    LabelColumn(name="author", values=("Austen", "Melville"), documents=(1, 1)),
)
FACTORS = torch.tensor(
    [
        [0.5, 0.0, -1.5, 0.0, 2.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0, 0.0],
        [1.0, -1.0, 0.0, 0.0, 0.0],  # together 0, so that the prior has no share
    ]
)


def ngrams_of(tokens: Any, *, order: int, vocab_size: int) -> NgramModel:
    return NgramModel.fit(np.array(tokens, dtype=np.int64), order=order, vocab_size=vocab_size, bos=0)


@pytest.fixture(scope="session")
def labelled(network) -> Callable[..., LanguageModel]:
    """Make a model with n-grams of its labels, each of other tokens and the last of none, and no weight that is 0."""

    def labelled(*, vocab_size: int = 9, prior: int = 7, order: int = 5, **shape: Any) -> LanguageModel:
        model = network(vocab_size=vocab_size, ngram_order=prior, labels=LABELS, num_layers=2, **shape).eval()
        generator, numbers = torch.Generator().manual_seed(4), np.random.default_rng(1)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(std=0.3, generator=generator)
        texts = [[0, *numbers.integers(1 + value, vocab_size, 200)] for value in range(4)]
        if model.prior is not None:
            model.build_on(ngrams_of(np.concatenate(texts), order=prior, vocab_size=vocab_size))
        values = (ngrams_of(text, order=order, vocab_size=vocab_size) for text in (*texts, []))
        model.label_ngrams = LabelNgrams(models=tuple(values), weight=0.4)
        return model

    return labelled


def states_with(model: LanguageModel, factors: torch.Tensor) -> list[LayerStates]:
    return [model.with_labels(row).initial_state(1) for row in factors]


def check(model: LanguageModel, states: list[LayerStates]) -> None:
    """Twenty steps of B texts, the last of which is replaced on the way, give the model's logits."""
    assert CompiledStepper.supports(model)
    made = CompiledStepper(model, states), ModelStepper(model, states)
    ids = torch.randint(model.config.vocab_size, (20, len(states)), generator=torch.Generator().manual_seed(3))
    ids[12:] = ids[:8]  # a repeat, which a match follows
    for step, tokens in enumerate(ids.tolist()):
        if step == 11:
            for stepper in made:
                stepper.load(len(states) - 1, states_with(model, FACTORS[2:3])[0])
        np.testing.assert_allclose(*(stepper.step(tokens) for stepper in made), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("vocab_size", [9, 21, 40])
@pytest.mark.parametrize("batch", [1, 3, 4])
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"order": 2},
        {"prior": 3},
        {"prior": 1, "match": True},
        {"match": True, "recent": True},
        {"context_vectors": 20},
        {"cell": "rnn-skip"},
        {"network": "convolution"},
        {"network": "transformer", "attention_span": 6},
    ],
)
def test_it_gives_the_models_logits(labelled, shape: dict, batch: int, vocab_size: int) -> None:
    model = labelled(vocab_size=vocab_size, **shape)
    check(model, states_with(model, FACTORS[:batch]))


def test_a_text_may_begin_in_the_middle(labelled) -> None:
    model = labelled()
    states = []
    for row, beginning in enumerate(([0], [0, 3, 5, 4], [0, 3, 5, 4, 3, 5, 8, 7])):
        _, state = model(torch.tensor(beginning)[:, None], states_with(model, FACTORS[row : row + 1])[0])
        states.append(tuple(tuple(part.detach() for part in parts) for parts in state))
    check(model, states)


@pytest.mark.parametrize("match", [False, True])
def test_texts_are_rearranged_and_added(labelled, check_rearranged, match: bool) -> None:
    model = labelled(match=match)
    check_rearranged(model, states_with(model, FACTORS[:3]))


def test_texts_that_begin_alike_are_loaded_again_after_steps(labelled) -> None:
    model = labelled()
    one, other = states_with(model, FACTORS[:3:2])
    made = CompiledStepper(model, [one, one, other]), ModelStepper(model, [one, one, other])
    for row, state in ((1, one), (2, one), (0, other), (2, other)):
        for tokens in ([3, 4, 5], [6, 6, 6]):
            np.testing.assert_allclose(*(stepper.step(tokens) for stepper in made), rtol=1e-4, atol=1e-4)
        for stepper in made:
            stepper.load(row, state)
    np.testing.assert_allclose(*(stepper.step([3, 4, 5]) for stepper in made), rtol=1e-4, atol=1e-4)


def test_without_a_prior_or_a_weight_they_are_not_added(labelled) -> None:
    model = labelled(prior=0)
    check(model, states_with(model, FACTORS[:3]))
    model = labelled().with_label_ngrams(0)
    check(model, states_with(model, FACTORS[:3]))


def test_texts_are_the_same_without_compiled_code(labelled, letters, write_texts, monkeypatch) -> None:
    model = labelled(match=True).with_labels(FACTORS[0])
    assert isinstance(make_stepper(model, [model.initial_state(1)]), CompiledStepper)

    def written(model: LanguageModel) -> list[str]:
        texts = write_texts(model, letters, 5, prefix="fab", length=40)
        found = beam_search(model, letters, width=3, num=3, prefix="fab", config=SampleConfig(length=20))
        return [text.text for text in (*texts, *found)]

    compiled = written(model)
    assert compiled != written(model.with_label_ngrams(0))
    monkeypatch.setattr(steppers, "CompiledStepper", None)
    assert compiled == written(model)


def test_an_order_larger_than_the_arrays_in_c_is_left_to_the_model(labelled) -> None:
    sampler = native_library()
    assert sampler is not None
    model = labelled(order=sampler.max_order())
    check(model, states_with(model, FACTORS[:3]))
    assert not CompiledStepper.supports(labelled(order=sampler.max_order() + 1))


@pytest.mark.parametrize("token", [9, 2**30])
def test_tokens_outside_the_vocabulary_are_not_loaded(labelled, token: int) -> None:
    model = labelled()
    *layers, prior, (factors, before) = states_with(model, FACTORS[:1])[0]
    stepper = CompiledStepper(model, states_with(model, FACTORS[:2]))
    with pytest.raises(ValueError, match="a token is not below the 9 tokens"):
        stepper.load(1, (*layers, prior, (factors, torch.full_like(before, token))))
