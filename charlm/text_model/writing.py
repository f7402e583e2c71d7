"""Write texts with a loaded model: by sampling, by beam search, or together with a person."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Unpack

import torch

from charlm.evaluation.copying import MOST_CHARACTERS, CopyIndex, index_training_text
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.sampling import Chunk, GeneratedText, SampleConfig, beam_search, generate_chunks, generate_many
from charlm.sampling.config import SampleSettings, sample_config
from charlm.sampling.edges.opening import needs_opening
from charlm.sampling.pairs.source import model_for
from charlm.sampling.prepared import WritingOptions
from charlm.sampling.session import Session
from charlm.sampling.steering import FixedComponent, fixed_components
from charlm.storage.checkpoint import weights_sha256
from charlm.storage.direction import Direction, find_direction
from charlm.storage.own_text import read_own_text
from charlm.text_model.loaded import LoadedModel, require_forward


@dataclass(frozen=True, kw_only=True, repr=False)
class WritingModel(LoadedModel):
    """A loaded model that writes texts."""

    def sample(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        seed: int | None = None,
        **settings: Unpack[SampleSettings],
    ) -> str:
        """Write a text and return it; arguments as in `generate`."""
        return "".join(self.generate(prefix, config, seed=seed, **settings))

    def generate(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        seed: int | None = None,
        **settings: Unpack[SampleSettings],
    ) -> Iterator[str]:
        """Write a text and yield it in parts as it is written, the prefix first.

        Args:
            prefix: what the text begins with.
            config: temperature, length and all other controls.
            seed: the random seed; None chooses a new one each time.
            settings: settings by name, such as temperature=0.7; they replace those of `config`.

        Raises `UnknownCharacterError` if the prefix has a character outside the vocabulary and `config.unknown` is
        "error", and `ConfigError` for a model that reads from right to left.
        """
        for chunk in self.generate_chunks(prefix, config, seed=seed, score=False, **settings):
            yield chunk.text

    def generate_chunks(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        seed: int | None = None,
        score: bool = True,
        progress: Progress = silent,
        **settings: Unpack[SampleSettings],
    ) -> Generator[Chunk, None, GeneratedText]:
        """Like `generate`, with log-probabilities if `score`; the generator's return value is the whole text.

        `progress` is called with how much of the prefix is read.
        """
        require_forward(self)
        config, generator = sample_config(config, settings), torch.Generator()
        if seed is None:
            generator.seed()
        else:
            generator.manual_seed(seed)
        return generate_chunks(
            self._labelled(config),
            self.tokenizer,
            generator,
            score=score,
            **self._options(prefix, config, progress, copies=self._copies(config)),
        )

    def generate_many(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        seed: int,
        num: int,
        batch: int = 1,
        progress: Progress = silent,
        **settings: Unpack[SampleSettings],
    ) -> Iterator[GeneratedText]:
        """Write `num` texts, `batch` at a time; text k uses seed + k, as `generate` does.

        `progress` is called with how much of the prefix is read.
        """
        require_forward(self)
        config = sample_config(config, settings)
        return generate_many(
            self._labelled(config),
            self.tokenizer,
            seed=seed,
            num=num,
            batch=batch,
            **self._options(prefix, config, progress, copies=self._copies(config)),
        )

    def beam(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        width: int,
        num: int = 1,
        progress: Progress = silent,
        **settings: Unpack[SampleSettings],
    ) -> list[GeneratedText]:
        """The most probable texts that a beam search finds, best first; see `charlm.sampling.beam_search`."""
        require_forward(self)
        config = sample_config(config, settings)
        options = self._options(prefix, config, progress)
        return beam_search(self._labelled(config), self.tokenizer, width=width, num=num, **options)

    def session(
        self,
        prefix: str = "",
        config: SampleConfig | None = None,
        *,
        seed: int,
        progress: Progress = silent,
        **settings: Unpack[SampleSettings],
    ) -> Session:
        """A text that a person and the model write together; see `charlm.sampling.session`."""
        require_forward(self)
        config, generator = sample_config(config, settings), torch.Generator().manual_seed(seed)
        options = self._options(prefix, config, progress)
        return Session(self._labelled(config), self.tokenizer, generator, **options)

    def copy_index(self, least: int, *, progress: Progress = silent) -> CopyIndex:
        """An index that finds passages of at least `least` characters copied from the model's training text.

        Raises: as `read` without a text.
        """
        text = read_own_text(self.path, self.checkpoint.corpus, purpose="copies", progress=progress)
        return index_training_text(text.split_documents("train", longest=MOST_CHARACTERS + 1), least=least)

    def direction(self, name: str) -> Direction:
        """Load a direction: a file, or the name of one that `charlm probe` saved next to the model.

        Raises `ConfigError` if there is none, if it was made for another model, or for a network that has no units.
        """
        _ = self.model.recurrent  # first, since `charlm probe` can't make a direction for another network
        path = find_direction(name, self.path)
        direction = Direction.load(path)
        direction.require_in(self.model, self.adapted_from or weights_sha256(self.model), path)
        return direction

    def steering(self, config: SampleConfig) -> list[FixedComponent]:
        """What `config.steer` fixes; raises `ConfigError` for a unit or direction that the model doesn't have."""
        return fixed_components(self.model, config.steer, self.direction)

    def _options(
        self, prefix: str, config: SampleConfig, progress: Progress, *, copies: CopyIndex | None = None
    ) -> WritingOptions:
        """The options of every way to write a text with this model."""
        return {
            "prefix": prefix,
            "config": config,
            "copies": copies,
            "steering": self.steering(config),
            "opening": needs_opening(self.checkpoint.corpus),
            "progress": progress,
        }

    def _labelled(self, config: SampleConfig) -> LanguageModel:
        """The language model for texts with the labels and the source of a configuration."""
        labels = (config.label,) if isinstance(config.label, str) else config.label
        model = self.with_labels(*labels).model if labels else self.model
        return model_for(model, self.tokenizer, self.corpus_config, config)

    def _copies(self, config: SampleConfig) -> CopyIndex | None:
        return self.copy_index(config.no_copy + 1) if config.no_copy else None
