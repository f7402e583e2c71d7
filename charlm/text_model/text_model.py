"""A model loaded from a file, with methods that do what the commands do: write, score, classify, fill and adapt."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from charlm.config import CorpusOptions, SplitName
from charlm.data.dataset import Dataset
from charlm.data.sources import TextLike
from charlm.errors import CorpusError
from charlm.evaluation.baselines import Baseline, measure_baselines
from charlm.evaluation.copying import Copied, find_copies_in_texts
from charlm.evaluation.dynamic import adapt
from charlm.evaluation.spans.choice import Calibration
from charlm.evaluation.spans.classification import Classification, calibrate_on, classify, held_out_parts
from charlm.model.additions.label_embedding import find_label
from charlm.progress import Progress, silent
from charlm.sampling.free_texts import free_texts
from charlm.sampling.infill.fill import FillConfig, Filling, fill
from charlm.storage.checkpoint import weights_sha256
from charlm.storage.own_text import read_held_out, read_own_text
from charlm.text_model.loaded import require_forward, require_infill_models
from charlm.text_model.scoring import ScoringModel
from charlm.text_model.writing import WritingModel


@dataclass(frozen=True, kw_only=True, repr=False)
class TextModel(WritingModel, ScoringModel):
    """A trained model with its tokenizer, in evaluation mode."""

    def classify(
        self,
        text: TextLike,
        *,
        label: str | None = None,
        prior: Sequence[float] | None = None,
        temperature: float | None = None,
        corpus: CorpusOptions | None = None,
        progress: Progress = silent,
    ) -> Iterator[Classification]:
        """Say for each document of a text how probable each value of a label is, as the text is read.

        Args:
            text: files, folders or named corpora, or - for standard input.
            label: the name of the label; None is the only one of the model.
            prior: p(value) before reading, in the order of the values; None is the share of each value in the model's
                own text.
            temperature: what nats are divided by; None fits it to the validation split, see `calibrate_labels`.
            corpus: how to read the text; settings that are missing are those of training.
            progress: called with the bytes read.

        Raises `ConfigError` for an unknown label, `CorpusError` if a text can't be read.
        """
        column = find_label(label, self.model.config.labels)
        if temperature is None:
            temperature = self.calibrate_labels(label, prior=prior, corpus=corpus, progress=progress).temperature
        parts = self.stream(text, corpus=corpus, progress=progress)
        return classify(self.model, self.tokenizer, parts, column, prior=prior, temperature=temperature)

    def calibrate_labels(
        self,
        label: str | None = None,
        *,
        prior: Sequence[float] | None = None,
        corpus: CorpusOptions | None = None,
        progress: Progress = silent,
    ) -> Calibration:
        """How well the model tells the values of a label apart on its validation split; arguments as in `classify`.

        Raises: as `read` without a text, and `CorpusError` if there is no validation split.
        """
        column = find_label(label, self.model.config.labels)
        facts = self.checkpoint.corpus
        held_out = read_held_out(self.path, facts, "valid", progress=progress)
        own = held_out.get("valid") or read_own_text(self.path, facts, progress=progress)
        split = "train" if "valid" in held_out else "valid"
        parts = held_out_parts(own, split, self.corpus_config.changed(corpus or {}))
        return calibrate_on(self.model, self.tokenizer, parts, column, prior=prior)

    def fill(
        self, backward: "TextModel", left: str, right: str, *, num: int = 5, config: FillConfig | None = None
    ) -> list[Filling]:
        """The likeliest texts between `left` and `right`, best first, with the help of a backward model.

        Raises `ConfigError` unless this model reads forward, and `backward` reads backward and has the same tokens.
        """
        require_infill_models(self, backward)
        return fill(self.model, backward.model, self.tokenizer, left=left, right=right, num=num, config=config)

    def adapt(self, text: TextLike, *, corpus: CorpusOptions | None = None, progress: Progress = silent) -> "TextModel":
        """A copy of the model, trained on a text as in dynamic evaluation; arguments as in `read`."""
        split = self.read(text, corpus=corpus, progress=progress).split("train")
        model = adapt(self.model, split, progress=progress)
        return replace(
            self,
            checkpoint=replace(self.checkpoint, model=model),
            adapted_from=self.adapted_from or weights_sha256(self.model),
        )

    def baselines(
        self, dataset: Dataset, split: SplitName, *, own: Dataset, progress: Progress = silent
    ) -> dict[str, Baseline]:
        """How simple predictors trained on the model's training split score a text; see `charlm.evaluation.baselines`.

        Args:
            dataset: the dataset from `read`.
            split: the split to score.
            own: the dataset from `read` without a text.
            progress: called with the progress of the predictors.

        Raises `CorpusError` for the training split itself, which the predictors have memorised.
        """
        if split == "train" and dataset.corpus.sha256 == own.corpus.sha256:
            raise CorpusError("the predictors have memorised the training split; score a text that they have not seen")
        part = dataset.split(split)
        return measure_baselines(self.tokenizer, train=own.train, valid=own.valid, text=part, progress=progress)

    def copying(
        self,
        dataset: Dataset,
        split: SplitName,
        *,
        least: int = 40,
        characters: int = 10_000,
        progress: Progress = silent,
    ) -> tuple[Copied, Copied]:
        """How much of a generated text is copied from the training text, and how much of a scored text for comparison.

        Args:
            dataset: the dataset from `read`.
            split: the split to compare with; only its first characters are used.
            least: length of the shortest passage that counts as copied, characters.
            characters: length of each text. The model writes at temperature 1.
            progress: called with the progress of reading and writing.

        Raises: as `read` without a text, and `ConfigError` for a model that reads from right to left.
        """
        require_forward(self, "writing freely")
        index = self.copy_index(least, progress=progress)
        generated = free_texts(self.model, self.tokenizer, characters, progress=progress)
        corpus, part = dataset.text_of(split)
        return (
            find_copies_in_texts(generated, index, characters=characters),
            find_copies_in_texts(corpus.split_documents(part, longest=characters), index, characters=characters),
        )
