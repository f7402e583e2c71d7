"""What all tests share. Uninitialised memory is filled with NaN, so that a weight nobody set can't pass unseen."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings

from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data.corpus import Corpus, open_corpus
from charlm.data.dataset import Dataset, prepare

settings.register_profile("charlm", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("charlm")

TEXT = "".join(
    f"{word} and the {word}, a {number} of {word}s.\n" for number in range(40) for word in ("cat", "dog", "owl")
)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache and a working folder of its own for every test; torch as it was afterwards."""
    monkeypatch.setenv("CHARLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_COLOR", "1")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    threads = torch.get_num_threads()
    torch.use_deterministic_algorithms(True)  # fills torch.empty with NaN
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture
def one_thread() -> None:
    """One CPU thread, with which tiny models are fastest; `_alone` gives the others back."""
    torch.set_num_threads(1)


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
def corpus_of(write: Callable[..., Path]) -> Callable[..., Corpus]:
    """A corpus of one file with that content."""

    def corpus_of(content: str | bytes, **config: Any) -> Corpus:
        return open_corpus(write(content), CorpusConfig(**config))

    return corpus_of


@pytest.fixture
def dataset_of(corpus_of: Callable[..., Corpus]) -> Callable[..., Dataset]:
    """A dataset of one file with that content."""

    def dataset_of(content: str | bytes = TEXT, tokenizer: TokenizerConfig | None = None, **config: Any) -> Dataset:
        return prepare(corpus_of(content, **config), tokenizer or TokenizerConfig())

    return dataset_of
