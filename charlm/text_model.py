"""A model loaded from a file: it writes, scores, fills and adapts, each as the command of that name does."""

import logging
import shlex
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch

from charlm.config import CorpusConfig, CorpusOptions, SplitName
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
from charlm.progress import Progress, silent
from charlm.sampling import Chunk, GeneratedText, SampleConfig, beam_search, generate_chunks, generate_many
from charlm.sampling.infill.fill import FillConfig, Filling, fill
from charlm.sampling.session import Session
from charlm.sampling.steering import Hold, holds_for
from charlm.storage import checkpoint as files
from charlm.storage.checkpoint import Checkpoint, weights_sha256
from charlm.storage.direction import Direction, find_direction
from charlm.storage.runs import RUNS, RunFolder, find_model, newest_models
from charlm.tokenizers import Tokenizer

logger = logging.getLogger(__name__)

_INDEXED = 50_000_000  # characters of a training text in which copies are looked for
_SEPARATOR = "\x01"  # of texts that are searched together; not the one inside a `CopyIndex`


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """A trained model of a text, in evaluation mode, with its tokenizer."""

    path: Path
    checkpoint: Checkpoint
    adapted_from: str | None = None
    """The hash of the weights that these were adapted from, for which directions are valid; None if as loaded."""

    @property
    def model(self) -> LanguageModel:
        """The network."""
        return self.checkpoint.model

    @property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""
        return self.checkpoint.tokenizer

    @property
    def corpus_config(self) -> CorpusConfig:
        """How the model's corpus was read and split."""
        return CorpusConfig.from_json(self.checkpoint.corpus.get("config", {}))

    def sample(self, prefix: str = "", config: SampleConfig | None = None, *, seed: int | None = None) -> str:
        """Write a text and return it whole; arguments as in `generate`."""
        return "".join(self.generate(prefix, config, seed=seed))

    def generate(
        self, prefix: str = "", config: SampleConfig | None = None, *, seed: int | None = None
    ) -> Iterator[str]:
        """Write a text and yield it in pieces as it is written, the prefix first.

        Args:
            prefix: what the text begins with.
            config: temperature, length and all other controls.
            seed: of the random choices; None is another one each time.

        Raises `UnknownCharacterError` for a character of the prefix outside the vocabulary, unless `config.unknown` says
        otherwise, and `ConfigError` for a model that reads from right to left.
        """
        for chunk in self.generate_chunks(prefix, config, seed=seed, score=False):
            yield chunk.text

    def generate_chunks(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        seed: int | None = None,
        score: bool = True,
    ) -> Generator[Chunk, None, GeneratedText]:
        """As `generate`, with log-probabilities if `score`; the generator's value is the whole text."""
        self._require_forward()
        config, generator = config or SampleConfig(), torch.Generator()
        if seed is None:
            generator.seed()
        else:
            generator.manual_seed(seed)
        return generate_chunks(
            self.model,
            self.tokenizer,
            generator,
            prefix=prefix,
            config=config,
            copies=self._copies(config),
            steering=self.steering(config),
            score=score,
        )

    def generate_many(
        self, prefix: str = "", config: SampleConfig | None = None, *, seed: int, num: int, batch: int = 1
    ) -> Iterator[GeneratedText]:
        """Write `num` texts, `batch` at a time; text k is the one that `generate` writes with seed + k."""
        self._require_forward()
        config = config or SampleConfig()
        return generate_many(
            self.model,
            self.tokenizer,
            seed=seed,
            num=num,
            batch=batch,
            prefix=prefix,
            config=config,
            copies=self._copies(config),
            steering=self.steering(config),
        )

    def beam(
        self, prefix: str = "", config: SampleConfig | None = None, *, width: int, num: int = 1
    ) -> list[GeneratedText]:
        """The most probable texts that a beam search of that width finds, best first."""
        self._require_forward()
        config = config or SampleConfig()
        steering = self.steering(config)
        return beam_search(
            self.model, self.tokenizer, width=width, num=num, prefix=prefix, config=config, steering=steering
        )

    def session(self, prefix: str = "", config: SampleConfig | None = None, *, seed: int) -> Session:
        """A text that a person and the model write together; see `charlm.sampling.session`."""
        self._require_forward()
        config, generator = config or SampleConfig(), torch.Generator().manual_seed(seed)
        steering = self.steering(config)
        return Session(self.model, self.tokenizer, generator, prefix=prefix, config=config, steering=steering)

    def fill(
        self, backward: "TextModel", left: str, right: str, *, num: int = 5, config: FillConfig | None = None
    ) -> list[Filling]:
        """The likeliest texts between two others, best first, with a second model that reads from right to left."""
        return fill(self.model, backward.model, self.tokenizer, left=left, right=right, num=num, config=config)

    def adapt(self, text: TextLike, *, corpus: CorpusOptions | None = None, progress: Progress = silent) -> "TextModel":
        """A copy of the model after it has learned from a text as dynamic evaluation does; arguments as in `read`."""
        split = self.read(text, corpus=corpus, progress=progress).split("train")
        model = adapt(self.model, split, progress=progress)
        return replace(
            self,
            checkpoint=replace(self.checkpoint, model=model),
            adapted_from=self.adapted_from or weights_sha256(self.model),
        )

    def evaluate(
        self,
        text: TextLike | None = None,
        *,
        split: SplitName | None = None,
        dynamic: DynamicConfig | None = None,
        neural_cache: NeuralCacheConfig | None = None,
        corpus: CorpusOptions | None = None,
        progress: Progress = silent,
    ) -> Evaluation:
        """Score a text: every token once, given everything before it in its document.

        Args:
            text: files, folders or registered names; None is the model's own text.
            split: which part; None is all of a text, and the held-out split of the model's own.
            dynamic: let the model learn from what it has scored.
            neural_cache: mix the model with a neural cache.
            corpus: how to read the text; what isn't given is as in training.
            progress: told how far reading, encoding and scoring are.

        Raises what `read` does.
        """
        if text is None and split is None:
            split = self.held_out_split()
        dataset = self.read(text, split=split, corpus=corpus, progress=progress)
        return self.score(dataset, split or "train", dynamic=dynamic, neural_cache=neural_cache, progress=progress)

    def held_out_split(self) -> SplitName:
        """The test split of the model's own text, or the validation split; raises `ConfigError` if there is neither."""
        _, valid, test = self.corpus_config.splits
        if test > 0:
            return "test"
        if valid > 0:
            return "valid"
        raise ConfigError("this model has no held-out split; name a TEXT, or pass --split train")

    def read(
        self,
        text: TextLike | None = None,
        *,
        split: SplitName | None = None,
        corpus: CorpusOptions | None = None,
        progress: Progress = silent,
    ) -> Dataset:
        """A text in the model's tokens: cut into splits if `split` names one, else all of it in the first.

        Without a text it is the model's own, which must still be where it was, unchanged. Raises `CorpusError` if it
        isn't, and `RunError` if the model's run folder isn't there to say where it was.
        """
        opened = self._own_text(progress) if text is None else self.open_text(text, split, corpus, progress=progress)
        return prepare(opened, self.tokenizer, progress=progress)

    def open_text(
        self,
        text: TextLike,
        split: SplitName | None = None,
        corpus: CorpusOptions | None = None,
        *,
        progress: Progress = silent,
    ) -> Corpus:
        """A text as `read` takes it, not yet in tokens."""
        config = replace(self.corpus_config, **(corpus or {}))
        return open_corpus(text, config if split else unsplit(config), progress=progress)

    def score(
        self,
        dataset: Dataset,
        split: SplitName,
        *,
        dynamic: DynamicConfig | None = None,
        neural_cache: NeuralCacheConfig | None = None,
        progress: Progress = silent,
    ) -> Evaluation:
        """Score one split of what `read` gave; arguments as in `evaluate`."""
        part = dataset.split(split)
        if dynamic is not None:
            return dynamic_evaluate(
                self.model, self.tokenizer, part, config=dynamic, cache=neural_cache, progress=progress
            )
        return evaluate(self.model, self.tokenizer, part, cache=neural_cache, progress=progress)

    def baselines(
        self, dataset: Dataset, split: SplitName, *, own: Dataset, progress: Progress = silent
    ) -> dict[str, Baseline]:
        """How simple predictors trained on the model's training split score a text; see `charlm.evaluation.baselines`.

        Args:
            dataset: what `read` gave.
            split: one of its splits.
            own: what `read` gave without a text.
            progress: told how far they are.

        Raises `CorpusError` for a split that contains the training split, which they have memorised.
        """
        if split == "train" and dataset.corpus.sha256 == own.corpus.sha256:
            raise CorpusError("they have memorised the training split; score a text that they have not seen")
        part = dataset.split(split)
        return measure_baselines(self.tokenizer, train=own.train, valid=own.valid, text=part, progress=progress)

    def copy_index(self, least: int, *, progress: Progress = silent) -> CopyIndex:
        """Finds stretches of at least `least` characters that stand in the model's own training text.

        Raises what `read` does without a text.
        """
        return CopyIndex(_at_most(self._own_text(progress).split_documents("train")), least=least)

    def copying(
        self,
        dataset: Dataset,
        split: SplitName,
        *,
        least: int = 40,
        characters: int = 10_000,
        progress: Progress = silent,
    ) -> tuple[Copied, Copied]:
        """How much of a text that the model writes is copied from its training text, and how much of a scored text.

        Args:
            dataset: what `read` gave.
            split: one of its splits, of which the first characters count.
            least: characters of the shortest stretch that counts.
            characters: of each text; the model writes at temperature 1.
            progress: told how far reading and writing are.

        Raises what `read` does without a text.
        """
        index = self.copy_index(least, progress=progress)
        texts: list[str] = []
        config = SampleConfig(length=characters // 16)
        for generated in self.generate_many(config=config, seed=1, num=characters, batch=16):
            texts.append(generated.text)
            progress("looking for copies", min(characters, sum(map(len, texts))), characters)
            if sum(map(len, texts)) >= characters:
                break
        held_out = _SEPARATOR.join(islice(dataset.corpus.split_documents(split), characters))[:characters]
        return find_copies(_SEPARATOR.join(texts)[:characters], index), find_copies(held_out, index)

    def direction(self, name: str) -> Direction:
        """A direction by the name of its file, or one that `charlm probe` saved next to the model.

        Raises `ConfigError` if there is none, or if it was found in another model.
        """
        path = find_direction(name, self.path)
        direction = Direction.load(path)
        direction.require_in(self.model, self.adapted_from or weights_sha256(self.model), path)
        return direction

    def steering(self, config: SampleConfig) -> list[Hold]:
        """What `config.steer` means for this model; raises `ConfigError` for a unit or direction that it hasn't."""
        return holds_for(self.model, config.steer, self.direction)

    def _copies(self, config: SampleConfig) -> CopyIndex | None:
        return self.copy_index(config.no_copy + 1) if config.no_copy else None

    def _require_forward(self) -> None:
        """Raise `ConfigError` for a model that reads from right to left: its text can't be shown as it is written."""
        if self.corpus_config.direction == "backward":
            raise ConfigError(f"{self.path} reads from right to left; such a model works with `charlm fill`")

    def _own_text(self, progress: Progress) -> Corpus:
        """The text that the model was trained on."""
        run = RunFolder(self.path.parent)
        if not run.config.exists():
            raise RunError(
                f"{self.path} is outside its run folder, so its text is unknown; name the text too, as in "
                f"`charlm eval {shlex.quote(str(self.path))} TEXT --split test`"
            )
        corpus = open_corpus(run.read_config().text, self.corpus_config, progress=progress)
        if corpus.sha256 != self.checkpoint.corpus.get("sha256"):
            raise CorpusError(
                f"the text {corpus.name} has changed since the model was trained on it; name the text to score, or "
                "restore the old one"
            )
        return corpus


def load(model: str | Path | None = None, *, device: str = "cpu") -> TextModel:
    """Load a model: a model file, a run folder, the name of a run, or the newest run.

    Raises `RunError` if there is none, `ModelFileError` for a file that is damaged or foreign.
    """
    path = find_model(None if model is None else str(model))
    return TextModel(path=path, checkpoint=files.load(path, pick_device(device)))


def load_infill_models(
    forward: str | Path | None = None, backward: str | Path | None = None
) -> tuple[TextModel, TextModel]:
    """Load a model of each reading direction for `TextModel.fill`; if one is not named, the newest that fits the other.

    Raises `RunError` if there is none, and `ConfigError` if two don't belong together.
    """
    one = load(forward) if forward is not None else None
    other = load(backward) if backward is not None else None
    one = one or _newest("forward", other)
    other = other or _newest("backward", one)
    for model, direction in ((one, "forward"), (other, "backward")):
        if model.corpus_config.direction != direction:
            raise ConfigError(
                f"{model.path} reads {model.corpus_config.direction}; name a model that reads {direction}"
            )
    if one.tokenizer.fingerprint() != other.tokenizer.fingerprint():
        raise ConfigError(
            f"{one.path} and {other.path} have different tokens; train both on the same text with the same tokenizer"
        )
    return one, other


def _newest(direction: str, like: TextModel | None) -> TextModel:
    """The newest run with a reading direction, and with the tokens of another model."""
    for path in newest_models():
        try:
            found = load(path)
        except CharlmError:  # a run that is damaged, or of another version of charlm
            continue
        same = like is None or found.tokenizer.fingerprint() == like.tokenizer.fingerprint()
        if found.corpus_config.direction == direction and same:
            return found
    option = " --direction backward" if direction == "backward" else ""
    raise RunError(f"no model in {RUNS}/ reads {direction}; train one with `charlm train TEXT{option}`")


def _at_most(documents: Iterator[str]) -> Iterator[str]:
    """The first documents, or parts of them, `_INDEXED` characters in all; warns if there are more."""
    left = _INDEXED
    for document in documents:
        yield document[:left]
        left -= len(document)
        if left < 0:
            logger.warning("only the first %s characters of the training text are searched for copies", f"{_INDEXED:,}")
            return
