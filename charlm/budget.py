"""What to train in the time there is: a model's size and how it is trained, from the text and the length of the run.

The rule is fitted to measurements, which docs/budget.md shows: it looks at how many tokens and documents the text has,
at the vocabulary, and at how often the run will see each token.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from torch.nn import functional as F

from charlm.config import (
    DEFAULT_CELL,
    DEFAULT_HIDDEN,
    SMALL_VOCABULARY,
    ModelConfig,
    TrainConfig,
    default_vectors,
)
from charlm.dataset import Dataset
from charlm.model import LanguageModel, pick_device

_SMALL = 1_000_000  # characters of a text that the lowest learning rate suits; it rises with the text
_WIDE = 512
_LARGE_TEXT = 2_000_000  # tokens
_WIDTHS = (
    (_LARGE_TEXT, ((30e6, DEFAULT_HIDDEN), (60e6, 384), (float("inf"), _WIDE))),
    (200_000, ((100e6, DEFAULT_HIDDEN), (float("inf"), _WIDE))),
    (0, ((float("inf"), DEFAULT_HIDDEN),)),
)
"""For texts of at least so many tokens: up to so many that 256 units would see, so many units. Fewer learn more in a
short time; wide ones were measured on texts of 450,000 tokens and more."""
_RATE = 3e-3
_RATES = ((DEFAULT_HIDDEN, 5e-3), (384, 4e-3), (float("inf"), _RATE))
"""The highest learning rate for up to so many units."""
_OFTEN = 60  # passes for each million tokens above which a text is learnt by heart in spite of little dropout
_DROPOUTS = ((1.5, 0.0), (5, 0.1), (15, 0.15), (_OFTEN, 0.2), (float("inf"), 0.4))
"""Up to so many passes for each million tokens, so much dropout: what is small and seen often is learnt by heart."""
_DROPOUTS_OF_WIDE = ((4, 0.0), (12, 0.1), (_OFTEN, 0.2), (float("inf"), 0.5))
"""The same for a wide network, which sees it less than half as often in the time."""
_AVERAGING = ((5, 0.05), (_OFTEN, 0.2), (float("inf"), 0.05))
"""The same for the share of the steps that is averaged: long where the network would learn by heart otherwise."""
_WINDOW = 2048  # tokens of a step
_WINDOW_OF_LARGE = 1024  # where the vocabulary is large: such tokens tell more, and take longer
_LOGITS = 1 << 24  # of a step
_STEPS_A_PASS = 100  # at least, of a text that is too small for such steps
_ROWS = (8, 512)
_STEPS = (3, 8)  # to warm up, and to time
_SHARE_OF_STEPS = 0.85  # of a run's time that its steps take; the rest goes into validations, samples and files


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a run is to be."""

    model: dict[str, Any]
    """Fields of `ModelConfig`."""
    training: dict[str, Any]
    """Fields of `TrainConfig`."""
    passes: float
    """How often the model that is the measure, an LSTM of 256 units, would see each token of the text."""
    why: str
    """A line for people."""

    def without(self, settled: Collection[str]) -> "Plan":
        """The plan for what nobody has settled."""
        model, training = (
            {name: value for name, value in fields.items() if name not in settled}
            for fields in (self.model, self.training)
        )
        return replace(self, model=model, training=training)


