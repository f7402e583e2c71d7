"""A model file, and what it says of its text and training."""

from pathlib import Path

import pytest
import torch

from charlm.config import CorpusConfig, ModelConfig, TrainConfig
from charlm.model.language_model import LanguageModel
from charlm.storage.checkpoint import Checkpoint, save
from charlm.storage.provenance import TextFacts, TrainingFacts
from charlm.tokenizers import CharTokenizer


@pytest.fixture(scope="session")
def text_facts() -> TextFacts:
    """The facts about a text of nine characters."""
    return TextFacts(
        name="x", bytes=9, characters=9, documents=1, sha256="0" * 64, config=CorpusConfig(), boundaries=(8, 9, 9)
    )


@pytest.fixture(scope="session")
def training_facts() -> TrainingFacts:
    """The facts about a run that was stopped at its third step of five."""
    return TrainingFacts(
        config=TrainConfig(steps=5),
        step=3,
        epoch=0.5,
        tokens=4,
        seconds=0.1,
        validation_nats_per_token=None,
        threads=1,
        device="cpu",
        torch="2.6.0",
        charlm="0.1.0",
    )


@pytest.fixture
def model_file(tmp_path: Path, text_facts: TextFacts, training_facts: TrainingFacts) -> Path:
    """A sound model file."""
    model = LanguageModel(ModelConfig(vocab_size=6, hidden_size=4, embedding_size=3))
    model.initialise(torch.Generator().manual_seed(1))
    path = tmp_path / "model.safetensors"
    save(path, Checkpoint(model=model, tokenizer=CharTokenizer("abc"), corpus=text_facts, training=training_facts))
    return path
