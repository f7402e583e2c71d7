"""The state of training before the first step of a run."""

import torch

from charlm.errors import ConfigError
from charlm.model.additions.label_ngrams import fit_label_ngrams
from charlm.model.additions.ngram_prior import fit_prior
from charlm.model.device import pick_device
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress
from charlm.training.start.fine_tuning import inherit, inherit_vectors, inherits_prior
from charlm.training.start.model_config import model_config
from charlm.training.start.order_weights import fit_order_weights
from charlm.training.start.plan import RunPlan
from charlm.training.state import TrainingState, begin


def first_state(plan: RunPlan, *, started: float, progress: Progress) -> TrainingState:
    """The state before the first step, with newly drawn weights or those of the model to start from.

    Args:
        plan: the run, with all of its settings.
        started: as in `TrainingState`.
        progress: called with the progress of counting n-grams.

    Raises `ConfigError` for an option that contradicts the model to start from.
    """
    dataset, config, start_model = plan.dataset, plan.training, plan.start_model
    labels = [label.to_json() for label in dataset.labels]
    shape = model_config({**plan.model, "labels": labels}, start_model, dataset.tokenizer.vocab_size)
    if shape.match and config.softmax_samples:
        raise ConfigError(
            f"--match needs the logits of all tokens, but --softmax-samples is {config.softmax_samples}; leave one out"
        )
    model = LanguageModel(shape)
    generator = torch.Generator().manual_seed(config.seed)
    model.initialise(generator, zero_tokens=dataset.tokenizer.never_written)
    if start_model is not None:
        inherit(model, start_model, dataset)
    if shape.ngram_order:
        _build_on_ngrams(model, plan, progress)
    state = begin(model, config, pick_device(config.device), started, plan.processes)
    state.began_with = None if start_model is None else start_model.facts
    return state


def _build_on_ngrams(model: LanguageModel, plan: RunPlan, progress: Progress) -> None:
    """Fit the n-gram models, and give the model what it needs of them."""
    train, tokenizer, memory = plan.dataset.train, plan.dataset.tokenizer, plan.training.prior_memory
    ngram, cross_fit = fit_prior(train, tokenizer, model.config.ngram_order, memory=memory, progress=progress)
    model.build_on(ngram, cross_fit)
    if model.labels is not None and train.targets is None:
        values = len(model.config.label_values)
        model.label_ngrams = fit_label_ngrams(train, tokenizer, values, memory=memory)
    if plan.start_model is not None:
        inherit_vectors(model, plan.start_model, tokenizer)
        if not inherits_prior(model, plan.start_model):
            fit_order_weights(model, train)