def tokens_of_row(config: TrainConfig, tokens: int, documents: int) -> int:
    """How many tokens a row of a window has, about: T, or a document's length where documents are shorter."""
    return min(config.seq_len, max(1, tokens // max(1, documents)))


def rows_of_text(config: TrainConfig, *, tokens: int, documents: int, vocab_size: int) -> int:
    """How many stretches of text are learnt from side by side: more of short documents, fewer of a small text or where
    the logits of a large vocabulary fill the memory."""
    window = _WINDOW if vocab_size <= SMALL_VOCABULARY else _WINDOW_OF_LARGE
    rows = min(window, _LOGITS // vocab_size, tokens // _STEPS_A_PASS) // tokens_of_row(config, tokens, documents)
    return min(_ROWS[1], max(_ROWS[0], rows // 8 * 8))


def plan(
    *, tokens: int, passes: float, characters: int | None = None, width: int | None = None, cell: str = DEFAULT_CELL
) -> Plan:
    """The settings for a text and a length of run, whatever machine it is.

    Args:
        tokens: of the training split.
        passes: how often an LSTM of 256 units would see each of them in the time there is.
        characters: of the training split; None is one for each token.
        width: H, where it is settled already.
        cell: its name; weights are dropped from the LSTM only, where that was measured.
    """
    chosen = int(_up_to(passes * tokens, next(widths for least, widths in _WIDTHS if tokens >= least)))
    units = width or chosen
    wide = units >= _WIDE
    repeated = passes * 1e6 / tokens if passes > 1 else 0.0
    dropout = _up_to(repeated, _DROPOUTS_OF_WIDE if wide else _DROPOUTS)
    rate = float(f"{min(_up_to(units, _RATES), max(_RATE, _RATE * (characters or tokens) / _SMALL)):.2g}")
    training = {
        "optimizer": "muon",
        "averaging": _up_to(repeated, _AVERAGING),
        "learning_rate": rate,
        "weight_decay": 0.01 if passes <= 1 else 0.1,
        "seq_len": 64 if wide else 32,
    }
    often = "less than once" if passes <= 1 else f"up to {passes:.1f} times"
    seen = "will be seen" if units <= DEFAULT_HIDDEN else f"would be seen by {DEFAULT_HIDDEN} units"
    if wide:
        size = "a wide network wants a low learning rate"
    elif rate == _RATE:
        size = "a small text wants a low learning rate"
    else:
        size = "a larger text allows a higher learning rate"
    against = f", and dropout of {dropout:g} keeps it from being learnt by heart" if dropout else ""
    return Plan(
        model=({} if width else {"hidden_size": chosen})
        | {"dropout": dropout, "weight_dropout": dropout if repeated > _OFTEN and cell == DEFAULT_CELL else 0.0},
        training=training,
        passes=passes,
        why=f"{tokens:,} tokens {seen} {often}: {size}{against}",
    )


def plan_for(
    dataset: Dataset, config: TrainConfig, given: Collection[str], *, seconds: float, width: int | None, cell: str
) -> Plan:
    """`plan` for a text and the length of a run, with the batch.

    Args:
        dataset: its training split and vocabulary count.
        config: the length, and what `given` names of the rest.
        given: the settings that somebody has given.
        seconds: what is gone of the time already.
        width: H, where it is settled already.
        cell: its name.
    """
    facts = dataset.train.facts
    text = {"tokens": facts.tokens, "documents": facts.documents, "vocab_size": dataset.tokenizer.vocab_size}
    rows = config.batch_size if "batch_size" in given else rows_of_text(config, **text)
    passes = passes_of(replace(config, batch_size=rows), **text, seconds=seconds)
    planned = plan(tokens=facts.tokens, characters=facts.characters, passes=passes, width=width, cell=cell)
    units = width or planned.model["hidden_size"]
    if units >= _WIDE and facts.tokens >= _LARGE_TEXT and text["vocab_size"] <= SMALL_VOCABULARY:
        rows *= 2
    return replace(planned, training={"batch_size": rows} | planned.training)


def _up_to(size: float, values: tuple[tuple[float, float], ...]) -> float:
    return next(value for most, value in values if size <= most)


def passes_of(config: TrainConfig, *, tokens: int, documents: int, vocab_size: int, seconds: float) -> float:
    """How often an LSTM of 256 units would see each token in the length that a configuration gives.

    Args:
        config: its lengths; by the clock it is measured how fast this machine is, in a few steps.
        tokens: of the training split.
        documents: among which they are.
        vocab_size: V.
        seconds: what is gone of the time already.
    """
    found = []
    across = tokens_of_row(config, tokens, documents)
    if config.epochs is not None:
        found.append(config.epochs)
    if config.steps is not None:
        found.append(config.steps * config.batch_size * across / tokens)
    if config.minutes is not None:
        left = max(0.0, config.minutes * 60 - seconds) * _SHARE_OF_STEPS
        found.append(left * tokens_per_second(vocab_size, config, across) / tokens)
    return min(found)


def tokens_per_second(vocab_size: int, config: TrainConfig, across: int) -> float:
    """How fast an LSTM of 256 units is trained on this machine, by a few steps on rows of `across` random tokens."""
    generator = torch.Generator().manual_seed(0)
    model = LanguageModel(ModelConfig(vocab_size=vocab_size, **default_vectors(vocab_size, DEFAULT_HIDDEN)))
    model.initialise(generator)
    device = pick_device(config.device)
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    ids = torch.randint(vocab_size, (across + 1, config.batch_size), generator=generator).to(device)
    drops = torch.Generator(device).manual_seed(0)
    warming, timed = _STEPS
    seconds = []
    for _ in range(warming + timed):
        started = time.perf_counter()
        with model.training_precision(config.precision):
            logits, _ = model(ids[:-1], generator=drops)
        loss = F.cross_entropy(logits.flatten(0, 1), ids[1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss.item()  # so that the device has done it
        seconds.append(time.perf_counter() - started)
    return across * config.batch_size / median(seconds[warming:])
