"""The state of training in a resume file, from which a resumed run continues exactly where it stopped."""

from dataclasses import dataclass

import torch
from torch import Tensor

from charlm.cells import LayerStates
from charlm.config import JsonConfig, TrainConfig, check_amounts
from charlm.data.dataset import Dataset
from charlm.data.windows import Cursor
from charlm.errors import ConfigError, ModelFileError, RunError
from charlm.model.additions.ngram_prior import fit_prior
from charlm.model.device import device_to_resume_on
from charlm.model.language_model import LanguageModel
from charlm.ngram.match import check_states
from charlm.processes.processes import Processes, gather_rows
from charlm.progress import Progress
from charlm.storage.checkpoint import Checkpoint
from charlm.storage.resume_file import ResumeState, load_resume_file, save_resume_file
from charlm.storage.runs import RunFolder
from charlm.training.events import StepEvent
from charlm.training.state import RANK_BITS, TrainingState, begin, checkpoint_of

_OPTIMIZER, _AVERAGE = "optimizer/", "average/"
_ORDER = ("batch_size", "seq_len", "seed")  # of the settings, those on which the order of the windows depends


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeValues(JsonConfig):
    """The JSON values of a resume file; see `TrainingState` for those of the same name."""

    carries_state: bool
    """Whether there are recurrent states."""
    cursor: Cursor
    step: int
    tokens: int
    seconds: float
    """Training time of all sessions."""
    first_progress: float
    validation_tokens: int
    best: float | None
    best_step: int
    recent: tuple[StepEvent, ...]
    lengths: tuple[int, int]
    """Bytes of metrics.jsonl and samples.txt that belong to the state."""
    validated_step: int | None = None
    """None in files of charlm 0.1."""
    uncounted: float = 0.0

    def __post_init__(self) -> None:
        for values in (self, self.cursor, *self.recent):
            check_amounts(values)
        steps = (self.best_step, self.validated_step or 0)
        if self.first_progress >= 1 or max(steps) > self.step or min(self.lengths) < 0:
            raise ConfigError(
                f"first_progress is {self.first_progress}, best_step and validated_step {steps} of {self.step} and "
                f"lengths {self.lengths}"
            )


def save_resume(
    run: RunFolder, state: TrainingState, dataset: Dataset, config: TrainConfig, log_sizes: tuple[int, int]
) -> None:
    """Write the resume file; `log_sizes` are the bytes of metrics.jsonl and samples.txt that belong to the state.

    All processes call this, and the first writes the states of all rows.
    """
    tensors = _gathered(state)
    if not state.processes.is_first:
        return
    if state.average is not state.model:
        tensors |= {_AVERAGE + name: weight for name, weight in state.average.named_parameters()}
    tensors |= {_OPTIMIZER + key: moment for key, moment in state.optimizers.moments().items()}
    values = ResumeValues(
        carries_state=state.states is not None,
        cursor=state.cursor,
        step=state.step,
        tokens=state.tokens,
        seconds=state.elapsed(),
        first_progress=state.first_progress,
        validation_tokens=state.validation_tokens,
        best=state.best,
        best_step=state.best_step,
        recent=tuple(state.recent),
        lengths=log_sizes,
        validated_step=state.validated_step,
        uncounted=state.uncounted,
    )
    checkpoint = checkpoint_of(state.model, state, dataset, config)
    save_resume_file(run.resume, checkpoint, ResumeState(values=values.to_json(), tensors=tensors))


def _gathered(state: TrainingState) -> dict[str, Tensor]:
    """What each process has of its own: the generators, and the states of the rows in the order of the batch.

    Empty but in the first process.
    """
    processes = state.processes
    tensors = {
        _generator_of(rank): generator for rank, generator in enumerate(processes.gather(state.generator.get_state()))
    }
    for layer, parts in enumerate(state.states or ()):
        for index, part in enumerate(parts):
            rows = gather_rows(processes, part)
            if rows is not None:
                tensors[f"state/{layer}/{index}"] = rows
    return tensors


def restore(
    run: RunFolder, config: TrainConfig, started: float, processes: Processes | None = None
) -> tuple[TrainingState, Checkpoint, tuple[int, int]]:
    """The saved state, its checkpoint, and the bytes of metrics.jsonl and samples.txt that belong to it.

    Raises `ModelFileError` if the resume file is missing or damaged, `RunError` if it was saved with other settings.
    """
    checkpoint, resume = load_resume_file(run.resume)
    _require_same_order(run, config, checkpoint)
    processes = processes or Processes()
    saved_kind = None if checkpoint.training is None else torch.device(checkpoint.training.device).type
    device = device_to_resume_on(config.device, saved_kind)
    processes.use(device)
    state = begin(checkpoint.model, config, device, started, processes)
    try:
        values = ResumeValues.from_json(resume.values)
        if saved_kind not in (None, device.type):  # the state of a generator fits its own kind of device only
            rank = processes.rank
            state.generator.manual_seed(config.seed + (rank << RANK_BITS) + values.step)
            resume.tensors[_generator_of(rank)] = state.generator.get_state()
        _restore_tensors(state, values, resume.tensors, device)
    except KeyError as error:
        raise ModelFileError(f"{run.resume} is damaged: it lacks {error}") from None
    except (ConfigError, TypeError, ValueError, RuntimeError) as error:  # messages of torch have several lines
        raise ModelFileError(f"{run.resume} is damaged: {' '.join(str(error).split())[:300]}") from None
    state.cursor, state.step, state.tokens, state.seconds = values.cursor, values.step, values.tokens, values.seconds
    state.first_progress, state.validation_tokens = values.first_progress, values.validation_tokens
    state.uncounted = values.uncounted
    state.began_with = None if checkpoint.training is None else checkpoint.training.began_with
    state.best, state.best_step, state.recent = values.best, values.best_step, [*values.recent]
    state.validated_step = values.step if values.validated_step is None else values.validated_step
    return state, checkpoint, values.lengths


