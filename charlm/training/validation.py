"""Use of the validation split in a run: scoring the model at intervals, and calibrating the kept one at the end."""

import math
from dataclasses import replace

from charlm.config import TrainConfig
from charlm.data.dataset import Dataset
from charlm.data.windows import Window, validation_windows
from charlm.evaluation.calibration import best_temperature, divide_logits
from charlm.evaluation.score import score, total
from charlm.model.language_model import LanguageModel
from charlm.storage.checkpoint import Checkpoint, load, save
from charlm.storage.runs import RunFolder
from charlm.training.events import ValidationEvent
from charlm.training.schedule import progress_of
from charlm.training.state import TrainingState

_TOKENS = (4096, 65_536)  # fewest and most that a validation scores
_SHARE = 0.3  # of the tokens trained on between two validations: a tenth of the time, since scoring is cheaper
_MIN_CALIBRATION_TOKENS = 1000  # below, the split is too short to calibrate on


def validation_tokens(state: TrainingState, config: TrainConfig, dataset: Dataset) -> int:
    """How many tokens each validation of this run scores, from its speed so far."""
    done = progress_of(state, config, dataset.train) - state.first_progress
    tokens_between = state.tokens / max(done, 1e-9) * (1 - state.first_progress) / config.validations
    fewest, most = _TOKENS
    return min(most, max(fewest, int(_SHARE * tokens_between)))


def calibrate(run: RunFolder, state: TrainingState, dataset: Dataset) -> float | None:
    """Divide the logits of the kept model by the temperature that is best on the validation split; its new score there.

    The score is in nats per token. A model that is calibrated already stays as it is. So does one whose split is too
    short; then the result is None.
    """
    kept = _model_to_calibrate(run, dataset)
    if kept is None or _is_calibrated(kept, state):
        return None if kept is None else kept.training.get("validation_nats_per_token")
    windows = _sample(state, dataset)
    temperature = best_temperature(kept.model, windows)
    divide_logits(kept.model, temperature)
    nats = _nats_per_token(kept.model, windows, dataset)
    facts = {"validation_nats_per_token": nats, "temperature": temperature}
    save(run.model, replace(kept, training=kept.training | facts))
    return nats


def is_complete(run: RunFolder, state: TrainingState, dataset: Dataset) -> bool:
    """Whether all that follows the last step is done: the last validation, and the calibration of the kept model."""
    if state.validated_step < state.step:
        return False
    kept = _model_to_calibrate(run, dataset)
    return kept is None or _is_calibrated(kept, state)


def _model_to_calibrate(run: RunFolder, dataset: Dataset) -> Checkpoint | None:
    """The kept model; None if there is none, or the validation split is too short to calibrate it."""
    long_enough = dataset.valid.facts.tokens >= _MIN_CALIBRATION_TOKENS
    return load(run.model) if long_enough and run.model.exists() else None


def _is_calibrated(kept: Checkpoint, state: TrainingState) -> bool:
    """Whether the kept model is calibrated. A file of charlm 0.1 doesn't say so, but its score has changed by it."""
    facts = kept.training
    changed = facts.get("step") == state.best_step and facts.get("validation_nats_per_token") != state.best
    return facts.get("temperature") is not None or changed


def _sample(state: TrainingState, dataset: Dataset) -> list[Window]:
    """The windows that every validation of this run scores."""
    width = max(1, min(256, (1 << 22) // (32 * dataset.tokenizer.vocab_size)))
    return list(validation_windows(dataset.valid, tokens=state.validation_tokens, batch_size=32, seq_len=width))


def _nats_per_token(model: LanguageModel, windows: list[Window], dataset: Dataset) -> float:
    """The loss on a sample of the validation split, with the mean cost of unknown characters added."""
    facts = dataset.valid.facts
    nats = sum(total(scored) for scored in score(model, windows)) / sum(window.tokens for window in windows)
    return nats + dataset.tokenizer.unknown_nats(facts.unknown_characters) / facts.tokens


def validate(state: TrainingState, dataset: Dataset) -> ValidationEvent:
    """Score the validation split, or a fixed sample of it; see `validation_windows`."""
    facts = dataset.valid.facts
    windows = _sample(state, dataset)
    per_token = _nats_per_token(state.average, windows, dataset)
    return ValidationEvent(
        step=state.step,
        seconds=state.elapsed(),
        nats_per_token=per_token,
        bits_per_character=per_token * facts.tokens / facts.characters / math.log(2),
        tokens=sum(window.tokens for window in windows),
        best=math.isfinite(per_token) and (state.best is None or per_token < state.best),
    )
