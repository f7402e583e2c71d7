import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from charlm.config import TokenizerConfig
from charlm.data.dataset import Dataset
from charlm.data.windows import document_windows
from charlm.errors import ConfigError
from charlm.evaluation.neural_cache import NeuralCache, NeuralCacheConfig
from charlm.evaluation.score import evaluate
from charlm.model.language_model import LanguageModel

CONFIG = NeuralCacheConfig(size=30, share=0.2, sharpness=2.0)


def plain(model: LanguageModel, dataset: Dataset, config: NeuralCacheConfig) -> float:
    """The definition, token by token."""
    part, total = dataset.valid, 0.0
    model.eval()
    with torch.no_grad():
        for start, stop in zip(part.starts[:-1], part.starts[1:], strict=True):
            states, past = None, []
            for token, following in pairwise(int(token) for token in part.ids[start:stop]):
                logits, hidden, states = model.read(torch.tensor([[token]]), states)
                p = torch.softmax(logits[0, 0], dim=0)
                if past:
                    weights = [math.exp(config.sharpness * float(hidden[0, 0] @ h)) for h, _ in past[-config.size :]]
                    same = [w for w, (_, x) in zip(weights, past[-config.size :], strict=True) if x == following]
                    chance = (1 - config.share) * float(p[following]) + config.share * sum(same) / sum(weights)
                else:
                    chance = float(p[following])
                total -= math.log(chance)
                past.append((hidden[0, 0], following))
    return total


@pytest.mark.parametrize("kind", ["char", "subword", "word"])
@pytest.mark.parametrize("documents", ["file", "line"])
def test_it_is_what_a_plain_loop_gives(dataset_of, sentences: str, network_for, kind: str, documents: str) -> None:
    dataset = dataset_of(sentences, TokenizerConfig(kind=kind, vocab_size=320), documents=documents)
    model = network_for(dataset).double()
    found = evaluate(model, dataset.tokenizer, dataset.valid, cache=CONFIG)
    assert found.nats == pytest.approx(plain(model, dataset, CONFIG), rel=1e-9)


@pytest.mark.parametrize(("kind", "share", "sharpness"), [("char", 0.05, 0.3), ("word", 0.15, 0.2)])
def test_the_default_weighting_follows_from_the_vocabulary(
    dataset_of, network_for, kind: str, share: float, sharpness: float
) -> None:
    words = " ".join(f"w{number * 7919 % 600}" for number in range(1500))
    dataset = dataset_of(words, TokenizerConfig(kind=kind, min_count=1))
    model = network_for(dataset).double()
    found = evaluate(model, dataset.tokenizer, dataset.valid, cache=NeuralCacheConfig(size=30))
    expected = plain(model, dataset, NeuralCacheConfig(size=30, share=share, sharpness=sharpness))
    assert found.nats == pytest.approx(expected, rel=1e-9)


def test_windows_of_any_width_give_the_same(dataset_of, sentences: str, network_for) -> None:
    dataset = dataset_of(sentences, documents="line")
    model = network_for(dataset).double().eval()
    totals = []
    for width in (1, 5, 500):
        cache, states, total = NeuralCache(CONFIG), None, 0.0
        for window in document_windows(dataset.valid, batch_size=7, seq_len=width):
            rows = window.ids.shape[1]
            states = None if window.fresh else tuple(tuple(part[:rows] for part in state) for state in states)
            logits, hidden, states = model.read(window.ids, states)
            total += cache.score(window, logits, hidden).sum().item()
        totals.append(total)
    assert totals == pytest.approx([totals[0]] * 3, rel=1e-9)


def test_probabilities_sum_to_one(dataset, network_for) -> None:
    model = network_for(dataset).double().eval()
    (window,) = document_windows(dataset.valid, batch_size=1, seq_len=5000)
    logits, hidden, _ = model.read(window.ids)
    sums = torch.zeros(window.ids.shape, dtype=torch.float64)
    last = len(window.ids) - 1
    for token in range(dataset.tokenizer.vocab_size):  # what the last place would cost, whatever stood there
        targets = window.targets.clone()
        targets[last] = token
        sums[last] += torch.exp(-NeuralCache(CONFIG).score(replace(window, targets=targets), logits, hidden))[last]
    assert sums[last].item() == pytest.approx(1, rel=1e-9)


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(ConfigError, match=r"--cache-share is 1; it must be at least 0 and at most 0\.999"):
        NeuralCacheConfig(share=1)
