"""Everything that `charlm eval` measures, from Python: a model's score of a text, and what to compare it with."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from charlm.config import CorpusOptions, SplitName
from charlm.data.dataset import Dataset
from charlm.errors import CharlmError
from charlm.evaluation.baselines import Baseline
from charlm.evaluation.copying import Copied
from charlm.evaluation.dynamic import DynamicConfig
from charlm.evaluation.neural_cache import NeuralCacheConfig
from charlm.evaluation.score import Evaluation
from charlm.evaluation.verdict import verdict
from charlm.processes.distributed import joined
from charlm.progress import Progress, silent
from charlm.sampling.pairs.targets import ExactMatches
from charlm.text_model.text_model import TextModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """The figures of a model on a text."""

    name: str
    """The name of the text, or the names of several."""
    split: SplitName | None
    """The split that was scored; None is the whole text."""
    result: Evaluation
    baselines: Mapping[str, Baseline]
    """The scores of simple predictors; empty if they were not measured."""
    matches: ExactMatches | None
    """How many targets the model writes exactly; None unless the text is pairs."""
    copying: tuple[Copied, Copied] | None
    """How much the model copies when it writes, and how much of the text is copied; None if not measured."""
    verdict: tuple[str, ...]
    """What the figures say about the model and the text, in sentences."""

    @property
    def text(self) -> str:
        """What was scored: the name of the text, and of its split if it is a part."""
        return self.name + (f", {self.split} split" if self.split else "")

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        values = self.result.to_json()
        values["baselines"] = {name: baseline.to_json() for name, baseline in self.baselines.items()}
        if self.matches is not None:
            values["exact_matches"] = self.matches.to_json()
        if self.copying is not None:
            values["copying"] = dict(zip(("written", "scored"), (one.to_json() for one in self.copying), strict=True))
        return values | {"verdict": list(self.verdict)}


def measure(
    model: TextModel,
    texts: Sequence[str] | None = None,
    *,
    split: SplitName | None = None,
    corpus: CorpusOptions | None = None,
    dynamic: DynamicConfig | None = None,
    neural_cache: NeuralCacheConfig | None = None,
    with_baselines: bool = True,
    progress: Progress = silent,
) -> Measurement | None:
    """Score a text, alone or together with the processes that a launcher has started; None in all but the first.

    Args:
        model: the model.
        texts: files, folders or named corpora; None is the model's own text.
        split: the split to score; None is the whole text, or the held-out split of the model's own text.
        corpus: how to read the texts; settings that are missing are those of training.
        dynamic: the settings of dynamic evaluation.
        neural_cache: the settings of the neural cache.
        with_baselines: whether to score simple predictors, too, and measure copying.
        progress: called with how much is read and scored.

    Raises: as `TextModel.evaluate`.
    """
    if texts is None:
        split = split or model.held_out_split()
    scored: SplitName = split or "train"
    with joined() as processes:
        with processes.one_per_machine_first():
            dataset = model.read(texts, split=split, corpus=corpus, progress=progress)
        result = model.score(
            dataset, scored, dynamic=dynamic, neural_cache=neural_cache, progress=progress, processes=processes
        )
    if not processes.is_first:
        return None
    config = model.corpus_config
    baselines: dict[str, Baseline] = {}
    if with_baselines and not config.is_pairs:
        baselines = _baselines(model, dataset, scored, own=dataset if texts is None else None, progress=progress)
    writes = config.direction == "forward"
    copying = model.copying(dataset, scored, progress=progress) if baselines and writes else None
    facts = model.checkpoint.training if texts is None and split == "test" else None
    sentences = verdict(
        result,
        baselines,
        is_own=texts is None,
        is_sorted=texts is None and split != "train" and dataset.corpus.looks_sorted,
        validation=None if facts is None else facts.validation_nats_per_token,
        copied=0.0 if copying is None else copying[1].share,
    )
    return Measurement(
        name=(model.checkpoint.corpus or dataset.corpus).name if texts is None else " ".join(texts),
        split=split,
        result=result,
        baselines=baselines,
        matches=model.exact_matches(dataset, scored) if config.is_pairs else None,
        copying=copying,
        verdict=tuple(sentences),
    )


def _baselines(
    model: TextModel, dataset: Dataset, split: SplitName, *, own: Dataset | None, progress: Progress
) -> dict[str, Baseline]:
    """The baselines; none, and a warning, if the training split isn't available or is the text that is scored."""
    try:
        return model.baselines(dataset, split, own=own or model.read(progress=progress), progress=progress)
    except CharlmError as error:
        logger.warning("no baselines: %s", str(error).partition(";")[0])
        return {}
