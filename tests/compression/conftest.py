"""Models that compress: small networks with every part that a step can have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from charlm.data.dataset import Dataset
from charlm.model.additions.ngram_prior import fit_prior
from charlm.model.language_model import LanguageModel
from charlm.storage.checkpoint import Checkpoint
from charlm.storage.provenance import TextFacts
from charlm.text_model import TextModel

EVERYTHING = {"ngram_order": 5, "context_vectors": 20, "match": True, "recent": True, "num_layers": 2}
"""The shape of a network with every part that a step can have."""


@pytest.fixture(scope="session")
def model_for(network: Callable[..., LanguageModel]) -> Callable[..., TextModel]:
    """Make a model of a dataset: 8 units with random weights and no prior, unless the shape says otherwise.

    `spread` is the standard deviation of what is added to all weights.
    """

    def model_for(dataset: Dataset, *, spread: float = 0.3, **shape: Any) -> TextModel:
        model = network(vocab_size=dataset.tokenizer.vocab_size, **{"ngram_order": 0, "match": False} | shape)
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for weight in model.parameters():
                weight += spread * torch.randn(weight.shape, generator=generator)
        if model.prior is not None:
            model.build_on(fit_prior(dataset.train, dataset.tokenizer, model.prior.order)[0])
        corpus = dataset.corpus
        facts = TextFacts(
            name="text",
            bytes=corpus.bytes,
            characters=corpus.characters,
            documents=corpus.documents,
            sha256=corpus.sha256,
            config=corpus.config,
            boundaries=corpus.boundaries(),
        )
        checkpoint = Checkpoint(model=model.eval(), tokenizer=dataset.tokenizer, corpus=facts)
        return TextModel(path=Path("model.safetensors"), checkpoint=checkpoint)

    return model_for


@pytest.fixture
def everything() -> dict[str, Any]:
    """See `EVERYTHING`."""
    return EVERYTHING
