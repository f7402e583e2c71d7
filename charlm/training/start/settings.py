"""The settings that follow from a text and how often it is read, whatever the machine: regularisation, optimiser and
learning rate. They are fitted to the measurements in docs/notes/autotune.md."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from charlm.config import DEFAULT_CELL, DEFAULT_HIDDEN_SIZE, DEFAULT_NETWORK, NetworkKind

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
class AutotunedSettings:
    """Settings selected for a run."""

    model: dict[str, Any]
    """Fields of `ModelConfig`."""
    training: dict[str, Any]
    """Fields of `TrainConfig`."""
    passes: float
    """How often the run is expected to read the training split."""
    exposure: str
    """The same as a sentence."""
    has_prior: bool
    """Whether the network has an n-gram prior."""
    fine_tuning: bool
    """Whether the network has learnt from another text."""
    is_pairs: bool
    """Whether targets are written for sources."""
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


def settings_for(
    *,
    tokens: int,
    passes: float,
    characters: int | None = None,
    hidden_size: int = DEFAULT_HIDDEN_SIZE,
    network: NetworkKind = DEFAULT_NETWORK,
    cell: str = DEFAULT_CELL,
    has_prior: bool = True,
    fine_tuning: bool = False,
    is_pairs: bool = False,
) -> AutotunedSettings:
    """Regularisation, optimiser and learning rate; they don't depend on the machine.

    Args:
        tokens: number of tokens in the training split.
        passes: how often the network reads each of them, approximately.
        characters: number of characters in the training split; None means one per token.
        hidden_size: H, the width of the hidden state.
        network: the kind of network.
        cell: name of the cell. Weight dropout was measured for the LSTM and is used for it only.
        has_prior: whether the network has an n-gram prior.
        fine_tuning: whether the network has learnt from another text; it then needs less regularisation.
        is_pairs: whether targets are written for sources; dropout hides what a target depends on, so there is none.
    """
    least = _PASSES_OF_FINE_TUNING_WITHOUT_DROPOUT if fine_tuning else _PASSES_WITHOUT_DROPOUT
    passes_per_million = passes * 1e6 / tokens if passes > least else 0.0
    dropout, weight_dropout, averaging = value_for(
        passes_per_million, _REGULARISATION_OF_WIDE if hidden_size >= WIDE else _REGULARISATION
    )
    if fine_tuning:
        dropout, weight_dropout = min(dropout, _MOST_DROPOUT_OF_FINE_TUNING), 0.0
    if is_pairs:
        dropout, weight_dropout = 0.0, 0.0
    rate, why_this_rate = _learning_rate(characters or tokens, hidden_size, fine_tuning=fine_tuning)
    if not (has_prior or fine_tuning or is_pairs) and (network, cell) == (DEFAULT_NETWORK, DEFAULT_CELL):
        rate *= _RATE_OF_LSTM_ALONE
        why_this_rate = "without an n-gram prior an LSTM learns more with a higher learning rate"
    training = {
        "optimizer": "adamw" if fine_tuning else "muon",
        "averaging": averaging,
        "learning_rate": rate,
        "weight_decay": 0.01 if passes <= 1 else 0.1,
    }
    often = "less than once" if passes <= 1 else f"about {passes:.1f} times"
    reasons = {"learning_rate": why_this_rate}
    if dropout:
        reasons["dropout"] = f"dropout of {dropout:g} keeps the text from being memorised"
    weights = {"weight_dropout": weight_dropout if cell == DEFAULT_CELL else 0.0} if network == "recurrent" else {}
    return AutotunedSettings(
        model={"dropout": dropout} | weights,
        training=training,
        passes=passes,
        exposure=f"{tokens:,} tokens will be seen {often}",
        has_prior=has_prior,
        fine_tuning=fine_tuning,
        is_pairs=is_pairs,
        reasons=reasons,
    )


def _learning_rate(characters: int, hidden_size: int, *, fine_tuning: bool) -> tuple[float, str]:
    """The learning rate for a text of this many characters, and why."""
    lowest, highest, small = _LOWEST_RATE, value_for(hidden_size, _HIGHEST_RATES), _SMALL_TEXT
    if fine_tuning:
        (lowest, highest), small = _FINE_TUNING_RATES, _SMALL_TEXT_OF_FINE_TUNING
    rate = float(f"{min(highest, max(lowest, lowest * characters / small)):.2g}")
    if rate > lowest:
        return rate, "a larger text allows a higher learning rate"
    if fine_tuning:
        return rate, "a low learning rate forgets less"
    if hidden_size >= WIDE:
        return rate, "a wide network needs a low learning rate"
    return rate, "a small text needs a low learning rate"


def value_for(size: float, values: tuple[tuple[float, _Value], ...]) -> _Value:
    """The value of the first pair (limit, value) whose limit is at least `size`."""
    return next(value for limit, value in values if size <= limit)
