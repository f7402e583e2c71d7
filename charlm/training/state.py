"""The state of training: everything that changes from step to step."""

from copy import deepcopy
from dataclasses import dataclass, field

import torch

from charlm import __version__
from charlm.cells import LayerStates
from charlm.config import TrainConfig
from charlm.data.corpus import Corpus
from charlm.data.dataset import Dataset
from charlm.data.token_split import TokenSplit
from charlm.data.windows import Cursor
from charlm.model.language_model import LanguageModel
from charlm.processes.processes import Processes
from charlm.storage.checkpoint import Checkpoint
from charlm.storage.provenance import FirstModel, HeldOutFacts, TextFacts, TrainingFacts
from charlm.training.events import StepEvent
from charlm.training.optimizers import Optimizers

RANK_BITS = 32
"""By which the number of a process is shifted in the seed of its dropout."""


@dataclass(kw_only=True)
class TrainingState:
    """Everything that changes during training; a resume file keeps it all."""

    model: LanguageModel
    average: LanguageModel
    """The model with weights averaged over the last steps, which is validated and kept; `model` itself if averaging is
    off."""
    optimizers: Optimizers
    generator: torch.Generator
    """The source of randomness for dropout; each process has one of its own."""
    processes: Processes = field(default_factory=Processes)
    """The processes that train the model together, with the clock of all."""
    began_with: FirstModel | None = None
    """The model whose weights were the first; None for new ones."""
    states: LayerStates | None = None
    """Recurrent states after the last window, of the rows that this process reads."""
    cursor: Cursor = field(default_factory=Cursor)
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Training time of the sessions before this one."""
    started: float = 0.0
    """The clock when this session began."""
    first_progress: float = 0.0
    """Share of the run that had passed at the first step, since reading the text counts towards --minutes."""
    uncounted: float = 0.0
    """Seconds of preparing the text that don't count towards --minutes, so that some training is left."""
    final_seconds: float = 0.0
    """Estimate of the time that the work after the last step takes, from the last validation."""
    valid_tokens: int = 0
    """Tokens of the validation split."""
    validation_tokens: int = 0
    """Tokens that every validation of this run scores; 0 before the first."""
    best: float | None = None
    """Lowest validation loss so far, nats per token."""
    best_step: int = 0
    validated_step: int = 0
    """The step of the last validation."""
    recent: list[StepEvent] = field(default_factory=list)
    """Steps that are not in metrics.jsonl yet."""

    @torch.no_grad()
    def average_weights(self, horizon: float) -> None:
        """Add the weights of this step to the average, which covers about the last `horizon` (a share) of all steps.

        This is the polynomial-decay averaging of Shamir and Zhang 2013 (arXiv 1212.1824, section 4): the newest weights
        count 1 / (horizon * steps), so that the averaged period grows with the run.
        """
        if self.average is not self.model:
            share = 1 / max(1.0, horizon * self.step)
            for mean, weight in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(weight, share)

    def epoch(self, split: TokenSplit) -> float:
        """Passes over the training split so far."""
        return self.cursor.epoch + self.cursor.tokens / split.facts.tokens

    def forget_best(self) -> None:
        """Let the next validation, at the latest after the last step, keep a model again."""
        self.best, self.best_step, self.validated_step = None, 0, 0

    def elapsed(self) -> float:
        """Seconds of training, summed over all sessions."""
        return self.seconds + self.processes.clock() - self.started


def begin(
    model: LanguageModel, config: TrainConfig, device: torch.device, started: float, processes: Processes | None = None
) -> TrainingState:
    """The state before the first step, for a model with initial weights; the others are as in `TrainingState`.

    The weights are those of the first process.
    """
    processes = processes or Processes()
    model.to(device)
    processes.copy_from_first(model.parameters())
    return TrainingState(
        model=model,
        average=deepcopy(model).eval() if config.averaging else model,
        optimizers=Optimizers(model, config, processes),
        generator=torch.Generator(device).manual_seed(config.seed + (processes.rank << RANK_BITS)),
        processes=processes,
        started=started,
    )


def checkpoint_of(model: LanguageModel, state: TrainingState, dataset: Dataset, config: TrainConfig) -> Checkpoint:
    """A checkpoint of the state's model or its average, with the facts about text and training for a model file."""
    corpus, valid = dataset.corpus, dataset.held_out.get("valid")
    return Checkpoint(
        model=model,
        tokenizer=dataset.tokenizer,
        corpus=TextFacts(
            name=corpus.name,
            bytes=corpus.bytes,
            characters=corpus.characters,
            documents=corpus.documents,
            sha256=corpus.sha256,
            config=corpus.config,
            boundaries=corpus.boundaries(),
            valid=None if valid is None else _held_out_facts(valid),
        ),
        training=TrainingFacts(
            config=config,
            step=state.step,
            epoch=state.epoch(dataset.train),
            tokens=state.tokens,
            seconds=state.elapsed(),
            validation_nats_per_token=state.best if state.best_step == state.step else None,
            threads=torch.get_num_threads(),
            device=str(state.model.output_bias.device),
            torch=str(torch.__version__),
            charlm=__version__,
            began_with=state.began_with,
        ),
    )


def _held_out_facts(corpus: Corpus) -> HeldOutFacts:
    return HeldOutFacts(
        name=corpus.name,
        bytes=corpus.bytes,
        characters=corpus.characters,
        documents=corpus.documents,
        sha256=corpus.sha256,
    )
