"""Use of the validation split in a run: scoring the model at intervals, and calibrating the kept one at the end."""

import math
from copy import deepcopy
from dataclasses import replace

from charlm.config import TrainConfig
from charlm.data.dataset import Dataset
from charlm.evaluation.calibration import best_label_weight, best_temperature, divide_logits
from charlm.evaluation.estimate import Estimate, SplitSample
from charlm.storage.checkpoint import Checkpoint, load, save
from charlm.storage.provenance import TrainingFacts
from charlm.storage.runs import RunFolder
from charlm.training.events import ValidationEvent
from charlm.training.schedule import final_tokens, progress_of
from charlm.training.state import TrainingState

_TOKENS = (4096, 32_768)  # fewest and most that a validation scores
_SHARE = 0.15  # of the tokens trained on between two validations: a twentieth of the time, since scoring is cheaper
_SHARE_OF_SAMPLED = 0.05  # the same with a sampled softmax, since scoring, which uses all tokens, is not cheaper
_MIN_CALIBRATION_TOKENS = 1000  # below, the split is too short to calibrate on


def choose_sample(state: TrainingState, dataset: Dataset, config: TrainConfig) -> SplitSample:
    """The sample of the validation split that all validations of this run score; its size follows from the speed of the
    run so far, and is kept in the state."""
    if state.validation_tokens == 0:
        done = progress_of(state, config, dataset.train) - state.first_progress
        tokens_between = state.tokens / max(done, 1e-9) * (1 - state.first_progress) / config.validations
        fewest, most = _TOKENS
        share = _SHARE_OF_SAMPLED if config.softmax_samples else _SHARE
        state.validation_tokens = min(most, max(fewest, int(share * tokens_between)))
    return _sample(state, dataset, state.validation_tokens)


def _sample(state: TrainingState, dataset: Dataset, tokens: int) -> SplitSample:
    ngram = None if state.model.prior is None else state.model.prior.ngram
    return SplitSample(dataset.valid, dataset.tokenizer, tokens=tokens, ngram=ngram, processes=state.processes)


def validate(state: TrainingState, dataset: Dataset, sample: SplitSample) -> ValidationEvent:
    """Score the validation split on a sample."""
    facts, estimate = dataset.valid.facts, sample.estimate(state.average)
    nats = estimate.nats_per_token
    return ValidationEvent(
        step=state.step,
        seconds=state.elapsed(),
        nats_per_token=nats,
        bits_per_character=nats * facts.tokens / facts.characters / math.log(2),
        tokens=estimate.tokens,
        margin=estimate.margin,
        best=math.isfinite(nats) and (state.best is None or nats < state.best),
    )


def calibrate(run: RunFolder, state: TrainingState, dataset: Dataset, config: TrainConfig) -> Estimate | None:
    """Divide the logits of the kept model by the temperature that is best on the validation split, weight the n-grams
    of its labels there, and score it.

    The score is that of the whole split if that takes little of the run's time; see `final_tokens`.
    A model that is calibrated already stays as it is. So does one whose split is too short; then the result is None.
    Several processes share the work, and the first has and writes the file.
    """
    processes = state.processes
    kept = _model_to_calibrate(run, dataset) if processes.is_first else None
    is_calibrated = kept is not None and _is_calibrated(kept[1], state)
    if not processes.from_first(lambda: kept is not None and not is_calibrated):
        return None if kept is None else _kept_estimate(kept[1])
    model = deepcopy(state.average).eval() if kept is None else kept[0].model.to(state.model.output_bias.device)
    processes.copy_from_first(model.parameters())
    sample = choose_sample(state, dataset, config)
    temperature = best_temperature(model, sample.windows(), processes)
    divide_logits(model, temperature)
    if model.label_ngrams is not None:
        weight = best_label_weight(model, sample.windows(), processes)
        model.label_ngrams = replace(model.label_ngrams, weight=weight)
    tokens = max(sample.tokens, final_tokens(dataset.valid.facts.tokens, state.tokens))
    estimate = _sample(state, dataset, tokens).estimate(model)
    if kept is None:
        return estimate
    checkpoint, facts = kept
    facts = replace(
        facts,
        validation_nats_per_token=estimate.nats_per_token,
        validation_margin=estimate.margin,
        validation_tokens=estimate.tokens,
        temperature=temperature,
    )
    save(run.model, replace(checkpoint, training=facts))
    return estimate


def _kept_estimate(facts: TrainingFacts) -> Estimate | None:
    """The score in the file of a calibrated model."""
    nats, margin, tokens = facts.validation_nats_per_token, facts.validation_margin, facts.validation_tokens
    if nats is None or margin is None or tokens is None:  # a file of charlm 0.1
        return None
    return Estimate(nats_per_token=nats, margin=margin, tokens=tokens)


def is_complete(run: RunFolder, state: TrainingState, dataset: Dataset) -> bool:
    """Whether all that follows the last step is done: the last validation, and the calibration of the kept model."""
    if state.validated_step < state.step:
        return False

    def is_calibrated() -> bool:
        kept = _model_to_calibrate(run, dataset)
        return kept is None or _is_calibrated(kept[1], state)

    return state.processes.from_first(is_calibrated)


def _model_to_calibrate(run: RunFolder, dataset: Dataset) -> tuple[Checkpoint, TrainingFacts] | None:
    """The kept model and how it was trained; None if either is unknown, or the validation split is too short."""
    if dataset.valid.facts.tokens < _MIN_CALIBRATION_TOKENS or not run.model.exists():
        return None
    checkpoint = load(run.model)
    return None if checkpoint.training is None else (checkpoint, checkpoint.training)


def _is_calibrated(facts: TrainingFacts, state: TrainingState) -> bool:
    """Whether the kept model is calibrated. A file of charlm 0.1 doesn't say so, but its score has changed by it."""
    changed = facts.step == state.best_step and facts.validation_nats_per_token != state.best
    return facts.temperature is not None or changed
