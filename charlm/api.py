"""charlm from Python: train, resume and load, each what a command does, without the printing."""

import logging
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from charlm import checkpoint as files
from charlm.cells import find_cell
from charlm.checkpoint import Checkpoint
from charlm.config import (
    DEFAULT_HIDDEN,
    CorpusConfig,
    ModelConfig,
    SampleConfig,
    TokenizerConfig,
    TrainConfig,
    default_embedding_size,
)
from charlm.corpus import Corpus, read_corpus
from charlm.dataset import Dataset, prepare, unsplit
from charlm.errors import ConfigError, CorpusError, RunError
from charlm.evaluate import Evaluation, evaluate
from charlm.model import LanguageModel, pick_device
from charlm.progress import Progress, silent
from charlm.records import Record
from charlm.resume import begin, restore
from charlm.runs import RunFolder, find_model, find_run, new_run
from charlm.sampler import generate
from charlm.sources import Found, find_sources
from charlm.trainer import Outcome, fit

logger = logging.getLogger(__name__)

DEFAULT_LENGTH = {"minutes": 5.0, "epochs": 20.0}
"""How long a run is when nothing is said: whichever ends first."""


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Who is told of a run while it goes on, and may end it."""

    progress: Progress = silent
    """Told how far reading and encoding are."""
    prepared: Callable[[RunFolder, Dataset, LanguageModel, TrainConfig], None] = lambda *_: None
    """Told when training is about to begin."""
    observer: Callable[[Record], None] = lambda record: None
    """Shown every record."""
    should_stop: Callable[[], bool] = lambda: False
    """Asked after every step; yes saves everything and ends the session."""
    started: float | None = None
    """time.monotonic() from which --minutes counts; None is the call."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a call of `train` or `resume` came to."""

    run: Path
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model that was read from a file."""

    path: Path
    checkpoint: Checkpoint

    def generate(self, prefix: str = "", *, seed: int | None = None, **settings: Any) -> Generator[str, None, str]:
        """Yield a text as it is written, the prefix first.

        Args:
            prefix: what the text begins with.
            seed: of the random choices; None is another one each time.
            **settings: fields of `charlm.config.SampleConfig`: temperature, length, stop, unknown.
        """
        generator = torch.Generator()
        if seed is None:
            generator.seed()
        else:
            generator.manual_seed(seed)
        config = SampleConfig(**settings)
        return generate(self.checkpoint.model, self.checkpoint.tokenizer, generator, prefix=prefix, config=config)

    def evaluate(
        self,
        text: str | Path | Sequence[str | Path],
        *,
        split: str | None = None,
        progress: Progress = silent,
        **settings: Any,
    ) -> Evaluation:
        """Score a text, whole, or one split of it.

        Args:
            text: files, folders or registered names.
            split: "train", "valid" or "test", cut as the model's own corpus was.
            progress: told how far reading, encoding and scoring are.
            **settings: fields of `CorpusConfig` to read the text by; what isn't given is as in training.
        """
        own = self.corpus_config
        config = replace(own, **settings) if split else unsplit(replace(own, **settings))
        corpus = _read(_arguments(text), config, progress)
        return self._score(corpus, split or "train", progress)

    def evaluate_own(self, split: str, *, progress: Progress = silent) -> Evaluation:
        """Score one of the splits that the model was trained with; the text must still be where it was, unchanged.

        Raises `CorpusError` when it isn't, and `RunError` when the model's run folder isn't there to say where it was.
        """
        run = RunFolder(self.path.parent)
        if not run.config.exists():
            raise RunError(
                f"{self.path} lies outside its run folder, so its text is not known; name the text too, as in "
                f"`charlm eval {self.path} TEXT --split {split}`"
            )
        corpus = _read(run.read_config()["text"], self.corpus_config, progress)
        if corpus.sha256 != self.checkpoint.corpus.get("sha256"):
            raise CorpusError(
                f"the text {corpus.name} has changed since the model was trained on it; name the text to score, or "
                "bring the old one back"
            )
        return self._score(corpus, split, progress)

    @property
    def corpus_config(self) -> CorpusConfig:
        """How the model's corpus was read and split."""
        return CorpusConfig.from_json(self.checkpoint.corpus.get("config", {}))

    def _score(self, corpus: Corpus, split: str, progress: Progress) -> Evaluation:
        dataset = prepare(corpus, self.checkpoint.tokenizer, progress=progress)
        return evaluate(self.checkpoint.model, self.checkpoint.tokenizer, dataset.split(split), progress=progress)


