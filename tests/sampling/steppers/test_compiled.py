"""The compiled step of every cell against the model, on random weights."""

import platform

import numpy as np
import pytest
import torch

from charlm.cells import CELLS
from charlm.config import LabelColumn
from charlm.kernels import PROGRAMS, compiled
from charlm.native import compiler as compilation
from charlm.native.compiler import compiler
from charlm.native.library import native_library
from charlm.ngram.model import NgramModel
from charlm.sampling.steppers import recurrent
from charlm.sampling.steppers.compiled import CompiledStepper

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler here")


@pytest.fixture(scope="session")
def with_ngrams(uneven, letters):
    """Make a network on n-grams of random letters, whose order weights and n-gram vectors are not zero."""

    def with_ngrams(cell: str, **shape):
        model = uneven(letters, cell, spread=1.0, **shape)
        if model.match is not None:
            with torch.no_grad():
                for weight in model.match.parameters():
                    weight.normal_(std=0.1, generator=torch.Generator().manual_seed(4))
        if model.prior is not None:
            text = np.random.default_rng(1).integers(3, 9, 300)
            generator = torch.Generator().manual_seed(2)
            with torch.no_grad():
                model.prior.weight.normal_(std=0.5, generator=generator)
                model.prior.bias.normal_(generator=generator)
                if model.contexts is not None:
                    model.contexts.vectors.normal_(std=0.3, generator=generator)
            ids = np.array([letters.bos, *text])
            model.build_on(NgramModel.fit(ids, order=model.prior.order, vocab_size=9, bos=letters.bos))
        return model

    return with_ngrams


LABELS = (LabelColumn(name="stars", values=("1", "3", "5"), documents=(1, 1, 1)),)


@pytest.mark.parametrize("shape", [{}, {"ngram_order": 4, "context_vectors": 20}, {"match": True, "ngram_order": 3}])
@pytest.mark.parametrize("cell", PROGRAMS)
def test_each_text_has_its_own_labels(with_ngrams, cell: str, shape: dict) -> None:
    model = with_ngrams(cell, labels=LABELS, **shape)
    with torch.no_grad():
        model.labels.vectors.normal_(generator=torch.Generator().manual_seed(6))
    factors = torch.eye(3)[[0, 2, 0]] + torch.tensor([[0.0], [0.5], [-1.0]])
    states = [model.with_labels(row).initial_state(1) for row in factors]
    check(model, states, tolerance=1e-3)
    stepper, expected = CompiledStepper(model, states), CompiledStepper(model, [states[2], states[0], states[0]])
    stepper.take([2])
    stepper.take([0, 0, 0])
    for row in (1, 2):
        stepper.load(row, states[0])
    np.testing.assert_array_equal(stepper.step([4, 5, 4]), expected.step([4, 5, 4]))


def check(model, states, *, tolerance: float = 1e-4) -> None:
    """Twenty steps of B texts give the model's logits, each as if alone."""
    assert CompiledStepper.supports(model)
    stepper = CompiledStepper(model, states)
    ids = torch.randint(9, (20, len(states)), generator=torch.Generator().manual_seed(3))
    ids[12:] = ids[:8]  # a repeat, which a match follows
    found = torch.stack([torch.from_numpy(stepper.step(tokens.tolist()).copy()) for tokens in ids])  # (T, B, V)
    for row, beginning in enumerate(states):
        with torch.no_grad():
            expected, _ = model(ids[:, row : row + 1], beginning)
        torch.testing.assert_close(found[:, row], expected[:, 0], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"num_layers": 2, "tie_weights": True, "embedding_size": 12},
        {"num_layers": 3},
        {"match": True},
        {"match": True, "recent": True},
    ],
)
@pytest.mark.parametrize("batch", [1, 2, 13])
@pytest.mark.parametrize("cell", [*CELLS])
def test_it_gives_the_models_logits(with_ngrams, states_of, cell: str, batch: int, shape: dict) -> None:
    model = with_ngrams(cell, **shape)
    check(model, states_of(model, batch))


@pytest.mark.parametrize("size", [1, 7, 64, 130])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn-skip", "mlstm", "mingru"])
def test_any_width_and_residual_connections(with_ngrams, states_of, cell: str, size: int) -> None:
    model = with_ngrams(cell, num_layers=3, hidden_size=size, skip="residual")
    check(model, states_of(model, 5))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("vectors", "size"), [(0, 8), (30, 8), (30, 40)])
@pytest.mark.parametrize("order", [4, 7])
def test_it_uses_the_prior_and_the_ngram_embedding(
    with_ngrams, states_of, order: int, vectors: int, size: int, batch: int, threads: int
) -> None:
    torch.set_num_threads(threads)
    model = with_ngrams("lstm", num_layers=2, ngram_order=order, context_vectors=vectors, embedding_size=size)
    check(model, states_of(model, batch))


def test_a_prior_larger_than_the_arrays_in_c_is_left_to_the_model(
    with_ngrams, states_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = native_library()
    assert sampler is not None
    longest = with_ngrams("lstm", ngram_order=12)
    check(longest, states_of(longest, 2))
    for name, value in (("order", sampler.max_order()), ("orders", range(sampler.max_mixed_orders()))):
        with monkeypatch.context() as patch:
            patch.setattr(longest.prior, name, value)
            assert CompiledStepper.supports(longest)
            patch.setattr(longest.prior, name, value + 1 if name == "order" else range(len(value) + 1))
            assert not CompiledStepper.supports(longest)


@pytest.mark.parametrize("narrower", ["-mno-avx512f", "-mno-avx"])
@pytest.mark.parametrize("batch", [1, 13])
def test_narrower_vectors_give_the_same(
    with_ngrams, states_of, monkeypatch: pytest.MonkeyPatch, narrower: str, batch: int
) -> None:
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("no such flags here")
    monkeypatch.setenv("CC", f"{compiler()} {narrower}")
    monkeypatch.setattr(compilation, "compiler", compiler.__wrapped__)
    functions = PROGRAMS["lstm"].functions
    code = compilation.shared_library.__wrapped__(compiled.write_c(functions))
    assert code is not None
    library = compiled.Library(code, torch.float32, functions)
    monkeypatch.setattr(compiled, "program_library", lambda functions, dtype: library)
    model = with_ngrams("lstm", num_layers=2, hidden_size=70)
    check(model, states_of(model, batch))


@pytest.mark.parametrize("cell", ["lstm", "rnn-skip", "gru"])
def test_a_large_vocabulary_needs_no_table(uneven, letters, states_of, cell: str, monkeypatch) -> None:
    model = uneven(letters, cell, spread=1.0, num_layers=2)
    monkeypatch.setattr(recurrent, "LARGEST_TABLE", 0)
    check(model, states_of(model, 3))


def test_what_it_does_not_know_is_not_supported(uneven, letters, bigrams) -> None:
    assert not CompiledStepper.supports(bigrams(9))
    assert not CompiledStepper.supports(uneven(letters).double())
    assert not CompiledStepper.supports(uneven(letters).bfloat16())
    model = uneven(letters)
    assert CompiledStepper.supports(model)
    model.register_parameter("more", torch.nn.Parameter(torch.zeros(1)))
    assert not CompiledStepper.supports(model)
