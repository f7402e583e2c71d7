"""Fixtures of networks that are not trained, and of a direction."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from planted import Planted

from charlm.config import ModelConfig
from charlm.data.dataset import Dataset
from charlm.model.additions.ngram_prior import fit_prior
from charlm.model.language_model import LanguageModel
from charlm.storage.direction import Direction, DirectionFacts


@pytest.fixture(scope="session")
def network() -> Callable[..., LanguageModel]:
    """Make a model with random weights: of 11 tokens and 8 units, without dropout, unless the shape says otherwise."""

    def network(*, seed: int = 1, **shape: Any) -> LanguageModel:
        sizes = {"vocab_size": 11, "hidden_size": 8, "embedding_size": 5, "dropout": 0.0} | shape
        model = LanguageModel(ModelConfig(**sizes))
        model.initialise(torch.Generator().manual_seed(seed))
        return model

    return network


@pytest.fixture(scope="session")
def network_for(network: Callable[..., LanguageModel]) -> Callable[..., LanguageModel]:
    """Make a network for a dataset whose predictions differ clearly from token to token."""

    def network_for(dataset: Dataset, *, cell: str = "lstm", layers: int = 2) -> LanguageModel:
        model = network(
            vocab_size=dataset.tokenizer.vocab_size,
            cell=cell,
            num_layers=layers,
            hidden_size=12,
            embedding_size=6,
            dropout=0.5,
        )
        with torch.no_grad():
            model.output.mul_(8)
        return model

    return network_for


@pytest.fixture(scope="session")
def network_with_prior(network: Callable[..., LanguageModel]) -> Callable[..., LanguageModel]:
    """Make a network for a dataset that builds on the n-grams of its training split."""

    def network_with_prior(dataset: Dataset, order: int = 4) -> LanguageModel:
        model = network(vocab_size=dataset.tokenizer.vocab_size, ngram_order=order)
        model.prior.ngram, model.prior.cross_fit = fit_prior(dataset.train, dataset.tokenizer, order)
        return model

    return network_with_prior


@pytest.fixture(scope="session")
def planted(network: Callable[..., LanguageModel]) -> Planted:
    """A model with a unit that is known, and texts that move it."""
    return Planted(network)


@pytest.fixture(scope="session")
def mood() -> Direction:
    """A direction in a layer of 6 units."""
    facts = DirectionFacts(
        name="mood",
        kind="unit",
        layer=0,
        state="h",
        mean=0.25,
        scale=0.5,
        negative="bad",
        positive="good",
        model_sha256="0" * 64,
    )
    return Direction(facts, np.eye(6, dtype=np.float32)[2])
