from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from charlm import api
from charlm.analysis.gradients.unrolled import Unrolled
from charlm.analysis.units.activations import follow
from charlm.analysis.units.neurons import find_neurons
from charlm.data.dataset import Dataset
from charlm.errors import CharlmError, ConfigError
from charlm.evaluation.calibration import divide_logits
from charlm.model.additions.ngram_embedding import NgramEmbedding
from charlm.model.additions.ngram_prior import fit_prior
from charlm.model.language_model import LanguageModel
from charlm.ngram.model import NgramModel
from charlm.sampling import SampleConfig
from charlm.storage.checkpoint import load


@pytest.fixture
def with_vectors(small_shape) -> dict:
    """The small shape, with vectors of 50 n-grams."""
    return small_shape | {"ngram_order": 4, "context_vectors": 50}


@pytest.fixture
def network_with_vectors(network):
    """Make a network for a dataset with vectors of its 40 most frequent n-grams."""

    def network_with_vectors(dataset: Dataset, **shape) -> LanguageModel:
        shape = {"embedding_size": 32, "ngram_order": 4, "context_vectors": 40} | shape
        model = network(vocab_size=dataset.tokenizer.vocab_size, **shape)
        with torch.no_grad():
            model.contexts.vectors.normal_(generator=torch.Generator().manual_seed(2))
        model.build_on(*fit_prior(dataset.train, dataset.tokenizer, shape["ngram_order"]))
        return model.eval()

    return network_with_vectors


def ids_of(dataset: Dataset, length: int = 60) -> torch.Tensor:
    return torch.from_numpy(dataset.train.ids[:length].astype(np.int64))[:, None]


@pytest.mark.parametrize("size", [12, 32, 50])
def test_the_vectors_of_all_that_ends_at_a_token_are_added_to_its_embedding(
    dataset, network_with_vectors, size: int
) -> None:
    model = network_with_vectors(dataset, embedding_size=size)
    assert model.contexts.vectors.shape[1] == min(32, size)
    spread = torch.eye(size) if model.contexts.spread is None else model.contexts.spread
    ids = ids_of(dataset)
    found = model.inputs(ids, model.initial_state(1))[0][:, 0]
    ngram = model.prior.ngram
    row_of = {ngram.tokens_of(node): row for row, node in enumerate(ngram.frequent[:40].tolist(), 1)}
    tokens, added = ids[:, 0].tolist(), 0
    for place, token in enumerate(tokens):
        expected = model.embedding[token].clone()
        for length in (2, 3):  # a state of order 4 knows no longer ones
            if row := row_of.get(tuple(tokens[max(0, place + 1 - length) : place + 1])):
                expected += spread @ model.contexts.vectors[row]
                added += 1
        torch.testing.assert_close(found[place], expected)
    assert added > 20


def test_without_an_ngram_there_is_no_vector() -> None:
    contexts = NgramEmbedding(3, 2)
    with torch.no_grad():
        contexts.vectors.fill_(1)
    nothing = np.full((1, 1, 3), -1, dtype=np.int32)
    empty = NgramModel.fit(np.zeros(0, dtype=np.int64), order=4, vocab_size=5, bos=0)
    contexts.assign(empty)
    assert contexts(nothing).tolist() == [[[0, 0]]]


def test_each_is_left_out_of_training_now_and_then(dataset, network_with_vectors) -> None:
    contexts = network_with_vectors(dataset, dropout=0.25).contexts
    node = int(np.flatnonzero(contexts.rows == 1)[0])
    nodes = np.full((500, 4, 3), -1, dtype=np.int32)
    nodes[..., 1] = node  # one vector at each of 2,000 places
    whole = contexts(nodes)
    assert torch.equal(whole, contexts.vectors[1].expand_as(whole))
    drawn = contexts.train()(nodes, torch.Generator().manual_seed(1))
    kept = drawn[..., 0] != 0
    torch.testing.assert_close(drawn, torch.where(kept[..., None], whole / 0.75, 0))
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.05)
    assert 0 < kept[:, 0].sum() < 500 and 0 < kept[0].sum() + kept[1].sum() + kept[2].sum() < 12
    assert torch.equal(drawn, contexts(nodes, torch.Generator().manual_seed(1)))


def test_they_begin_at_nothing(dataset, network_with_vectors) -> None:
    model = network_with_vectors(dataset)
    model.contexts.initialise(torch.Generator().manual_seed(1))
    without = LanguageModel(replace(model.config, context_vectors=0)).eval()
    without.load_state_dict(model.state_dict(), strict=False)
    without.build_on(model.prior.ngram)
    ids = ids_of(dataset)
    torch.testing.assert_close(model(ids)[0], without(ids)[0])


@pytest.mark.parametrize("cell", ["lstm", "rnn", "mut1"])
def test_a_text_in_two_windows_is_read_as_in_one(dataset, network_with_vectors, cell: str) -> None:
    model = network_with_vectors(dataset, cell=cell, num_layers=2)
    ids = ids_of(dataset)
    whole, after = model(ids)
    first, states = model(ids[:23])
    second, end = model(ids[23:], states)
    torch.testing.assert_close(torch.cat((first, second)), whole)
    assert torch.equal(end[-1][0], after[-1][0])


