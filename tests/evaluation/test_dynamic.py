from copy import deepcopy

import pytest
import torch

from charlm.config import TokenizerConfig
from charlm.data.token_split import TokenSplit
from charlm.data.windows import document_windows
from charlm.errors import ConfigError
from charlm.evaluation.dynamic import DynamicConfig, adapt, dynamic_evaluate, dynamic_score
from charlm.evaluation.neural_cache import NeuralCacheConfig
from charlm.evaluation.score import evaluate

CONFIG = DynamicConfig(rate=0.01, decay=0.02, seq_len=8)


def nats_by_token(
    model, split: TokenSplit, config: DynamicConfig, cache: NeuralCacheConfig | None = None
) -> torch.Tensor:
    """Of a split that is one document, (N,)."""
    windows = document_windows(split, batch_size=1, seq_len=config.seq_len)
    return torch.cat([nats[:, 0] for nats in dynamic_score(model, windows, config, cache)])


@pytest.mark.parametrize("cache", [None, NeuralCacheConfig(size=20, share=0.3)])
def test_a_token_is_scored_before_anything_learns_from_it(
    dataset, network_for, cache: NeuralCacheConfig | None
) -> None:
    """Change the future from a place on: what is scored before, and at the place given the past, stays the same."""
    model = network_for(dataset)
    nats = nats_by_token(model, dataset.valid, CONFIG, cache)
    other = dataset.valid.ids.copy()
    changed = 101
    other[changed:-1] = other[changed:-1][::-1]
    split = TokenSplit(other, dataset.valid.starts, dataset.valid.facts)
    found = nats_by_token(model, split, CONFIG, cache)
    assert torch.equal(found[: changed - 1], nats[: changed - 1])  # nats[i] is the cost of token i + 1
    assert not torch.equal(found[changed - 1 :], nats[changed - 1 :])


def test_it_is_what_a_plain_loop_gives(dataset, network_for) -> None:
    model = network_for(dataset).double()
    ids = torch.tensor(dataset.valid.ids.astype("int64"))
    trained = [p.detach().clone() for p in model.parameters()]
    before = deepcopy(model.state_dict())
    learner, expected, states, squares = deepcopy(model).eval(), 0.0, None, [torch.zeros_like(p) for p in trained]
    windows = list(document_windows(dataset.valid, batch_size=1, seq_len=CONFIG.seq_len))
    width = len(windows[0].ids)
    for number, start in enumerate(range(0, len(ids) - 1, width), start=1):
        stop = min(start + width, len(ids) - 1)
        logits, states = learner(ids[start:stop, None], states)
        states = tuple(tuple(part.detach() for part in state) for state in states)
        loss = torch.nn.functional.cross_entropy(logits[:, 0], ids[start + 1 : stop + 1])
        expected += loss.item() * (stop - start)
        gradients = torch.autograd.grad(loss, list(learner.parameters()))
        with torch.no_grad():
            for p, g, first, m in zip(learner.parameters(), gradients, trained, squares, strict=True):
                m.copy_(0.99 * m + 0.01 * g**2)
                p -= CONFIG.rate * g / (torch.sqrt(m / (1 - 0.99**number)) + 1e-6)
                p += CONFIG.decay * (first - p)
    found = dynamic_evaluate(model, dataset.tokenizer, dataset.valid, config=CONFIG)
    assert found.nats == pytest.approx(expected, rel=1e-9)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("kind", ["char", "subword", "word"])
@pytest.mark.parametrize("documents", ["file", "line"])
def test_without_learning_it_is_the_plain_score(
    dataset_of, sentences: str, network_for, kind: str, documents: str
) -> None:
    dataset = dataset_of(sentences, TokenizerConfig(kind=kind, vocab_size=320), documents=documents)
    model = network_for(dataset).double()
    found = dynamic_evaluate(model, dataset.tokenizer, dataset.valid, config=DynamicConfig(rate=1e-300, decay=0.0))
    plain = evaluate(model, dataset.tokenizer, dataset.valid)
    assert found.nats == pytest.approx(plain.nats, rel=1e-9)
    assert (found.tokens, found.documents) == (plain.tokens, plain.documents)


def test_a_repetitive_text_is_learnt_while_it_is_scored(dataset_of, sentences: str, network_for) -> None:
    dataset = dataset_of(sentences, splits=(10, 90, 0))
    model = network_for(dataset)
    plain = evaluate(model, dataset.tokenizer, dataset.valid).nats
    assert dynamic_evaluate(model, dataset.tokenizer, dataset.valid, config=CONFIG).nats < 0.7 * plain
    adapted = adapt(model, dataset.valid, CONFIG)
    assert evaluate(adapted, dataset.tokenizer, dataset.valid).nats < 0.7 * plain
    assert evaluate(model, dataset.tokenizer, dataset.valid).nats == plain


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(ConfigError, match="--dynamic-rate is 0; it must be above 0"):
        DynamicConfig(rate=0)


@pytest.mark.parametrize(("match", "rate"), [(False, 1e-3), (True, 2e-4)])
def test_the_default_rate_is_lower_for_a_model_with_a_match(dataset, network, match: bool, rate: float) -> None:
    model = network(vocab_size=dataset.tokenizer.vocab_size, match=match)

    def nats(config: DynamicConfig) -> float:
        return dynamic_evaluate(model, dataset.tokenizer, dataset.valid, config=config).nats

    assert nats(DynamicConfig()) == nats(DynamicConfig(rate=rate)) != nats(DynamicConfig(rate=5e-4))
