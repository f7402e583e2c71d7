"""What a run writes while it goes on: records, samples, the best model, and what `--resume` needs."""

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import torch

from charlm.config import TrainConfig
from charlm.data.dataset import Dataset
from charlm.errors import TrainingDivergedError
from charlm.sampling import SampleConfig, generate_chunks
from charlm.storage.append_log import AppendLog
from charlm.storage.checkpoint import Checkpoint, finite, save
from charlm.storage.runs import RunFolder
from charlm.training.events import Event, SampleEvent, StepEvent
from charlm.training.state import TrainingState, checkpoint_of, save_resume
from charlm.training.validation import validate, validation_tokens

_LOG_EVERY = 10  # steps in a record of metrics.jsonl
_SAVE_EVERY = 30.0  # seconds between writing files where no validation falls
_SPARING = 30  # times as long as the last writing took pass before the next: it takes a thirtieth of the time at most
_SAMPLE = SampleConfig(temperature=0.8, length=240)


class RunLog:
    """The files of a run that is going on."""

    def __init__(
        self,
        run: RunFolder,
        state: TrainingState,
        dataset: Dataset,
        config: TrainConfig,
        *,
        lengths: tuple[int, int],
        observer: Callable[[Event], None],
    ) -> None:
        """Open the files; arguments are those of `charlm.training.trainer.fit`."""
        self._run, self._state, self._dataset, self._config = run, state, dataset, config
        self._observer = observer
        self._metrics, self._samples = AppendLog(run.metrics, lengths[0]), AppendLog(run.samples, lengths[1])
        self._saved, self._cost, self._saved_step = time.monotonic(), 0.0, -1
        self._best: Checkpoint | None = None
        """The best model, while it is not written."""

    def close(self) -> None:
        """Write the best model if it is not, and close the files."""
        try:
            self._write_best()
        finally:
            self._metrics.close()
            self._samples.close()

    def add(self, record: StepEvent) -> None:
        """Take a step; every so many, their mean is written.

        Raises `TrainingDivergedError` for a run that does worse than guessing.
        """
        self._state.recent.append(record)
        if self._state.step % _LOG_EVERY == 0:
            self._report()

    def check(self) -> None:
        """Validate, write a sample, keep the model if it is the best so far, and save if that was not done just now."""
        state = self._state
        if state.recent:
            self._report()  # so that the figures shown with a validation are those of its moment
        better = True
        if self._dataset.valid.facts.tokens:
            state.validation_tokens = state.validation_tokens or validation_tokens(state, self._config, self._dataset)
            record = validate(state, self._dataset)
            better = record.best
            if better:
                state.best = record.nats_per_token
            self._emit(record)
        self._emit(SampleEvent(step=state.step, text=self._write_sample()))
        if better:
            self._keep_model()
        self._saved_step = -1
        if time.monotonic() - self._saved >= _SPARING * self._cost:
            self.save()

    def keep_any(self) -> None:
        """Save, with the latest model where none has been kept yet."""
        if self._state.best_step == 0:
            self._keep_model()
        self.save()

    def finish(self) -> None:
        """`save`, unless that was the last thing to happen."""
        if self._saved_step != self._state.step or self._best is not None:
            self.save()

    def save(self) -> None:
        """Write the best model, if it is not yet, and all that `--resume` needs."""
        started = time.monotonic()
        self._write_best()
        save_resume(self._run, self._state, self._dataset, self._config, (self._metrics.sync(), self._samples.sync()))
        self._saved, self._saved_step = time.monotonic(), self._state.step
        self._cost = self._saved - started

    def save_now_and_then(self) -> None:
        """`save`, if the last time is a while ago."""
        if time.monotonic() - self._saved > max(_SAVE_EVERY, _SPARING * self._cost):
            self.save()

    def _emit(self, record: Event) -> None:
        """Append a record to its file, and show it."""
        kind = type(record).__name__.removesuffix("Event").lower()
        if isinstance(record, SampleEvent):
            self._samples.write(f"--- step {record.step}\n{record.text}\n\n")
        else:
            values = {
                key: finite(value) if isinstance(value, float) else value for key, value in asdict(record).items()
            }
            self._metrics.write(json.dumps({"kind": kind} | values) + "\n")
        self._observer(record)

    def _report(self) -> None:
        """Emit the mean of the steps since the last report, and end a run that does worse than guessing."""
        mean = _mean(self._state.recent)
        self._emit(mean)
        self._state.recent.clear()
        if mean.loss > 4 * math.log(self._dataset.tokenizer.vocab_size) + 4:
            raise TrainingDivergedError(diverged(mean.loss, mean.gradient_norm, self._state.step, self._config))

    def _keep_model(self) -> None:
        state = self._state
        state.best_step = state.step
        self._best = checkpoint_of(copy.deepcopy(state.average), state, self._dataset, self._config)

    def _write_best(self) -> None:
        if self._best is not None:
            save(self._run.model, self._best)
            self._best = None

    def _write_sample(self) -> str:
        state = self._state
        generator = torch.Generator().manual_seed(self._config.seed + state.step)
        state.average.eval()
        try:
            chunks = generate_chunks(state.average, self._dataset.tokenizer, generator, config=_SAMPLE, score=False)
            text = "".join(chunk.text for chunk in chunks)
            return text[::-1] if self._dataset.corpus.config.direction == "backward" else text
        finally:
            state.model.train()


def _mean(records: list[StepEvent]) -> StepEvent:
    """The last of the records, with the mean of their losses and norms."""
    count = len(records)
    return replace(
        records[-1],
        loss=sum(record.loss for record in records) / count,
        gradient_norm=sum(record.gradient_norm for record in records) / count,
        clipped_norm=sum(record.clipped_norm for record in records) / count,
    )


def diverged(loss: float, norm: float, step: int, config: TrainConfig) -> str:
    """What is said of a run that has come to nothing, and what may help."""
    what = f"the loss became {loss:.3g} and the gradient norm {norm:.3g} at step {step}"
    clip = " or set --clip 1" if config.clip == 0 else ""
    return f"training diverged: {what}; lower --learning-rate (it is {config.learning_rate:g}){clip}"
