"""What a run is made of before its first step, and the settings that are selected for it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from charlm.config import ModelConfig, TrainConfig, without_additions
from charlm.data.dataset import Dataset
from charlm.model.additions.ngram_prior import default_order
from charlm.model.device import pick_device
from charlm.processes.processes import Processes
from charlm.training.start.autotune import autotune
from charlm.training.start.batch import sequences_per_step
from charlm.training.start.fine_tuning import StartModel
from charlm.training.start.model_config import model_config, with_start_model
from charlm.training.start.settings import AutotunedSettings
from charlm.training.start.speed import fastest_device


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlan:
    """The text of a run, its settings so far, and the model and the processes that it starts with."""

    dataset: Dataset
    model: Mapping[str, Any]
    """The fields of `ModelConfig` that are given or auto-selected."""
    training: TrainConfig
    given: Collection[str] = ()
    """The fields of `TrainConfig` that the user has given."""
    start_model: StartModel | None = None
    """The model to start from; None for a new one."""
    processes: Processes = field(default_factory=Processes)
    """The processes that train together."""

    def with_settings(self, settings: AutotunedSettings) -> "RunPlan":
        """The plan with auto-selected settings besides those that it has."""
        return replace(
            self, model=settings.model | dict(self.model), training=replace(self.training, **settings.training)
        )


def with_device(plan: RunPlan) -> RunPlan:
    """The plan with the faster device instead of "auto", and each process on its GPU.

    Raises `ConfigError` for a device that is not available.
    """
    config = plan.training
    if config.device == "auto":
        network, timed = _network(plan), config
        if "batch_size" not in plan.given:
            facts = plan.dataset.train.facts
            rows = sequences_per_step(
                config, tokens=facts.tokens, documents=facts.documents, vocab_size=network.vocab_size
            )
            timed = replace(config, batch_size=rows)
        config = replace(config, device=fastest_device(network, timed, plan.processes))
    plan.processes.use(pick_device(config.device))
    return replace(plan, training=config)


def auto_selected(plan: RunPlan, *, seconds: float) -> AutotunedSettings:
    """Settings selected from the text and the length of the run, without those that are given or fixed by a model.

    The first process decides. Each keeps the number of threads that it has. `seconds` is how much of the run's time has
    passed already.
    """
    config, processes = plan.training, plan.processes
    if processes.size > 1:
        config = replace(config, threads=torch.get_num_threads())
    known = with_start_model(plan.model, plan.start_model)
    settings = autotune(
        plan.dataset,
        config,
        plan.given,
        seconds=seconds,
        network=_network(plan),
        is_width_given=known.get("hidden_size") is not None,
        ngram_order=known.get("ngram_order", default_order(plan.dataset.tokenizer.vocab_size)),
        match=known.get("match"),
        fine_tuning=plan.start_model is not None,
        processes=processes.size,
    )
    if plan.model.get("match") is not None:
        settings.model["recent"] = plan.model["match"]  # recent contexts go with a match that is given, too
    if plan.start_model is not None and plan.start_model.reason is not None:
        settings = replace(settings, reasons={"init_from": plan.start_model.reason} | settings.reasons)
    if processes.size > 1:
        settings = AutotunedSettings.from_json(processes.from_first(settings.without({"threads"}).to_json))
    return settings.without({*plan.model, *plan.given})


def _network(plan: RunPlan) -> ModelConfig:
    """The network, without n-gram prior and labels."""
    return without_additions(model_config(plan.model, plan.start_model, plan.dataset.tokenizer.vocab_size))
