"""The files that a run writes: metrics, samples, the best model, and what `--resume` needs."""

import contextlib
import copy
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, replace

from charlm.config import TrainConfig
from charlm.data.dataset import Dataset
from charlm.errors import TrainingDivergedError
from charlm.evaluation.estimate import SplitSample
from charlm.sampling import SampleConfig, generate_many
from charlm.sampling.pairs.targets import pairs_of
from charlm.storage.append_log import AppendLog
from charlm.storage.checkpoint import Checkpoint, finite, save
from charlm.storage.runs import RunFolder
from charlm.training.divergence import divergence_message, is_sound, largest_loss
from charlm.training.events import Event, SampleEvent, StepEvent
from charlm.training.gpu.figures import figures_for
from charlm.training.saved_state import save_resume
from charlm.training.state import TrainingState, checkpoint_of
from charlm.training.validation import choose_sample, validate
from charlm.training.warnings import GradientMonitor

logger = logging.getLogger(__name__)

_LOG_EVERY = 10  # steps per record of metrics.jsonl
_FINAL_VALIDATIONS, _FINAL_SAVES = 3, 2  # of the work after the last step: calibration takes two validations
_SAMPLE_CHARACTERS, _SAMPLE_TEXTS = 240, 10  # of short documents; the first that is reached ends a sample

SAVE_EVERY = 30.0
"""Seconds between saves, apart from those after validations."""
SAVE_SPACING = 30.0
"""The next save waits this many times as long as the last one took."""
SAMPLE = SampleConfig(temperature=0.8, length=_SAMPLE_CHARACTERS)
"""How the samples of a run are written."""


