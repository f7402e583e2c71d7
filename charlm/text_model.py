"""A model that was read from a file: it writes text and scores text, each as the command of that name does."""

import logging
import shlex
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from charlm.config import CorpusConfig
from charlm.data.corpus import Corpus, open_corpus
from charlm.data.dataset import Dataset, prepare, unsplit
from charlm.data.sources import TextLike
from charlm.errors import CharlmError, ConfigError, CorpusError, RunError
from charlm.evaluation.baselines import Baseline, measure_baselines
from charlm.evaluation.copying import Copied, CopyIndex, find_copies
from charlm.evaluation.dynamic import DynamicConfig, adapt, dynamic_evaluate
from charlm.evaluation.neural_cache import NeuralCacheConfig
from charlm.evaluation.score import Evaluation, evaluate
from charlm.model.device import pick_device
from charlm.model.language_model import LanguageModel
from charlm.model.unit import Unit, names_unit
from charlm.progress import Progress, silent
from charlm.sampling import Chunk, GeneratedText, SampleConfig, beam_search, generate, write_many, write_pieces
from charlm.sampling.direction import Direction, find_direction
from charlm.sampling.infill.fill import FillConfig, Filling, fill
from charlm.sampling.session import Session
from charlm.sampling.steering import Hold, parse_steer
from charlm.storage import checkpoint as files
from charlm.storage.checkpoint import Checkpoint, weights_sha256
from charlm.storage.runs import RUNS, RunFolder, find_model, newest_models
from charlm.tokenizers import Tokenizer

logger = logging.getLogger(__name__)

