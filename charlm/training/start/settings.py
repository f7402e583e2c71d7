"""The settings that follow from a text and how often it is read, whatever the machine: regularisation, optimiser and
learning rate. They are fitted to the measurements in docs/notes/autotune.md."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from charlm.config import DEFAULT_CELL, DEFAULT_HIDDEN_SIZE, DEFAULT_NETWORK, JsonConfig, NetworkKind, Optimizer
from charlm.nouns import count_of

_Value = TypeVar("_Value")

WIDE = 512
"""The hidden_size from which a network counts as wide."""
_SMALL_TEXT = 1_000_000  # characters up to which the lowest learning rate is used; above, the rate rises in proportion
_LOWEST_RATE = 3e-3
_HIGHEST_RATES = ((DEFAULT_HIDDEN_SIZE, 5e-3), (384, 4e-3), (float("inf"), _LOWEST_RATE))
"""(largest hidden_size, highest learning rate)."""
_REGULARISATION = (
    (0.75, (0.0, 0.0, 0.05)),
    (5, (0.1, 0.0, 0.05)),
    (15, (0.15, 0.0, 0.2)),
    (60, (0.2, 0.0, 0.2)),
    (120, (0.2, 0.2, 0.05)),
    (float("inf"), (0.4, 0.4, 0.05)),
)
"""(most passes per million tokens, (dropout, weight dropout, share of the steps whose weights are averaged)). A small
text that is read often is memorised; averaging over many steps prevents that, and so does weight dropout."""
_REGULARISATION_OF_WIDE = (*_REGULARISATION[:3], (24, (0.2, 0.0, 0.2)), (float("inf"), (0.5, 0.5, 0.05)))
"""The same for a wide network, which memorises sooner."""
_FINE_TUNING_RATES = (5e-4, 1.5e-3)
"""Lowest and highest learning rate of AdamW for a network that has learnt from another text. Higher ones forget more of
it, which costs most where the new text is small (docs/notes/autotune.md)."""
_SMALL_TEXT_OF_FINE_TUNING = 400_000  # characters up to which the lowest is used; above, it rises in proportion
_MOST_DROPOUT_OF_FINE_TUNING = 0.2
_PASSES_WITHOUT_DROPOUT, _PASSES_OF_FINE_TUNING_WITHOUT_DROPOUT = 5, 2
_RATE_OF_LSTM_ALONE = 5
"""Factor of the learning rate of an LSTM without an n-gram prior, which learns everything itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingTask(JsonConfig):
    """The network and the text of a run: all that the settings depend on but how often the text is read."""

    tokens: int
    """Tokens in the training split."""
    characters: int | None = None
    """Characters in it; None means one per token."""
    hidden_size: int = DEFAULT_HIDDEN_SIZE
    network: NetworkKind = DEFAULT_NETWORK
    cell: str = DEFAULT_CELL
    has_prior: bool = True
    """Whether the network has an n-gram prior."""
    fine_tuning: bool = False
    """Whether the network has learnt from another text; it then needs less regularisation."""
    is_pairs: bool = False
    """Whether targets are written for sources; dropout hides what a target depends on, so there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AutotunedSettings(JsonConfig):
    """Settings selected for a run."""

    model: dict[str, Any]
    """Fields of `ModelConfig`."""
    training: dict[str, Any]
    """Fields of `TrainConfig`."""
    passes: float
    """How often the run is expected to read the training split."""
    exposure: str
    """The same as a sentence."""
    task: TrainingTask
    """What they were selected for."""
    reasons: dict[str, str]
    """Explanations, by the name of the setting."""

    @property
    def why(self) -> str:
        """One line that explains the settings."""
        return "; ".join(filter(None, (self.exposure, *self.reasons.values())))

    def without(self, names: Collection[str]) -> "AutotunedSettings":
        """The same without the settings of these names."""
        model, training, reasons = (
            {name: value for name, value in fields.items() if name not in names}
            for fields in (self.model, self.training, self.reasons)
        )
        return replace(self, model=model, training=training, reasons=reasons)


def settings_for(task: TrainingTask, passes: float) -> AutotunedSettings:
    """Regularisation, optimiser and learning rate; they don't depend on the machine.

    Args:
        task: the network and the text.
        passes: how often the network reads each token of the training split, approximately.
    """
    rate, why_this_rate = _learning_rate(task)
    dropout, weight_dropout, averaging = _regularisation(task, passes)
    weights = {"weight_dropout": weight_dropout} if task.network == "recurrent" else {}
    reasons = {"learning_rate": why_this_rate}
    if dropout:
        reasons["dropout"] = f"dropout of {dropout:g} keeps the text from being memorised"
    often = "less than once" if passes <= 1 else f"about {passes:.1f} times"
    return AutotunedSettings(
        model={"dropout": dropout} | weights,
        training={
            "optimizer": optimizer_for(fine_tuning=task.fine_tuning),
            "averaging": averaging,
            "learning_rate": rate,
            "weight_decay": 0.01 if passes <= 1 else 0.1,
        },
        passes=passes,
        exposure=f"{count_of(task.tokens, 'token')} will be seen {often}",
        task=task,
        reasons=reasons,
    )


def optimizer_for(*, fine_tuning: bool) -> Optimizer:
    """AdamW for a network that has learnt from another text, otherwise Muon."""
    return "adamw" if fine_tuning else "muon"


def _regularisation(task: TrainingTask, passes: float) -> tuple[float, float, float]:
    """Dropout, weight dropout, and the share of the steps whose weights are averaged.

    Weight dropout was measured for the LSTM and is used for it only.
    """
    least = _PASSES_OF_FINE_TUNING_WITHOUT_DROPOUT if task.fine_tuning else _PASSES_WITHOUT_DROPOUT
    passes_per_million = passes * 1e6 / task.tokens if passes > least else 0.0
    dropout, weight_dropout, averaging = value_for(
        passes_per_million, _REGULARISATION_OF_WIDE if task.hidden_size >= WIDE else _REGULARISATION
    )
    if task.fine_tuning:
        dropout, weight_dropout = min(dropout, _MOST_DROPOUT_OF_FINE_TUNING), 0.0
    if task.is_pairs:
        dropout, weight_dropout = 0.0, 0.0
    return dropout, weight_dropout if task.cell == DEFAULT_CELL else 0.0, averaging


def _learning_rate(task: TrainingTask) -> tuple[float, str]:
    """The learning rate, and why."""
    characters = task.characters or task.tokens
    lowest, highest, small = _LOWEST_RATE, value_for(task.hidden_size, _HIGHEST_RATES), _SMALL_TEXT
    if task.fine_tuning:
        (lowest, highest), small = _FINE_TUNING_RATES, _SMALL_TEXT_OF_FINE_TUNING
    rate = float(f"{min(highest, max(lowest, lowest * characters / small)):.2g}")
    is_lstm = (task.network, task.cell) == (DEFAULT_NETWORK, DEFAULT_CELL)
    if is_lstm and not (task.has_prior or task.fine_tuning or task.is_pairs):
        return rate * _RATE_OF_LSTM_ALONE, "without an n-gram prior an LSTM learns more with a higher learning rate"
    if rate > lowest:
        return rate, "a text of this size allows a higher learning rate"
    if task.fine_tuning:
        return rate, "a low learning rate forgets less"
    if task.hidden_size >= WIDE:
        return rate, "a wide network needs a low learning rate"
    return rate, "a text of this size needs a low learning rate"


def value_for(size: float, values: tuple[tuple[float, _Value], ...]) -> _Value:
    """The value of the first pair (limit, value) whose limit is at least `size`."""
    return next(value for limit, value in values if size <= limit)
