"""All that changes while a model learns, and the file that keeps it: a run goes on as if it had never stopped."""

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
    """All that changes while a model learns, and that a resume file keeps."""

    model: LanguageModel
    average: LanguageModel
    """The model with its weights averaged over the last steps: what is scored and kept. `model` itself, where nothing
    is averaged."""
    optimizers: Optimizers
    generator: torch.Generator
    """What dropout draws from."""
    states: LayerStates | None = None
    """Recurrent states after the last window."""
    cursor: Cursor = field(default_factory=Cursor)
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Of the sessions before this one."""
    started: float = 0.0
    """time.monotonic() when this session began."""
    first_progress: float = 0.0
    """Share of the run that was gone when the first step began: by the clock, reading the text takes some."""
    validation_tokens: int = 0
    """How many tokens a validation scores, always the same; 0 before the first."""
    best: float | None = None
    """Lowest validation so far, nats per token."""
    best_step: int = 0
    recent: list[StepEvent] = field(default_factory=list)
    """Steps that metrics.jsonl does not hold yet."""

    @torch.no_grad()
    def average_weights(self, horizon: float) -> None:
        """Take the weights of this step into the average over about the last `horizon` of all steps, a share.

        It is the polynomial-decay averaging of Shamir and Zhang 2013 (arXiv 1212.1824, section 4): the newest weights
        have a share of 1 / (horizon * steps), so that the memory grows with the run.
        """
        if self.average is not self.model:
            share = 1 / max(1.0, horizon * self.step)
            for mean, weight in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(weight, share)

    def elapsed(self) -> float:
        """Seconds of training in all sessions."""
        return self.seconds + time.monotonic() - self.started


def begin(model: LanguageModel, config: TrainConfig, device: torch.device, started: float) -> TrainingState:
    """The state before the first step of a model that has its initial weights."""
    model.to(device)
    return TrainingState(
        model=model,
        average=deepcopy(model).eval() if config.averaging else model,
        optimizers=Optimizers(model, config),
        generator=torch.Generator(device).manual_seed(config.seed),
        started=started,
    )


def checkpoint_of(model: LanguageModel, state: TrainingState, dataset: Dataset, config: TrainConfig) -> Checkpoint:
    """The model of a state as it is now, or its average, with what a model file tells about it."""
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
    run: RunFolder, state: TrainingState, dataset: Dataset, config: TrainConfig, lengths: tuple[int, int]
) -> None:
    """Write the resume file; `lengths` are those of metrics.jsonl and samples.txt, in bytes."""
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
        "lengths": list(lengths),
    }
    checkpoint = checkpoint_of(state.model, state, dataset, config)
    save_resume_file(run.resume, checkpoint, ResumeState(values=values, tensors=tensors))


def restore(
    run: RunFolder, config: TrainConfig, device: torch.device, started: float
) -> tuple[TrainingState, Checkpoint, tuple[int, int]]:
    """The state that `fit` saved, the checkpoint it lies in, and the lengths of the logs that belong to it.

    Raises `ModelFileError` when the resume file is missing or damaged.
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
                raise ValueError("an average is not finite")
            state.average.load_state_dict(averages)
        if values["carries_state"]:
            _require_like(tensors, model.initial_state(1))
            state.states = tuple(
                tuple(tensors[f"state/{layer}/{index}"].to(device, copy=True) for index in range(len(parts)))
                for layer, parts in enumerate(model.initial_state(1))
            )
        state.cursor = Cursor(**values["cursor"])
        state.step, state.tokens, state.seconds = values["step"], values["tokens"], values["seconds"]
        state.first_progress, state.validation_tokens = values["first_progress"], values["validation_tokens"]
        state.best, state.best_step = values["best"], values["best_step"]
        state.recent = [StepEvent(**record) for record in values["recent"]]
        lengths = (values["lengths"][0], values["lengths"][1])
    except KeyError as error:
        raise ModelFileError(f"{run.resume} is damaged: it lacks {error}") from None
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"{run.resume} is damaged: {error}") from None
    return state, checkpoint, lengths


def _require_like(tensors: dict[str, Tensor], past: LayerStates) -> None:
    """Raise `ValueError` unless the states of a file have the widths and types that the model's have."""
    for layer, parts in enumerate(past):
        for index, part in enumerate(parts):
            found = tensors[f"state/{layer}/{index}"]
            if found.ndim != 2 or found.shape[1] != part.shape[1] or found.dtype != part.dtype:
                raise ValueError(f"state {layer}/{index} is {found.dtype} {tuple(found.shape)}")
