"""Fixtures of texts, tables and datasets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data.corpus import Corpus, open_corpus
from charlm.data.dataset import Dataset, make_dataset


@pytest.fixture(scope="session")
def sentences() -> str:
    """A repetitive text of 120 lines."""
    words = ("cat", "dog", "owl")
    return "".join(f"{word} and the {word}, a {number} of {word}s.\n" for number in range(40) for word in words)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file below the test's folder."""

    def write(content: str | bytes, name: str = "text.txt") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def text(write: Callable[..., Path], sentences: str) -> Path:
    """The file text.txt with `sentences`."""
    return write(sentences)


@pytest.fixture
def labelled_reviews(write: Callable[..., Path]) -> Path:
    """A table of 240 short reviews, sorted by their stars (1, 3 or 5), a third of them without an author."""
    words = {"1": ("dull", "weak", "bad"), "3": ("fair", "plain", "odd"), "5": ("fine", "warm", "good")}
    rows = []
    for stars, own in words.items():
        for number in range(80):
            first, second = own[number % 3], own[number // 3 % 3]
            author = ("ann", "bob", "")[number % 3]
            rows.append(f'{len(rows)},{stars},"A {first} film, and {second}.\nSo ""{first}""!",{author}\n')
    return write("id,stars,text,author\n" + "".join(rows), "reviews.csv")


@pytest.fixture
def table_of_pairs(write: Callable[..., Path]) -> Path:
    """A sorted table of 300 short words, and of the same words in capitals with a full stop."""
    words = sorted({f"{'abcdef'[n % 6]}{'ab'[n % 2]}{'fedcba'[n // 6 % 6]}{'abcdefghi'[n // 36]}" for n in range(300)})
    return write("word,written\n" + "".join(f"{word},{word.upper()}.\n" for word in words), "pairs.csv")


@pytest.fixture
def corpus_of(write: Callable[..., Path]) -> Callable[..., Corpus]:
    """Make a corpus of one file with some content."""

    def corpus_of(content: str | bytes, **config: Any) -> Corpus:
        return open_corpus(write(content), CorpusConfig(**config))

    return corpus_of


@pytest.fixture
def dataset_of(corpus_of: Callable[..., Corpus]) -> Callable[..., Dataset]:
    """Make a dataset of one file with some content."""

    def dataset_of(content: str | bytes, tokenizer: TokenizerConfig | None = None, **config: Any) -> Dataset:
        return make_dataset(corpus_of(content, **config), tokenizer or TokenizerConfig())

    return dataset_of


@pytest.fixture
def dataset(dataset_of: Callable[..., Dataset], sentences: str) -> Dataset:
    """The dataset of `sentences`, by characters."""
    return dataset_of(sentences)