class RunLog:
    """Writes the files of a run during training.

    Every process has one, which validates and saves at the same steps; that of the first writes the files.
    """

    def __init__(
        self,
        run: RunFolder,
        state: TrainingState,
        dataset: Dataset,
        config: TrainConfig,
        *,
        log_sizes: tuple[int, int],
        on_event: Callable[[Event], None],
    ) -> None:
        """Open the files; the arguments are those of `charlm.training.trainer.fit`."""
        self._run, self._state, self._dataset, self._config = run, state, dataset, config
        self._on_event = on_event
        self.figures = figures_for(state, config)
        """The figures of steps that have not been recorded yet; None if each step comes with its own."""
        self._monitor = GradientMonitor()
        self._processes = state.processes
        self._metrics = self._samples = None
        with contextlib.ExitStack() as files:
            if self._processes.is_first:
                self._metrics = files.enter_context(contextlib.closing(AppendLog(run.metrics, log_sizes[0])))
                self._samples = files.enter_context(contextlib.closing(AppendLog(run.samples, log_sizes[1])))
            self._files = files.pop_all()
        self._saved_at, self._save_seconds = self._processes.clock(), 0.0
        self.saved_step = state.step
        """The step of the resume file."""
        self._unsaved_validation = False
        self._best: Checkpoint | None = None
        """The best model, until it is written."""
        self._loss = 0.0
        """Of the last step."""
        self._sample: SplitSample | None = None
        """What the validations score; None before the first."""

    def close(self) -> None:
        """Write the best model if it has not been written, and close the files."""
        with self._files:
            self._write_best()

    def add(self, event: StepEvent) -> None:
        """Record a step; the mean of every ten steps is written.

        Raises `TrainingDivergedError` if the loss is far worse than guessing.
        """
        if self.figures is None:
            self._record(event)
        elif event.step % _LOG_EVERY == 0:
            self._read_figures()

    def validate(self) -> None:
        """Validate, write a sample, keep the model if it is the best so far, and save unless that was done just now or
        the run diverges."""
        self._read_figures()
        state, started = self._state, self._processes.clock()
        if state.recent:
            self._report()  # so that the loss shown with a validation is up to date
        better = True
        if self._dataset.valid.facts.tokens:
            self._sample = self._sample or choose_sample(state, self._dataset, self._config)
            event = validate(state, self._dataset, self._sample)
            better = event.best
            if better:
                state.best = event.nats_per_token
            self._emit(event)
        if self._processes.is_first:
            self._emit(SampleEvent(step=state.step, texts=self._sample_texts()))
        self._processes.total()  # the others wait
        validation_seconds = self._processes.clock() - started
        state.final_seconds = _FINAL_VALIDATIONS * validation_seconds + _FINAL_SAVES * self._save_seconds
        if better:
            self._keep_model()
        state.validated_step, self._unsaved_validation = state.step, True
        if self._is_sound() and self._processes.clock() - self._saved_at >= SAVE_SPACING * self._save_seconds:
            self.save()

    def interrupt(self) -> None:
        """Save before an early stop, with the latest model if none has been kept yet."""
        self._read_figures()
        if self._state.best_step == 0:
            self._keep_model()
        self.save()

    def finish(self) -> None:
        """Save, unless nothing has changed since the last save."""
        self._read_figures()
        if self.saved_step != self._state.step or self._unsaved_validation:
            self.save()

    def save(self) -> None:
        """Write the best model, if it has not been written, and everything that `--resume` needs."""
        started = self._processes.clock()
        self._write_best()
        save_resume(self._run, self._state, self._dataset, self._config, (_size(self._metrics), _size(self._samples)))
        self._processes.total()
        self._saved_at, self.saved_step, self._unsaved_validation = self._processes.clock(), self._state.step, False
        self._save_seconds = self._saved_at - started

    def save_if_due(self) -> None:
        """Save, if the last save is long enough ago and the run doesn't diverge."""
        due = self._processes.clock() - self._saved_at > max(SAVE_EVERY, SAVE_SPACING * self._save_seconds)
        if due:
            self._read_figures()
        if due and self._is_sound():
            self.save()

    def _read_figures(self) -> None:
        """Record the steps whose figures are still on the device; raises as `add` does, and as `Figures.read`."""
        for event in () if self.figures is None else self.figures.read():
            self._record(event)

    def _record(self, event: StepEvent) -> None:
        if warning := self._monitor(event):
            logger.warning(warning)
        self._state.recent.append(event)
        self._loss = event.loss
        if event.step % _LOG_EVERY == 0:
            self._report()

    def _is_sound(self) -> bool:
        """Whether the last loss is one to continue from: a run that diverged is resumed from its last save."""
        return is_sound(self._loss, self._dataset.tokenizer.vocab_size)

    def _emit(self, event: Event) -> None:
        """Append an event to its file and pass it to `on_event`, in the first process."""
        if self._metrics is None or self._samples is None:
            return
        kind = type(event).__name__.removesuffix("Event").lower()
        if isinstance(event, SampleEvent):
            self._samples.write(f"--- step {event.step}\n{event.text}\n\n")
        else:
            values = {key: finite(value) if isinstance(value, float) else value for key, value in asdict(event).items()}
            self._metrics.write(json.dumps({"kind": kind} | values) + "\n")
        self._on_event(event)

    def _report(self) -> None:
        """Emit the mean of the steps since the last report; raise `TrainingDivergedError` if it is far worse than
        guessing."""
        mean = _mean(self._state.recent)
        self._emit(mean)
        self._state.recent.clear()
        if mean.loss > largest_loss(self._dataset.tokenizer.vocab_size):
            raise TrainingDivergedError(divergence_message(mean.loss, mean.gradient_norm, mean.step, self._config))

    def _keep_model(self) -> None:
        state = self._state
        state.best_step = state.step
        if self._processes.is_first:
            self._best = checkpoint_of(copy.deepcopy(state.average), state, self._dataset, self._config)

    def _write_best(self) -> None:
        if self._best is not None:
            save(self._run.model, self._best)
            self._best = None

    def _sample_texts(self) -> tuple[str, ...]:
        """A text of the average model, or, if documents are short, as many as cost about the same.

        They draw from generators seeded with the step, so that training's own are left alone.
        """
        state = self._state
        backward = self._dataset.corpus.config.direction == "backward"
        facts = self._dataset.train.facts
        num = _SAMPLE_TEXTS if facts.characters < _SAMPLE_CHARACTERS * facts.documents else 1
        seed = self._config.seed + _SAMPLE_TEXTS * state.step
        texts, characters = list[str](), 0
        state.average.eval()
        try:
            if facts.source_tokens:
                return self._sample_targets(seed)
            for written in generate_many(state.average, self._dataset.tokenizer, seed=seed, num=num, config=SAMPLE):
                texts.append(written.text[::-1] if backward else written.text)
                characters += written.characters
                if characters >= _SAMPLE_CHARACTERS:
                    break
        finally:
            state.model.train()
        return tuple(texts)

    def _sample_targets(self, seed: int) -> tuple[str, ...]:
        """Sources, of the validation split if there is one, with the targets that the average model writes."""
        texts, characters = list[str](), 0
        split = self._dataset.valid if self._dataset.valid.facts.tokens else self._dataset.train
        model, tokenizer = self._state.average, self._dataset.tokenizer
        for source, _ in pairs_of(split, _SAMPLE_TEXTS):
            after = model.after_source(source.tolist())
            (written,) = generate_many(after, tokenizer, seed=seed, num=1, config=SAMPLE)
            texts.append(f"{tokenizer.decode(source[:-1])} → {written.text}")
            characters += written.characters
            if characters >= _SAMPLE_CHARACTERS:
                break
        return tuple(texts)


def _size(log: AppendLog | None) -> int:
    """The bytes of a log, which are on disk; 0 in a process that doesn't write it."""
    return 0 if log is None else log.sync()


def _mean(events: list[StepEvent]) -> StepEvent:
    """The last event, with the mean loss and norms of all."""
    count = len(events)
    return replace(
        events[-1],
        loss=sum(event.loss for event in events) / count,
        gradient_norm=sum(event.gradient_norm for event in events) / count,
        clipped_norm=sum(event.clipped_norm for event in events) / count,
    )