def load(model: str | Path | None = None, *, device: str = "cpu") -> LoadedModel:
    """Read a model: a model file, a run folder, the name of a run, or the newest run.

    Raises `RunError` where there is none, `ModelFileError` for a file that is damaged or foreign.
    """
    path = find_model(None if model is None else str(model))
    return LoadedModel(path=path, checkpoint=files.load(path, pick_device(device)))


def sample(model: str | Path | None = None, prefix: str = "", *, seed: int | None = None, **settings: Any) -> str:
    """Write a text; see `load` and `LoadedModel.generate`."""
    return "".join(load(model).generate(prefix, seed=seed, **settings))


def train(
    text: str | Path | Sequence[str | Path],
    *,
    run: str | Path | None = None,
    corpus: Mapping[str, Any] | None = None,
    tokenizer: TokenizerConfig | None = None,
    model: Mapping[str, Any] | None = None,
    training: TrainConfig | None = None,
    init_from: str | Path | None = None,
    overwrite: bool = False,
    hooks: Hooks | None = None,
) -> Trained:
    """Train a model and keep it in a run folder.

    Args:
        text: files, folders, "-" or registered names.
        run: the folder; None is a new one in runs/, named after the text.
        corpus: fields of `CorpusConfig`; what isn't given is as the registry says, or the default.
        tokenizer: None is characters.
        model: fields of `ModelConfig` without the vocabulary size; what isn't given is the default.
        training: None is five minutes, or 20 epochs if they end sooner.
        init_from: a model to begin with; its tokenizer and shape are taken over.
        overwrite: replace the run that is in the folder.
        hooks: who is told, and may end it.

    Raises:
        CharlmError: one of its kinds, for whatever a user can mend.
    """
    hooks = _started(hooks)
    training = training or TrainConfig(**DEFAULT_LENGTH)  # type: ignore[arg-type]
    pick_device(training.device)
    found = find_sources(_arguments(text), progress=hooks.progress, encoding=(corpus or {}).get("encoding", "utf-8"))
    config = _corpus_config(found, corpus or {})
    read = _read_found(found, config, hooks.progress)
    first = load(init_from) if init_from is not None else None
    if first is not None and tokenizer is not None:
        raise ConfigError("--init-from brings its own tokenizer; leave out the options of the tokenizer")
    _model_config(model or {}, first, 2)  # so that a wrong option ends here, before a folder is made
    folder = RunFolder(find_run(str(run)) if run is not None else new_run(read.name, overwrite=overwrite))
    folder.create(
        {
            "text": list(found.arguments),
            "corpus": config.to_json(),
            "tokenizer": (tokenizer or TokenizerConfig()).to_json() if first is None else None,
            "model": dict(model or {}),
            "training": training.to_json(),
            "init_from": None if first is None else str(first.path.resolve()),
        },
        overwrite=overwrite,
    )
    return _train(folder, read, hooks)


def resume(
    run: str | Path,
    *,
    text: str | Path | Sequence[str | Path] | None = None,
    lengths: Mapping[str, Any] | None = None,
    hooks: Hooks | None = None,
) -> Trained:
    """Go on with a run where it was saved last.

    Args:
        run: its folder or name.
        text: where the text is now, if it was moved; it must be the same.
        lengths: other `minutes`, `epochs` or `steps` than the run was begun with; they replace all three.
        hooks: who is told, and may end it.
    """
    hooks = _started(hooks)
    folder = RunFolder(find_run(str(run)))
    values = folder.read_config()
    changes: dict[str, Any] = {}
    if text is not None:
        changes["text"] = list(find_sources(_arguments(text), progress=hooks.progress).arguments)
    if lengths:
        changes["training"] = values["training"] | {"minutes": None, "epochs": None, "steps": None} | dict(lengths)
        TrainConfig.from_json(changes["training"])
    try:
        corpus = _read((values | changes)["text"], CorpusConfig.from_json(values["corpus"]), hooks.progress)
    except KeyError as error:
        raise RunError(f"{folder.config} is damaged: it lacks {error}") from None
    if changes:
        folder.write_config(values | changes)
    return _train(folder, corpus, hooks)


