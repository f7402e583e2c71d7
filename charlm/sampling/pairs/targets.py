"""Targets with their sources, as documents and in a split, and how many of them greedy decoding writes exactly."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np

from charlm.config import CorpusConfig
from charlm.data.documents import Part
from charlm.data.token_split import TokenSplit
from charlm.errors import ConfigError
from charlm.model.language_model import LanguageModel
from charlm.sampling.config import SampleConfig
from charlm.sampling.generate import generate_many
from charlm.tokenizers import Tokenizer
from charlm.tokenizers.base import Ids, encodable

_TOGETHER = 1024  # pairs that are encoded in one call


@dataclass(frozen=True, kw_only=True, slots=True)
class ExactMatches:
    """How many targets greedy decoding writes exactly."""

    pairs: int
    """The targets that were tried."""
    exact: int
    """How many of them were written without any mistake."""

    @property
    def share(self) -> float:
        """The share of exact targets, 0 to 1."""
        return self.exact / self.pairs

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        return asdict(self) | {"share": self.share}


def parts_of_pairs(pairs: Iterable[tuple[str, str]], config: CorpusConfig) -> Iterator[tuple[str, Part]]:
    """Pairs of source and target as documents; lone surrogates become U+FFFD, and pairs of them characters.

    Raises `ConfigError` if the model, whose text is read as `config` says, is not one of pairs, and for an empty
    source.
    """
    if not config.is_pairs:
        raise ConfigError("this model was not trained on pairs; score texts with score_texts")
    pairs = iter(pairs)
    while together := [[encodable(text, "replace") for text in pair] for pair in islice(pairs, _TOGETHER)]:
        sources, targets = zip(*together, strict=True)
        if "" in sources:
            raise ConfigError("a source is empty; give each target a source")
        yield "", Part([*targets], True, (), sources)


def pairs_of(split: TokenSplit, most: int) -> Iterator[tuple[Ids, Ids]]:
    """Sources, with EOS, and targets, without, at most `most` from everywhere in a split; none without pairs."""
    if split.targets is None:
        return
    documents = len(split.targets)
    for index in np.linspace(0, documents - 1, min(most, documents)).round().astype(int).tolist():
        start, target, stop = int(split.starts[index]), int(split.targets[index]), int(split.starts[index + 1])
        yield split.read(start + 1, target), split.read(target, stop - 1)


def exact_matches(model: LanguageModel, tokenizer: Tokenizer, split: TokenSplit, *, most: int) -> ExactMatches:
    """How many of the targets of a split, at most `most` from everywhere in it, greedy decoding writes exactly.

    Raises `ConfigError` for a split without pairs.
    """
    pairs = exact = 0
    for source, target in pairs_of(split, most):
        text = tokenizer.decode(target)
        config = SampleConfig(temperature=0.0, length=len(text) + 1)  # more than the target is a mistake
        (written,) = generate_many(model.after_source(source.tolist()), tokenizer, seed=0, num=1, config=config)
        pairs += 1
        exact += written.text == text
    if not pairs:
        raise ConfigError("exact matches need a model of pairs; train one with --source-column and --target-column")
    return ExactMatches(pairs=pairs, exact=exact)