def refit_prior(
    state: TrainingState, dataset: Dataset, folder: RunFolder, *, memory: int | None, progress: Progress
) -> None:
    """Fit the n-gram prior of a resumed model again, in the memory that it was fitted in.

    Raises `RunError` if it has other n-grams than before.
    """
    prior = state.model.prior
    if prior is None:
        return
    before = prior.ngram
    ngram, cross_fit = fit_prior(dataset.train, dataset.tokenizer, prior.order, memory=memory, progress=progress)
    if before is None or not ngram.same_nodes(before):
        raise RunError(
            f"run {folder.path} was made by a version of charlm that counts n-grams differently; start a new run with "
            f"--init-from {folder.model}"
        )
    prior.ngram, prior.cross_fit = ngram, cross_fit
    if state.average.prior is not None:
        state.average.prior.ngram = ngram


def _generator_of(rank: int) -> str:
    """The name of the generator of a process in a resume file."""
    return f"generator/{rank}" if rank else "generator"


def _require_same_order(run: RunFolder, config: TrainConfig, checkpoint: Checkpoint) -> None:
    """Raise `RunError` if the windows would not continue as the run was saved."""
    if checkpoint.training is None:
        return
    for name in _ORDER:
        saved, current = getattr(checkpoint.training.config, name), getattr(config, name)
        if saved != current:
            raise RunError(f"{run.config} has {name} {current}, but the run was saved with {saved}; restore it")


def _restore_tensors(
    state: TrainingState, values: ResumeValues, tensors: dict[str, Tensor], device: torch.device
) -> None:
    """Restore generator, optimisers, averaged weights and recurrent states.

    Raises KeyError for a missing tensor, TypeError, ValueError or RuntimeError for one that doesn't fit.
    """
    rank = state.processes.rank
    if rank == 0 or _generator_of(rank) in tensors:  # else the run had fewer processes
        state.generator.set_state(tensors[_generator_of(rank)])
    if values.step > 0:
        moments = {key.removeprefix(_OPTIMIZER): part for key, part in tensors.items() if key.startswith(_OPTIMIZER)}
        state.optimizers.restore(moments)
    if state.average is not state.model:
        averages = {name: tensors[_AVERAGE + name] for name, _ in state.model.named_parameters()}
        if not all(average.isfinite().all() for average in averages.values()):
            raise ValueError("an averaged weight is not finite")
        state.average.load_state_dict(averages)
    if values.carries_state:
        saved = _checked_states(state.model, tensors)
        rows = state.processes.rows
        layers = state.model.config.num_layers
        on_device = [index < layers or parts[0].is_floating_point() for index, parts in enumerate(saved)]
        state.states = tuple(  # those of n-grams and matches stay on the CPU
            tuple(part[rows].to(device if moves else "cpu", copy=True) for part in parts)
            for moves, parts in zip(on_device, saved, strict=True)
        )


def _checked_states(model: LanguageModel, tensors: dict[str, Tensor]) -> LayerStates:
    """The saved states; raises `ValueError` unless they could be states of the model, all with as many rows."""
    states = []
    rows = len(tensors["state/0/0"])
    for layer, parts in enumerate(model.initial_state(1)):
        saved = [tensors[f"state/{layer}/{index}"] for index in range(len(parts))]
        for index, (part, initial) in enumerate(zip(saved, parts, strict=True)):
            fits = part.shape == (rows, *initial.shape[1:]) and part.dtype == initial.dtype
            if not fits or not part.isfinite().all():
                raise ValueError(f"state {layer}/{index} is {part.dtype} {tuple(part.shape)}, or not finite")
        states.append(tuple(saved))
    _, additions = model.split_states(tuple(states))
    ngram = None if model.prior is None else model.prior.ngram
    if ngram is not None and additions.prior is not None and not ngram.trie.has_states(additions.prior[0].numpy()):
        raise ValueError("a state of the n-gram model is outside of it")
    if model.match is not None and additions.match is not None:
        check_states(model.match.lengths, additions.match[0].numpy())
    return tuple(states)
