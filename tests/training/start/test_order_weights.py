"""The first weights of an n-gram prior that is added to a network which predicts text already."""

import pytest
import torch

from charlm.data.dataset import Dataset
from charlm.evaluation.score import evaluate
from charlm.model.additions.ngram_prior import fit_prior
from charlm.model.language_model import LanguageModel
from charlm.training.start.order_weights import fit_order_weights


@pytest.fixture
def model(network, dataset: Dataset) -> LanguageModel:
    model: LanguageModel = network(vocab_size=dataset.tokenizer.vocab_size, ngram_order=4, dropout=0.5)
    model.build_on(*fit_prior(dataset.train, dataset.tokenizer, 4))
    return model


def bits(model: LanguageModel, dataset: Dataset) -> float:
    return evaluate(model, dataset.tokenizer, dataset.valid).bits_per_character


def test_a_network_that_predicts_badly_is_helped(model: LanguageModel, dataset: Dataset) -> None:
    assert model.prior is not None
    model.prior.bias.data.zero_()
    alone = bits(model, dataset)
    fit_order_weights(model, dataset.train)
    assert bits(model, dataset) < 0.8 * alone
    assert not model.prior.weight.any() and model.prior.bias.grad is None


def test_the_weights_do_not_depend_on_dropout(model: LanguageModel, dataset: Dataset) -> None:
    assert model.prior is not None
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        fit_order_weights(model, dataset.train)
        found.append(model.prior.bias.detach().clone())
    assert torch.equal(*found) and model.training