def test_all_who_look_inside_read_the_same(dataset, network_with_vectors) -> None:
    model = network_with_vectors(dataset, num_layers=2)
    ids = ids_of(dataset)
    _, hidden, _ = model.read(ids)
    held, states = model.record_states(ids[:20])
    later, _ = model.record_states(ids[20:], states)
    torch.testing.assert_close(torch.cat((held[-1]["h"], later[-1]["h"])), hidden)
    first, states = follow(model, ids[:20], model.initial_state(1))
    second, _ = follow(model, ids[20:], states)
    torch.testing.assert_close(torch.cat((first[-1]["h"], second[-1]["h"])), hidden)
    torch.testing.assert_close(torch.stack(Unrolled.of(model, ids).outputs), hidden)


def test_units_are_found_in_such_a_model_and_compared_with_networks_without(
    dataset, network_with_vectors, sentences: str
) -> None:
    found = find_neurons(network_with_vectors(dataset), dataset.tokenizer, sentences).findings
    assert any(finding.followers and finding.untrained > 0 for finding in found)


def test_a_gradient_reaches_them_and_none_what_stands_for_no_vector(dataset, network_with_vectors) -> None:
    model = network_with_vectors(dataset).double()
    ids = ids_of(dataset)

    def loss() -> torch.Tensor:
        return torch.nn.functional.cross_entropy(model(ids[:-1])[0][:, 0], ids[1:, 0])

    loss().backward()
    vectors = model.contexts.vectors
    assert not vectors.grad[0].any()
    index = divmod(int(vectors.grad.abs().argmax()), vectors.shape[1])
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            vectors[index] += step
            values.append(loss().item())
            vectors[index] -= step
    assert (values[0] - values[1]) / 2e-5 == pytest.approx(vectors.grad[index].item(), rel=1e-4)


def test_vectors_are_copied_for_the_ngrams_that_both_texts_have(dataset, network_with_vectors, sentences: str) -> None:
    old, new = network_with_vectors(dataset), network_with_vectors(dataset)
    before = old.prior.ngram
    vector_of = {before.tokens_of(node): old.contexts.vectors[row] for row, node in enumerate(before.frequent[:40], 1)}
    ids = np.array([dataset.tokenizer.bos, *dataset.tokenizer.encode(sentences[::-1] + sentences[:40])])
    after = NgramModel.fit(ids, order=4, vocab_size=before.vocab_size, bos=before.bos)
    new.contexts.vectors.data.zero_()
    new.build_on(after)
    swapped = {token: (token,) for token in range(before.vocab_size)}
    swapped[ids[1]] = ()  # a token that the other model lacks
    new.contexts.copy_shared(after, old.contexts, before, swapped)
    kept = 0
    for row, node in enumerate(after.frequent[:40].tolist(), 1):
        tokens = after.tokens_of(node)
        vector = None if ids[1] in tokens else vector_of.get(tokens)
        kept += vector is not None
        assert torch.equal(new.contexts.vectors[row], torch.zeros(32) if vector is None else vector)
        assert new.contexts.rows[node] == row
    assert 0 < kept < 40


@pytest.mark.parametrize("size", [8, 40])
def test_a_tied_model_is_cooled_with_them(dataset, network_with_vectors, size: int) -> None:
    model = network_with_vectors(dataset, tie_weights=True, embedding_size=size, hidden_size=size)
    ids = ids_of(dataset)
    expected = model(ids)[0] / 1.3
    divide_logits(model, 1.3)
    torch.testing.assert_close(model(ids)[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [8, 40])
def test_the_model_file_contains_them(train_run, with_vectors: dict, size: int) -> None:
    train_run(model=with_vectors | {"embedding_size": size})
    loaded = load(Path("runs/a/model.safetensors")).model
    assert loaded.contexts.vectors[1:].any()
    assert not loaded.contexts.vectors[0].any()
    assert np.count_nonzero(loaded.contexts.rows) == 50
    assert len(api.load("runs/a").sample("cat", SampleConfig(length=40), seed=1)) == 43


def test_a_run_begins_with_those_of_another(train_run, with_vectors: dict, write) -> None:
    train_run("runs/first", model=with_vectors)
    api.train_run(
        write("the cat sat on the mat and the cat sat\n" * 50, "other.txt"),
        run="runs/second",
        training={"steps": 1, "batch_size": 4, "learning_rate": 1e-12, "weight_decay": 0},
        model={"context_vectors": 30},
        init_from="runs/first",
    )
    before, after = (load(Path(f"runs/{name}/model.safetensors")) for name in ("first", "second"))
    assert after.model.config.context_vectors == 30

    def vectors(checkpoint) -> dict:
        prior, contexts = checkpoint.model.prior, checkpoint.model.contexts
        nodes = prior.ngram.frequent[: len(contexts.vectors) - 1]
        texts = [tuple(map(checkpoint.tokenizer.token_bytes, prior.ngram.tokens_of(node))) for node in nodes]
        return dict(zip(texts, contexts.vectors[1:], strict=False))

    old, new = vectors(before), vectors(after)
    common = old.keys() & new.keys()
    assert 0 < len(common) < 30
    for text in new:
        torch.testing.assert_close(new[text], old.get(text, torch.zeros_like(new[text])))


def test_they_need_ngrams(train_run, small_shape: dict) -> None:
    with pytest.raises(ConfigError, match="--context-vectors is 5, but --ngram-order is 0"):
        train_run(model=small_shape | {"context_vectors": 5})
    with pytest.raises(CharlmError, match="context-vectors is 16385"):
        train_run(model=small_shape | {"ngram_order": 4, "context_vectors": 16_385})