_INDEXED = 50_000_000  # characters of a training text that copies are looked for in
_APART = "\x01"  # between texts that are looked at together; not what stands between those of an index


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """A model that was read from a file."""

    path: Path
    checkpoint: Checkpoint
    origin: str | None = None
    """The hash of the weights that these were adapted from, for which directions are good; None where as read."""

    def generate(self, prefix: str = "", *, seed: int | None = None, **settings: Any) -> Generator[str, None, str]:
        """Yield a text as it is written, the prefix first.

        Args:
            prefix: what the text begins with.
            seed: of the random choices; None is another one each time.
            **settings: fields of `charlm.sampling.SampleConfig`: temperature, length, stop, top_p and so on.
        """
        model, tokenizer = self._writer()
        config = SampleConfig(**settings)
        return generate(model, tokenizer, _generator(seed), prefix=prefix, config=config, **self._beside(config))

    def pieces(
        self, prefix: str = "", *, seed: int | None = None, score: bool = True, **settings: Any
    ) -> Generator[Chunk, None, GeneratedText]:
        """As `generate`, with log-probabilities if `score`; the generator's value is the whole text."""
        model, tokenizer = self._writer()
        config = SampleConfig(**settings)
        beside = self._beside(config)
        return write_pieces(model, tokenizer, _generator(seed), prefix=prefix, config=config, score=score, **beside)

    def write(
        self, prefix: str = "", *, seed: int, num: int, batch: int = 1, **settings: Any
    ) -> Iterator[GeneratedText]:
        """Write `num` texts, `batch` at a time; text k is the one that `generate` writes with seed + k."""
        model, tokenizer = self._writer()
        config = SampleConfig(**settings)
        beside = self._beside(config)
        return write_many(model, tokenizer, seed=seed, num=num, batch=batch, prefix=prefix, config=config, **beside)

    def session(self, prefix: str = "", *, seed: int | None = None, **settings: Any) -> Session:
        """A text that a person and the model write together; see `charlm.sampling.session`."""
        model, tokenizer = self._writer()
        config = SampleConfig(**settings)
        steering = self.steering(config.steer)
        return Session(model, tokenizer, _generator(seed), prefix=prefix, config=config, steering=steering)

    def beam(self, prefix: str = "", *, width: int, num: int = 1, **settings: Any) -> list[GeneratedText]:
        """The most probable texts that a beam search of that width finds, best first."""
        model, tokenizer = self._writer()
        config = SampleConfig(**settings)
        steering = self.steering(config.steer)
        return beam_search(model, tokenizer, width=width, num=num, prefix=prefix, config=config, steering=steering)

    def direction(self, name: str) -> Direction:
        """A direction by the name of its file, or one that `charlm probe` saved beside the model.

        Raises `ConfigError` where there is none, or where it was found in another model.
        """
        path = find_direction(name, self.path)
        direction = Direction.load(path)
        model = self.checkpoint.model
        direction.require_in(model, self.origin or weights_sha256(model), path)
        return direction

    def steering(self, steer: Sequence[str]) -> list[Hold]:
        """What `SampleConfig.steer` means for this model; raises `ConfigError` for a unit or direction it hasn't."""
        model, holds = self.checkpoint.model, []
        for text in steer:
            name, value = parse_steer(text)
            if names_unit(name):
                unit = Unit.parse(name, "--steer")
                unit.require_in(model, "--steer")
                vector = np.zeros(model.config.hidden_size, np.float32)
                vector[unit.number] = 1
                holds.append(Hold(layer=unit.layer, part=-1 if unit.cell_state else 0, vector=vector, value=value))
            else:
                direction = self.direction(name)
                layer, part = direction.facts.layer, -1 if direction.facts.state == "c" else 0
                holds.append(Hold(layer=layer, part=part, vector=direction.vector, value=direction.value(value)))
        return holds

    def evaluate(
        self,
        text: TextLike,
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
        return self.score(self.read(text, split=split, progress=progress, **settings), split or "train", progress)

    def evaluate_own(self, split: str, *, progress: Progress = silent) -> Evaluation:
        """Score one of the splits that the model was trained with; raises what `read_own` does."""
        return self.score(self.read_own(progress=progress), split, progress)

    def read(
        self, text: TextLike, *, split: str | None = None, progress: Progress = silent, **settings: Any
    ) -> Dataset:
        """A text in the model's tokens, cut into splits if one of them is wanted, else all in the first; the arguments
        are those of `evaluate`."""
        corpus = self.open_text(text, split=split, progress=progress, **settings)
        return prepare(corpus, self.checkpoint.tokenizer, progress=progress)

    def open_text(
        self, text: TextLike, *, split: str | None = None, progress: Progress = silent, **settings: Any
    ) -> Corpus:
        """A text as `read` takes it, not yet in tokens."""
        config = replace(self.corpus_config, **settings)
        return open_corpus(text, config if split else unsplit(config), progress=progress)

    def read_own(self, *, progress: Progress = silent) -> Dataset:
        """The text that the model was trained with; it must still be where it was, unchanged.

        Raises `CorpusError` when it isn't, and `RunError` when the model's run folder isn't there to say where it was.
        """
        run = RunFolder(self.path.parent)
        if not run.config.exists():
            raise RunError(
                f"{self.path} lies outside its run folder, so its text is not known; name the text too, as in "
                f"`charlm eval {shlex.quote(str(self.path))} TEXT --split test`"
            )
        corpus = open_corpus(run.read_config().text, self.corpus_config, progress=progress)
        if corpus.sha256 != self.checkpoint.corpus.get("sha256"):
            raise CorpusError(
                f"the text {corpus.name} has changed since the model was trained on it; name the text to score, or "
                "bring the old one back"
            )
        return prepare(corpus, self.checkpoint.tokenizer, progress=progress)

    def score(
        self,
        dataset: Dataset,
        split: str,
        progress: Progress = silent,
        *,
        dynamic: DynamicConfig | None = None,
        cache: NeuralCacheConfig | None = None,
    ) -> Evaluation:
        """Score one split of what `read` or `read_own` gave, by dynamic evaluation or with a neural cache if asked."""
        model, tokenizer = self.checkpoint.model, self.checkpoint.tokenizer
        text = dataset.split(split)
        if dynamic is not None:
            return dynamic_evaluate(model, tokenizer, text, config=dynamic, cache=cache, progress=progress)
        return evaluate(model, tokenizer, text, cache=cache, progress=progress)

    def adapted(self, text: TextLike, *, progress: Progress = silent, **settings: Any) -> "TextModel":
        """The model after it has learnt from a text as dynamic evaluation does; arguments as those of `read`."""
        split = self.read(text, progress=progress, **settings).split("train")
        model = adapt(self.checkpoint.model, split, progress=progress)
        origin = self.origin or weights_sha256(self.checkpoint.model)
        return replace(self, checkpoint=replace(self.checkpoint, model=model), origin=origin)

    def baselines(
        self, dataset: Dataset, split: str, *, own: Dataset, progress: Progress = silent
    ) -> dict[str, Baseline]:
        """What simple predictors that know the model's own training split make of a split; see `charlm.evaluation.baselines`.

        Args:
            dataset: what `read` or `read_own` gave.
            split: one of its splits.
            own: what `read_own` gave.
            progress: told how far they are.

        Raises `CorpusError` for a split that holds the training split: they would know it by heart.
        """
        if split == "train" and dataset.corpus.sha256 == own.corpus.sha256:
            raise CorpusError("they know the training split by heart; score a text that they have not seen")
        text = dataset.split(split)
        tokenizer = self.checkpoint.tokenizer
        return measure_baselines(tokenizer, train=own.train, valid=own.valid, text=text, progress=progress)

    def copy_index(self, least: int, *, progress: Progress = silent) -> CopyIndex:
        """What finds stretches of at least `least` characters that stand in the model's own training text.

        Raises what `read_own` does where that is not at hand.
        """
        return CopyIndex(_at_most(self.read_own(progress=progress).corpus.split_documents("train")), least=least)

    def copying(
        self, dataset: Dataset, split: str, *, least: int = 40, characters: int = 10_000, progress: Progress = silent
    ) -> tuple[Copied, Copied]:
        """What of a text that the model writes is copied from its training text, and what of a text it is scored on.

        Args:
            dataset: what `read` or `read_own` gave.
            split: one of its splits, of which the first characters are looked at.
            least: characters of the shortest stretch that counts.
            characters: how many of each text; the model writes at temperature 1.
            progress: told how far reading is.

        Raises what `read_own` does.
        """
        index = self.copy_index(least, progress=progress)
        written: list[str] = []
        for text in self.write(seed=1, num=characters, batch=16, length=characters // 16):
            written.append(text.text)
            progress("looking for copies", min(characters, sum(map(len, written))), characters)
            if sum(map(len, written)) >= characters:
                break
        held_out = _APART.join(islice(dataset.corpus.split_documents(split), characters))[:characters]
        return find_copies(_APART.join(written)[:characters], index), find_copies(held_out, index)

    def _writer(self) -> tuple[LanguageModel, Tokenizer]:
        """What texts are written with.

        Raises `ConfigError` for a model that reads from right to left: its text can't be shown as it comes.
        """
        if self.corpus_config.direction == "backward":
            raise ConfigError(f"{self.path} reads from right to left; such a model works with `charlm fill`")
        return self.checkpoint.model, self.checkpoint.tokenizer

    def _beside(self, config: SampleConfig) -> dict[str, Any]:
        """What a configuration speaks of and does not hold: the training text, and directions."""
        copies = self.copy_index(config.no_copy + 1) if config.no_copy else None
        return {"copies": copies, "steering": self.steering(config.steer)}

    @property
    def corpus_config(self) -> CorpusConfig:
        """How the model's corpus was read and split."""
        return CorpusConfig.from_json(self.checkpoint.corpus.get("config", {}))


def _at_most(documents: Iterator[str]) -> Iterator[str]:
    """The first documents, or parts of them, `_INDEXED` characters in all; says so where there are more."""
    left = _INDEXED
    for document in documents:
        yield document[:left]
        left -= len(document)
        if left < 0:
            logger.warning(
                "copies are looked for in the first %s characters of the training text only", f"{_INDEXED:,}"
            )
            return


def _generator(seed: int | None) -> torch.Generator:
    """A source of random choices; another one each time where there is no seed."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


def load(model: str | Path | None = None, *, device: str = "cpu") -> TextModel:
    """Read a model: a model file, a run folder, the name of a run, or the newest run.

    Raises `RunError` where there is none, `ModelFileError` for a file that is damaged or foreign.
    """
    path = find_model(None if model is None else str(model))
    return TextModel(path=path, checkpoint=files.load(path, pick_device(device)))


def sample(model: str | Path | None = None, prefix: str = "", *, seed: int | None = None, **settings: Any) -> str:
    """Write a text; see `load` and `TextModel.generate`."""
    return "".join(load(model).generate(prefix, seed=seed, **settings))


@dataclass(frozen=True, kw_only=True)
class InfillModels:
    """Two models of one text that read it from either side."""

    forward: TextModel
    backward: TextModel

    def fill(self, left: str, right: str, *, num: int = 5, **settings: Any) -> list[Filling]:
        """The likeliest texts between two others, the best first; settings are the fields of `FillConfig`."""
        one, other = self.forward.checkpoint, self.backward.checkpoint
        config = FillConfig(**settings)
        return fill(one.model, other.model, one.tokenizer, left=left, right=right, num=num, config=config)


def load_infill_models(forward: str | Path | None = None, backward: str | Path | None = None) -> InfillModels:
    """Read a model of each direction; where one is not named, the newest that suits the other is taken.

    Raises `RunError` where there is none, and `ConfigError` where two don't belong together.
    """
    named = load(forward) if forward is not None else None
    other = load(backward) if backward is not None else None
    one = named or _newest("forward", other)
    other = other or _newest("backward", one)
    for model, direction in ((one, "forward"), (other, "backward")):
        if model.corpus_config.direction != direction:
            raise ConfigError(
                f"{model.path} reads {model.corpus_config.direction}; a model that reads {direction} is needed"
            )
    if one.checkpoint.tokenizer.fingerprint() != other.checkpoint.tokenizer.fingerprint():
        raise ConfigError(
            f"{one.path} and {other.path} have different tokens; train both on the same text with the same tokenizer"
        )
    return InfillModels(forward=one, backward=other)


def _newest(direction: str, like: TextModel | None) -> TextModel:
    """The newest run that reads in a direction, with the tokens of another model."""
    for path in newest_models():
        try:
            found = load(path)
        except CharlmError:  # a run that is damaged, or of another charlm
            continue
        same = like is None or found.checkpoint.tokenizer.fingerprint() == like.checkpoint.tokenizer.fingerprint()
        if found.corpus_config.direction == direction and same:
            return found
    option = " --direction backward" if direction == "backward" else ""
    raise RunError(f"no model that reads {direction} in {RUNS}/ here; train one with `charlm train TEXT{option}`")
