"""Small models whose distributions are known."""

import math
from typing import Any

import torch
from torch import Tensor

from charlm.config import ModelConfig, TokenizerConfig, Unknown
from charlm.model.language_model import LanguageModel
from charlm.sampling import GeneratedText, SampleConfig, write_many
from charlm.tokenizers import CharTokenizer, Tokenizer


class Bigrams(LanguageModel):
    """A model whose logits are a table's row, chosen by the last token; its state is the number of tokens read."""

    def __init__(self, table: Tensor) -> None:
        super().__init__(ModelConfig(vocab_size=len(table), hidden_size=1, embedding_size=1))
        self.table = table

    def forward(self, ids, states=None, *, generator=None):
        before = torch.zeros(ids.shape[1], 1) if states is None else states[0][0]
        return self.table[ids], ((before + len(ids),),)


def bigrams(size: int, seed: int = 1, spread: float = 1.5) -> Bigrams:
    """A table of random logits."""
    return Bigrams(spread * torch.randn(size, size, generator=torch.Generator().manual_seed(seed)))


def network(tokenizer: Tokenizer, cell: str = "lstm", *, spread: float = 3.0, **config: Any) -> LanguageModel:
    """A small network of random weights, spread out so that its choices are no even ones."""
    sizes = {"hidden_size": 12, "embedding_size": 5, "vocab_size": tokenizer.vocab_size} | config
    model = LanguageModel(ModelConfig(cell=cell, **sizes)).eval()
    model.initialise(torch.Generator().manual_seed(1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(spread)
    return model


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


LETTERS = CharTokenizer("abcdef")
"""Ids 0, 1, 2 are BOS, EOS, <unk>, and the letters follow."""


def many(
    model: LanguageModel, tokenizer: Tokenizer, num: int, *, prefix: str = "", **settings: Any
) -> list[GeneratedText]:
    """Texts with the seeds from 1 up."""
    config = SampleConfig(**settings)
    return [*write_many(model, tokenizer, seed=1, num=num, batch=1000, prefix=prefix, config=config)]


def chi_square(found: dict[str, int], expected: dict[str, float]) -> tuple[float, float]:
    """The statistic of counts against probabilities, and its 0.1% point by Wilson and Hilferty's approximation."""
    total = sum(found.values())
    assert set(found) <= {text for text, p in expected.items() if p > 0}, "a text came that can't"
    statistic = sum((found.get(text, 0) - total * p) ** 2 / (total * p) for text, p in expected.items() if p > 0)
    freedom = sum(p > 0 for p in expected.values()) - 1
    if freedom == 0:
        return statistic, 1e-9
    return statistic, freedom * (1 - 2 / (9 * freedom) + 3.0902 * math.sqrt(2 / (9 * freedom))) ** 3
