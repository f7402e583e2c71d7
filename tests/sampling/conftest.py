"""Small models whose distributions are known."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from charlm.config import ModelConfig, TokenizerConfig, Unknown
from charlm.model.language_model import LanguageModel
from charlm.sampling import GeneratedText, SampleConfig, generate_chunks, generate_many
from charlm.sampling.config import parse_bias, parse_steer, parse_temperature
from charlm.tokenizers import CharTokenizer, Tokenizer

LETTERS = CharTokenizer("abcdef")


class Bigrams(LanguageModel):
    """A model whose logits are a table's row, chosen by the last token; its state is the number of tokens read."""

    def __init__(self, table: Tensor) -> None:
        super().__init__(ModelConfig(vocab_size=len(table), hidden_size=1, embedding_size=1))
        self.table = table

    def forward(self, ids, states=None, *, generator=None):
        before = torch.zeros(ids.shape[1], 1) if states is None else states[0][0]
        return self.table[ids], ((before + len(ids),),)


class Words(Tokenizer):
    """Tokens that are given texts, the longest taken first; BOS is 0 and EOS 1."""

    kind = "words"
    bos, eos, unk = 0, 1, None

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.vocab_size = 2 + len(texts)

    @classmethod
    def fit(cls, texts, characters: int, config: TokenizerConfig):
        raise NotImplementedError

    def encode(self, text: str, *, unknown: Unknown = "error"):
        ids = []
        while text:
            longest = max((own for own in self.texts if text.startswith(own)), key=len)
            ids.append(2 + self.texts.index(longest))
            text = text[len(longest) :]
        return torch.tensor(ids, dtype=torch.int32).numpy()

    def token_bytes(self, token: int) -> bytes:
        return self.texts[token - 2].encode() if token > 1 else b""

    def to_json(self):
        raise NotImplementedError

    @classmethod
    def from_json(cls, values):
        raise NotImplementedError


def random_bigrams(size: int, seed: int = 1, spread: float = 1.5) -> Bigrams:
    """A table of random logits."""
    return Bigrams(spread * torch.randn(size, size, generator=torch.Generator().manual_seed(seed)))


def uneven_network(tokenizer: Tokenizer, cell: str = "lstm", *, spread: float = 3.0, **shape: Any) -> LanguageModel:
    """A small network whose weights are random, and so large that its choices are uneven."""
    sizes = {"hidden_size": 12, "embedding_size": 5, "vocab_size": tokenizer.vocab_size} | shape
    model = LanguageModel(ModelConfig(cell=cell, **sizes)).eval()
    model.initialise(torch.Generator().manual_seed(1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(spread)
    return model


def parsed_config(**settings: Any) -> SampleConfig:
    """A configuration whose temperature, biases and steering may be given as text, as on the command line.

    The default temperature is 1, the model's own distribution.
    """
    settings.setdefault("temperature", 1.0)
    if isinstance(settings.get("temperature"), str):
        settings["temperature"] = parse_temperature(settings["temperature"])
    for name, parse in (("bias", parse_bias), ("steer", parse_steer)):
        if name in settings:
            settings[name] = tuple(map(parse, settings[name]))
    return SampleConfig(**settings)


def write_with_seeds(
    model: LanguageModel, tokenizer: Tokenizer, num: int, *, prefix: str = "", opening: bool = False, **settings: Any
) -> list[GeneratedText]:
    """Texts with the seeds from 1 up."""
    config = parsed_config(**settings)
    return [
        *generate_many(model, tokenizer, seed=1, num=num, batch=1000, prefix=prefix, config=config, opening=opening)
    ]


@pytest.fixture(scope="session")
def letters() -> CharTokenizer:
    """Ids 0, 1, 2 are BOS, EOS, <unk>, and a to f follow."""
    return LETTERS


@pytest.fixture(scope="session")
def word_tokenizer() -> type[Words]:
    """Make a tokenizer of given texts."""
    return Words


@pytest.fixture(scope="session")
def bigrams() -> Callable[..., Bigrams]:
    """Make a model of random bigrams: of a vocabulary's size, by a seed."""
    return random_bigrams


@pytest.fixture(scope="session")
def uneven() -> Callable[..., LanguageModel]:
    """Make a small network for a tokenizer whose choices are uneven."""
    return uneven_network


@pytest.fixture(scope="session")
def write_texts() -> Callable[..., list[GeneratedText]]:
    """Write texts with the seeds from 1 up."""
    return write_with_seeds


@pytest.fixture(scope="session")
def sample_config() -> Callable[..., SampleConfig]:
    """Make a configuration from text, as on the command line."""
    return parsed_config


@pytest.fixture(scope="session")
def write_text() -> Callable[..., str]:
    """Write one text; arguments are those of `generate_chunks`."""

    def write_text(*arguments: Any, **settings: Any) -> str:
        return "".join(chunk.text for chunk in generate_chunks(*arguments, **settings))

    return write_text


@pytest.fixture(scope="session")
def chi_square() -> Callable[[list[str], dict[str, float]], tuple[float, float]]:
    """The statistic of texts against probabilities, and its 0.1% point by Wilson and Hilferty's approximation."""

    def chi_square(texts: list[str], expected: dict[str, float]) -> tuple[float, float]:
        assert set(texts) <= {text for text, p in expected.items() if p > 0}, "a text came that can't"
        counts = {text: (texts.count(text), len(texts) * p) for text, p in expected.items() if p > 0}
        statistic = sum((observed - wanted) ** 2 / wanted for observed, wanted in counts.values())
        freedom = len(counts) - 1
        if freedom == 0:
            return statistic, 1e-9
        return statistic, freedom * (1 - 2 / (9 * freedom) + 3.0902 * math.sqrt(2 / (9 * freedom))) ** 3

    return chi_square
