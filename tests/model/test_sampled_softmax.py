from dataclasses import replace

import numpy as np
import pytest
import torch

from charlm.data.windows import IGNORE, Window
from charlm.model.loss import window_loss
from charlm.model.sampled_softmax import TokenSampler, inclusion_probabilities

COUNTS = np.array([0, 9, 500, 3, 2, 90, 1, 1, 40, 7, 0])


@pytest.fixture
def window() -> Window:
    """A window with one padded position."""
    ids = torch.randint(11, (6, 3), generator=torch.Generator().manual_seed(1))
    targets = ids[1:].clone()
    targets[-1, 2] = IGNORE
    return Window(ids=ids[:-1], targets=targets, fresh=True, tokens=14, starts=np.array([0, 5, 11]))


def test_frequent_tokens_are_always_in_a_sample_and_every_token_sometimes() -> None:
    probabilities = inclusion_probabilities(COUNTS, 5)
    assert probabilities.sum() == pytest.approx(5, rel=1e-4)
    assert (probabilities > 0).all() and probabilities[2] == 1
    assert (np.diff(probabilities[np.argsort(COUNTS, kind="stable")]) >= 0).all()
    assert (inclusion_probabilities(COUNTS, 11) == 1).all()


def test_a_step_has_the_sample_and_the_targets() -> None:
    sampler, targets = TokenSampler(COUNTS, 4), torch.tensor([10, 2, 10, 6])
    seen = torch.zeros(11)
    for seed in range(400):
        columns = sampler.draw(targets, torch.Generator().manual_seed(seed))
        assert columns.tokens[columns.targets].tolist() == targets.tolist()
        assert len(columns.tokens.unique()) == len(columns.tokens)
        sampled = columns.tokens[columns.offsets.isfinite()]
        torch.testing.assert_close(columns.offsets[columns.offsets.isfinite()], -sampler.inclusion[sampled].log())
        assert {*columns.tokens.tolist()} == {*sampled.tolist(), 2, 6, 10}
        seen[sampled] += 1
    torch.testing.assert_close(seen / 400, sampler.inclusion, atol=0.08, rtol=0)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("order", [0, 3])
def test_a_sample_of_all_tokens_gives_the_cross_entropy_and_its_gradient(
    dataset_of, network, network_with_prior, sentences: str, window: Window, tied: bool, order: int
) -> None:
    dataset = dataset_of(sentences)
    model = network_with_prior(dataset, order) if order else network(embedding_size=8, tie_weights=tied)
    sampler = TokenSampler(np.ones(model.config.vocab_size, np.int64), 10_000)
    losses, gradients = [], []
    for used in (None, sampler):
        model.zero_grad()
        loss, states = window_loss(model, window, None, sampler=used)
        loss.backward()
        losses.append(loss.item())
        gradients.append({name: weight.grad for name, weight in model.named_parameters()})
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-6)
    assert len(states) == len(model.initial_state(3))


def test_the_sum_over_all_tokens_is_estimated_without_bias(network, window: Window) -> None:
    """With a single target p(y) = exp z_y / Z, and exp(loss) = Z / exp z_y is linear in the estimate."""
    model = network()
    one = replace(window, ids=window.ids[:1, :1], targets=window.targets[:1, :1], tokens=1)
    exact, _ = window_loss(model, one, None)
    sampler, generator = TokenSampler(COUNTS, 5), torch.Generator().manual_seed(3)
    estimates = [
        window_loss(model, one, None, generator=generator, sampler=sampler)[0].exp().item() for _ in range(600)
    ]
    assert np.std(estimates) > 0
    assert np.mean(estimates) == pytest.approx(exact.exp().item(), abs=4 * np.std(estimates) / 600**0.5)
