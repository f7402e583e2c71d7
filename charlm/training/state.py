"""The state of training, and the file that keeps it so that a resumed run continues exactly where it stopped."""

import time
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from charlm import __version__
from charlm.cells import LayerStates
from charlm.config import TrainConfig
from charlm.data.dataset import Dataset
from charlm.data.windows import Cursor
from charlm.errors import ModelFileError
from charlm.model.language_model import LanguageModel
from charlm.storage.checkpoint import Checkpoint
from charlm.storage.provenance import TextFacts, TrainingFacts
from charlm.storage.resume_file import ResumeState, load_resume_file, save_resume_file
from charlm.storage.runs import RunFolder
from charlm.training.events import StepEvent
from charlm.training.optimizers import Optimizers

_OPTIMIZER, _AVERAGE = "optimizer/", "average/"


@dataclass(kw_only=True)
class TrainingState:
    """Everything that changes during training; a resume file keeps it all."""

    model: LanguageModel
    average: LanguageModel
    """The model with weights averaged over the last steps, which is validated and kept; `model` itself if averaging is
    off."""
    optimizers: Optimizers
    generator: torch.Generator
    """The source of randomness for dropout."""
    states: LayerStates | None = None
    """Recurrent states after the last window."""
    cursor: Cursor = field(default_factory=Cursor)
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Training time of the sessions before this one."""
    started: float = 0.0
    """time.monotonic() when this session began."""
    first_progress: float = 0.0
    """Share of the run that had passed at the first step, since reading the text counts towards --minutes."""
    validation_tokens: int = 0
    """Tokens that every validation of this run scores; 0 before the first."""
    best: float | None = None
    """Lowest validation so far, nats per token."""
    best_step: int = 0
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

    def elapsed(self) -> float:
        """Seconds of training, summed over all sessions."""
        return self.seconds + time.monotonic() - self.started


def begin(model: LanguageModel, config: TrainConfig, device: torch.device, started: float) -> TrainingState:
    """The state before the first step, for a model with initial weights; `started` is as in `TrainingState`."""
    model.to(device)
    return TrainingState(
        model=model,
        average=deepcopy(model).eval() if config.averaging else model,
        optimizers=Optimizers(model, config),
        generator=torch.Generator(device).manual_seed(config.seed),
        started=started,
    )


def checkpoint_of(model: LanguageModel, state: TrainingState, dataset: Dataset, config: TrainConfig) -> Checkpoint:
    """A checkpoint of the state's model or its average, with the facts about text and training for a model file."""
    corpus = dataset.corpus
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
        ).to_json(),
        training=TrainingFacts(
            config=config,
            step=state.step,
            epoch=state.cursor.epoch + state.cursor.tokens / dataset.train.facts.tokens,
            tokens=state.tokens,
            seconds=state.elapsed(),
            validation_nats_per_token=state.best if state.best_step == state.step else None,
            threads=torch.get_num_threads(),
            device=str(state.model.output_bias.device),
            torch=str(torch.__version__),
            charlm=__version__,
        ).to_json(),
    )


def save_resume(
    run: RunFolder, state: TrainingState, dataset: Dataset, config: TrainConfig, log_sizes: tuple[int, int]
) -> None:
    """Write the resume file; `log_sizes` are the bytes of metrics.jsonl and samples.txt that belong to the state."""
    tensors: dict[str, Tensor] = {"generator": state.generator.get_state()}
    if state.average is not state.model:
        tensors |= {_AVERAGE + name: weight for name, weight in state.average.named_parameters()}
    tensors |= {_OPTIMIZER + key: moment for key, moment in state.optimizers.moments().items()}
    for layer, parts in enumerate(state.states or ()):
        for index, part in enumerate(parts):
            tensors[f"state/{layer}/{index}"] = part
    values: dict[str, Any] = {
        "carries_state": state.states is not None,
        "cursor": asdict(state.cursor),
        "step": state.step,
        "tokens": state.tokens,
        "seconds": state.elapsed(),
        "first_progress": state.first_progress,
        "validation_tokens": state.validation_tokens,
        "best": state.best,
        "best_step": state.best_step,
        "recent": [asdict(record) for record in state.recent],
        "lengths": list(log_sizes),
    }
    checkpoint = checkpoint_of(state.model, state, dataset, config)
    save_resume_file(run.resume, checkpoint, ResumeState(values=values, tensors=tensors))


def restore(
    run: RunFolder, config: TrainConfig, device: torch.device, started: float
) -> tuple[TrainingState, Checkpoint, tuple[int, int]]:
    """The saved state, its checkpoint, and the bytes of metrics.jsonl and samples.txt that belong to it.

    Raises `ModelFileError` if the resume file is missing or damaged.
    """
    checkpoint, resume = load_resume_file(run.resume, device)
    model = checkpoint.model
    state = begin(model, config, device, started)
    values, tensors = resume.values, resume.tensors
    try:
        state.generator.set_state(tensors["generator"])
        if values["step"] > 0:
            moments = {
                key.removeprefix(_OPTIMIZER): part for key, part in tensors.items() if key.startswith(_OPTIMIZER)
            }
            state.optimizers.restore(moments)
        if state.average is not model:
            averages = {name: tensors[_AVERAGE + name] for name, _ in model.named_parameters()}
            if not all(average.isfinite().all() for average in averages.values()):
                raise ValueError("an averaged weight is not finite")
            state.average.load_state_dict(averages)
        if values["carries_state"]:
            _check_states(tensors, model.initial_state(1))
            state.states = tuple(
                tuple(tensors[f"state/{layer}/{index}"].to(device, copy=True) for index in range(len(parts)))
                for layer, parts in enumerate(model.initial_state(1))
            )
        state.cursor = Cursor(**values["cursor"])
        state.step, state.tokens, state.seconds = values["step"], values["tokens"], values["seconds"]
        state.first_progress, state.validation_tokens = values["first_progress"], values["validation_tokens"]
        state.best, state.best_step = values["best"], values["best_step"]
        state.recent = [StepEvent(**record) for record in values["recent"]]
        log_sizes = (values["lengths"][0], values["lengths"][1])
    except KeyError as error:
        raise ModelFileError(f"{run.resume} is damaged: it lacks {error}") from None
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"{run.resume} is damaged: {error}") from None
    return state, checkpoint, log_sizes


def _check_states(tensors: dict[str, Tensor], initial: LayerStates) -> None:
    """Raise `ValueError` unless the saved states have the widths and types of the model's initial states."""
    for layer, parts in enumerate(initial):
        for index, part in enumerate(parts):
            saved = tensors[f"state/{layer}/{index}"]
            if saved.ndim != 2 or saved.shape[1] != part.shape[1] or saved.dtype != part.dtype:
                raise ValueError(f"state {layer}/{index} is {saved.dtype} {tuple(saved.shape)}")
