"""Fixtures for all tests. Uninitialised memory is filled with NaN, so that no test misses a weight that nobody set."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from typer.testing import CliRunner, Result

from charlm import TextModel, api
from charlm.api import Callbacks, Trained
from charlm.cli.app import app
from charlm.config import CorpusConfig, ModelConfig, TokenizerConfig
from charlm.data.corpus import Corpus, open_corpus
from charlm.data.dataset import Dataset, make_dataset
from charlm.model.additions.ngram_prior import fit_prior
from charlm.model.language_model import LanguageModel
from charlm.storage.checkpoint import load
from charlm.storage.direction import Direction, DirectionFacts
from charlm.training.start import base

sys.path.append(str(Path(__file__).parent))

from browser import CHROMIUM, chromium
from planted import Planted

settings.register_profile("charlm", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("charlm")

Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def native_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled libraries are kept: one folder for all tests of a session, whichever process they run in."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if folder.name.startswith("popen-") else folder) / "native"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, native_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give every test its own working folder and cache, but for compiled libraries, and restore torch's settings.

    Runs begin with new models, not with the bundled one of English, unless a test says so.
    """
    monkeypatch.setattr(base, "BASE", "missing")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "native").symlink_to(native_folder)
    monkeypatch.setenv("CHARLM_CACHE", str(cache))
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
    """One CPU thread, with which tiny models are fastest; `_isolated` restores the number."""
    torch.set_num_threads(1)


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
def labelled_run(train_run: Callable[..., Any], small_shape: dict[str, Any], labelled_reviews: Path) -> TextModel:
    """A model of these reviews with two labels and n-grams of 4 that has hardly seen them."""
    corpus = {"text_column": "text", "label_column": ("stars", "author")}
    train_run("runs/reviews", source=labelled_reviews, corpus=corpus, model=small_shape | {"ngram_order": 4}, steps=4)
    return api.load("runs/reviews")


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


@pytest.fixture(scope="session")
def small_shape() -> dict[str, Any]:
    """The fields of `ModelConfig` of the small networks that tests train."""
    return {"hidden_size": 16, "embedding_size": 8, "dropout": 0.3, "num_layers": 2, "ngram_order": 0}


@pytest.fixture
def train_run(text: Path, small_shape: dict[str, Any]) -> Callable[..., Trained]:
    """Train a small network on `text` for 60 steps, nothing auto-selected; any field of `TrainConfig` can be set."""

    def train_run(
        run: str = "runs/a",
        *,
        source: Path = text,
        corpus: dict[str, Any] | None = None,
        tokenizer: TokenizerConfig | None = None,
        model: dict[str, Any] | None = None,
        callbacks: Callbacks | None = None,
        overwrite: bool = False,
        started: float | None = None,
        **fields: Any,
    ) -> Trained:
        return api.train_run(
            source,
            run=run,
            corpus=corpus,
            tokenizer=tokenizer,
            model=small_shape if model is None else model,
            training={"steps": 60, "batch_size": 4, "seq_len": 16, "validations": 5} | fields,
            auto=False,
            overwrite=overwrite,
            callbacks=callbacks,
            started=started,
        )

    return train_run


@pytest.fixture(scope="session")
def _trained_once() -> dict[str, Path]:
    """The runs that `keep_run` has made so far."""
    return {}


@pytest.fixture
def keep_run(
    text: Path, tmp_path_factory: pytest.TempPathFactory, _trained_once: dict[str, Path]
) -> Callable[..., Path]:
    """Give a test its own run of `text`: the first with that key in a session is trained, later ones are copies."""

    def keep_run(key: object, run: str, train: Callable[[], object]) -> Path:
        if (kept := _trained_once.get(repr(key))) is None:
            train()
            kept = tmp_path_factory.mktemp("run") / "run"
            shutil.copytree(run, kept)
            _trained_once[repr(key)] = kept
            return Path(run)
        shutil.copytree(kept, run, copy_function=shutil.copyfile)  # not `copy2`: charlm looks for the newest run
        config = Path(run) / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"text": [str(text)]}))
        return Path(run)

    return keep_run


@pytest.fixture
def trained_run(train_run: Callable[..., Trained], keep_run: Callable[..., Path]) -> Callable[..., Path]:
    """As `train_run`, where the run matters and not how it was trained: see `keep_run`."""

    def trained_run(run: str = "runs/a", **fields: Any) -> Path:
        return keep_run(sorted(fields.items()), run, lambda: train_run(run, **fields))

    return trained_run


@pytest.fixture(scope="session")
def weights_of() -> Callable[..., Weights]:
    """The weights in a file of a run folder."""

    def weights_of(run: str, name: str = "resume.safetensors") -> Weights:
        return load(Path(run) / name).model.state_dict()

    return weights_of


@pytest.fixture(scope="session")
def same_weights() -> Callable[[Weights, Weights], bool]:
    """Whether two models have the same weights, bit for bit."""

    def same_weights(one: Weights, other: Weights) -> bool:
        assert one and one.keys() == other.keys()
        return all(torch.equal(value, other[name]) for name, value in one.items())

    return same_weights


@pytest.fixture(scope="session")
def stop_after() -> Callable[[int], Callbacks]:
    """Callbacks that interrupt a run after some steps."""

    def stop_after(steps: int) -> Callbacks:
        left = iter([False] * (steps - 1) + [True] * 1000)
        return Callbacks(should_stop=lambda: next(left))

    return stop_after


@pytest.fixture(scope="session")
def records_of() -> Callable[..., list[dict[str, Any]]]:
    """The records of a run, or those of one kind."""

    def records_of(run: str | Path, kind: str | None = None) -> list[dict[str, Any]]:
        records = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]
        return [record for record in records if kind in (None, record["kind"])]

    return records_of


@pytest.fixture(scope="session")
def charlm() -> Callable[..., Result]:
    """Run a command in this process, check its exit status, and give stdout and stderr apart."""

    def charlm(*arguments: object, status: int = 0, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result

    return charlm


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; tests are skipped without it. It ends with the module, since it occupies the event loop."""
    for package in ("playwright", "axe_playwright_python"):
        pytest.importorskip(package)
    if CHROMIUM is None:
        pytest.skip("there is no Chromium to open pages in; install Debian's package chromium")
    with chromium() as started:
        yield started