def _train(folder: RunFolder, corpus: Corpus, hooks: Hooks) -> Trained:
    """Train from the configuration of a run folder, from the beginning or where its resume file stands."""
    values = folder.read_config()
    try:
        config = TrainConfig.from_json(values["training"])
        tokenizer = values["tokenizer"] and TokenizerConfig.from_json(values["tokenizer"])
        options, init_from = values["model"], values["init_from"]
    except KeyError as error:
        raise RunError(f"{folder.config} is damaged: it lacks {error}") from None
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    device = pick_device(config.device)
    assert hooks.started is not None
    lengths = (0, 0)
    if folder.resume.exists():
        state, checkpoint, lengths = restore(folder, config, device, hooks.started)
        if corpus.sha256 != checkpoint.corpus.get("sha256"):
            raise CorpusError(
                f"the text {corpus.name} is not the one this run was begun with; --resume needs the same text"
            )
        dataset = prepare(corpus, checkpoint.tokenizer, progress=hooks.progress)
    else:
        first = load(init_from) if init_from is not None else None
        dataset = prepare(corpus, first.checkpoint.tokenizer if first else tokenizer, progress=hooks.progress)
        if first is not None:
            _model_config(options, first, dataset.tokenizer.vocab_size)
            model = first.checkpoint.model
        else:
            model = LanguageModel(_model_config(options, None, dataset.tokenizer.vocab_size))
            model.initialise(torch.Generator().manual_seed(config.seed))
        state = begin(model, config, device, hooks.started)
    _remark(dataset, config)
    hooks.prepared(folder, dataset, state.model, config)
    outcome = fit(
        folder, state, dataset, config, lengths=lengths, observer=hooks.observer, should_stop=hooks.should_stop
    )
    return Trained(run=folder.path, outcome=outcome)


def _remark(dataset: Dataset, config: TrainConfig) -> None:
    """Tell what a user may not expect."""
    corpus, tokens = dataset.corpus, dataset.train.facts.tokens
    if tokens < config.seq_len:
        logger.warning(
            "the training split has %d tokens, fewer than one window of %d; the window is shrunk to fit",
            tokens,
            config.seq_len,
        )
    if corpus.looks_like_list:
        logger.warning("%s looks like a list of short lines; --documents line makes each line a document", corpus.name)
    if dataset.valid.facts.tokens == 0:
        logger.warning("there is no validation split; the latest model is kept, not the best")
    if unknown := dataset.train.facts.unknown_characters:
        logger.warning("%d characters of the training split are not in the vocabulary and become <unk>", unknown)


def _model_config(options: Mapping[str, Any], first: LoadedModel | None, vocab_size: int) -> ModelConfig:
    """The model's shape from the options; with a model to begin with, its shape, which they must not contradict."""
    options = dict(options)
    if "cell" in options:
        options["cell"] = find_cell(options["cell"]).name
    if first is not None:
        config = first.checkpoint.model.config
        for name, value in options.items():
            if getattr(config, name) != value:
                raise ConfigError(
                    f"--init-from {first.path} has {name} {getattr(config, name)!r}, not {value!r}; "
                    "leave the option out"
                )
        return config
    if options.get("embedding_size") is None:
        tie = bool(options.get("tie_weights", False))
        hidden = options.get("hidden_size", DEFAULT_HIDDEN)
        options["embedding_size"] = default_embedding_size(vocab_size, hidden, tie_weights=tie)
    return ModelConfig.from_json(options | {"vocab_size": vocab_size})


def _corpus_config(found: Found, given: Mapping[str, Any]) -> CorpusConfig:
    """What the user says, then what the registry says, then the defaults."""
    values = dict(given)
    if values.get("separator") is not None:
        values.setdefault("documents", "separator")
    if found.named is not None:
        values.setdefault("documents", found.named.documents)
        if found.named.splits is not None:
            values.setdefault("splits", found.named.splits)
    return CorpusConfig(**values)


def _read(arguments: Sequence[str], config: CorpusConfig, progress: Progress) -> Corpus:
    return _read_found(find_sources(arguments, progress=progress, encoding=config.encoding), config, progress)


def _read_found(found: Found, config: CorpusConfig, progress: Progress) -> Corpus:
    if found.skipped:
        logger.warning("%d files that hold no text are left out, such as %s", len(found.skipped), found.skipped[0])
    return read_corpus(found, config, progress=progress)


def _arguments(text: str | Path | Sequence[str | Path]) -> list[str]:
    return [str(text)] if isinstance(text, str | Path) else [str(part) for part in text]


def _started(hooks: Hooks | None) -> Hooks:
    hooks = hooks or Hooks()
    return hooks if hooks.started is not None else replace(hooks, started=time.monotonic())
