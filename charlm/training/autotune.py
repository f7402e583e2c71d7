"""What to train in the time there is: a model's size and how it is trained, from the text and the length of the run.

The rule is fitted to measurements, which docs/budget.md shows: it looks at how many tokens and documents the text has,
at the vocabulary, and at how often the run will see each token.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, TypeVar

import torch
from torch.nn import functional as F

from charlm.config import (
    DEFAULT_CELL,
    DEFAULT_HIDDEN,
    LEAST_ORDER_OF_CONTEXTS,
    MAX_CONTEXT_VECTORS,
    SMALL_VOCABULARY,
    ModelConfig,
    TrainConfig,
    default_vectors,
)
from charlm.data.dataset import Dataset
from charlm.model.device import pick_device
from charlm.model.language_model import LanguageModel

_Value = TypeVar("_Value")

_SMALL = 1_000_000  # characters of a text that the lowest learning rate suits; it rises with the text
_WIDE = 512
_LARGE_TEXT = 2_000_000  # tokens
_WIDTHS = (
    (_LARGE_TEXT, ((20e6, DEFAULT_HIDDEN), (40e6, 384), (float("inf"), _WIDE))),
    (200_000, ((150e6, DEFAULT_HIDDEN), (float("inf"), _WIDE))),
    (0, ((float("inf"), DEFAULT_HIDDEN),)),
)
"""For texts of at least so many tokens: up to so many that 256 units would see, so many units. Fewer learn more in a
short time; wide ones were measured on texts of 450,000 tokens and more."""
_PACES = ((DEFAULT_HIDDEN, 1.0), (384, 0.6), (float("inf"), 0.4))
"""What a network of up to so many units sees in the time in which 256 units see 1."""
_RATE = 3e-3
_RATES = ((DEFAULT_HIDDEN, 5e-3), (384, 4e-3), (float("inf"), _RATE))
"""The highest learning rate for up to so many units."""
_RESTRAINTS = (
    (0.75, (0.0, 0.0, 0.05)),
    (5, (0.1, 0.0, 0.05)),
    (15, (0.15, 0.0, 0.2)),
    (60, (0.2, 0.0, 0.2)),
    (120, (0.2, 0.2, 0.05)),
    (float("inf"), (0.4, 0.4, 0.05)),
)
"""Up to so many passes for each million tokens: dropout of states, dropout of weights, and the share of the steps that
is averaged. What is small and seen often is learnt by heart; long averages keep from that, or dropped weights."""
_RESTRAINTS_OF_WIDE = (*_RESTRAINTS[:3], (24, (0.2, 0.0, 0.2)), (float("inf"), (0.5, 0.5, 0.05)))
"""The same for a wide network, which learns by heart sooner."""
_TOKENS_A_VECTOR = 200  # of the training split, for each n-gram that has a vector
_WINDOW = 2048  # tokens of a step
_WINDOW_OF_LARGE = 1024  # where the vocabulary is large: such tokens tell more, and take longer
_LOGITS = 1 << 24  # of a step
_STEPS_A_PASS = 100  # at least, of a text that is too small for such steps
_ROWS = (8, 512)
_SEQ_LEN_OF_WIDE = 64
_STEPS = (3, 8)  # to warm up, and to time
_SHARE_OF_STEPS = 0.6  # of a run's time that such steps take; the rest goes into n-grams, Muon, validations and files


@dataclass(frozen=True, kw_only=True, slots=True)
class AutotunedSettings:
    """What a run is to be."""

    model: dict[str, Any]
    """Fields of `ModelConfig`."""
    training: dict[str, Any]
    """Fields of `TrainConfig`."""
    seen: str
    """How often the text will be."""
    reasons: dict[str, str]
    """What is said of a setting, by its name."""

    @property
    def why(self) -> str:
        """A line for people."""
        return ": ".join(filter(None, (self.seen, ", and ".join(self.reasons.values()))))

    def without(self, settled: Collection[str]) -> "AutotunedSettings":
        """The plan for what nobody has settled."""
        model, training, reasons = (
            {name: value for name, value in fields.items() if name not in settled}
            for fields in (self.model, self.training, self.reasons)
        )
        return replace(self, model=model, training=training, reasons=reasons)


def tokens_of_row(config: TrainConfig, tokens: int, documents: int) -> int:
    """How many tokens a row of a window has, about: T, or a document's length where documents are shorter."""
    return min(config.seq_len, max(1, tokens // max(1, documents)))


def rows_of_text(config: TrainConfig, *, tokens: int, documents: int, vocab_size: int) -> int:
    """How many stretches of text are learnt from side by side: more of short documents, fewer of a small text or where
    the logits of a large vocabulary fill the memory."""
    window = _WINDOW if vocab_size <= SMALL_VOCABULARY else _WINDOW_OF_LARGE
    rows = min(window, _LOGITS // vocab_size, tokens // _STEPS_A_PASS) // tokens_of_row(config, tokens, documents)
    return min(_ROWS[1], max(_ROWS[0], rows // 8 * 8))


def width_for(tokens: int, seen: float) -> int:
    """How many units suit a training split of so many tokens, of which 256 units would see so many in the time."""
    return _up_to(seen, next(widths for least, widths in _WIDTHS if tokens >= least))


def context_vectors_for(tokens: int, *, ngram_order: int) -> int:
    """How many frequent n-grams have a vector of their own: a small text would learn more of them by heart."""
    return min(MAX_CONTEXT_VECTORS, tokens // _TOKENS_A_VECTOR) if ngram_order >= LEAST_ORDER_OF_CONTEXTS else 0


def plan(
    *,
    tokens: int,
    passes: float,
    characters: int | None = None,
    units: int = DEFAULT_HIDDEN,
    cell: str = DEFAULT_CELL,
) -> AutotunedSettings:
    """The settings for a text and a length of run, whatever machine it is, but for width, batch and window.

    Args:
        tokens: of the training split.
        passes: how often the network will see each of them, about.
        characters: of the training split; None is one for each token.
        units: H.
        cell: its name; weights are dropped from the LSTM only, where that was measured.
    """
    repeated = passes * 1e6 / tokens if passes > 1 else 0.0
    dropout, weight_dropout, averaging = _up_to(repeated, _RESTRAINTS_OF_WIDE if units >= _WIDE else _RESTRAINTS)
    rate = float(f"{min(_up_to(units, _RATES), max(_RATE, _RATE * (characters or tokens) / _SMALL)):.2g}")
    training = {
        "optimizer": "muon",
        "averaging": averaging,
        "learning_rate": rate,
        "weight_decay": 0.01 if passes <= 1 else 0.1,
    }
    seen = "less than once" if passes <= 1 else f"about {passes:.1f} times"
    if units >= _WIDE:
        size = "a wide network wants a low learning rate"
    elif rate == _RATE:
        size = "a small text wants a low learning rate"
    else:
        size = "a larger text allows a higher learning rate"
    reasons = {"learning_rate": size}
    if dropout:
        reasons["dropout"] = f"dropout of {dropout:g} keeps it from being learnt by heart"
    return AutotunedSettings(
        model={"dropout": dropout, "weight_dropout": weight_dropout if cell == DEFAULT_CELL else 0.0},
        training=training,
        seen=f"{tokens:,} tokens will be seen {seen}",
        reasons=reasons,
    )


def autotune(
    dataset: Dataset,
    config: TrainConfig,
    given: Collection[str],
    *,
    seconds: float,
    width: int | None,
    cell: str,
    ngram_order: int,
) -> AutotunedSettings:
    """`plan` for a text and the length of a run, with width, batch and window.

    Args:
        dataset: its training split and vocabulary count.
        config: the length, and what `given` names of the rest.
        given: the settings that somebody has given.
        seconds: what is gone of the time already.
        width: H, where it is settled already.
        cell: its name.
        ngram_order: n of the prior, 0 where there is none.
    """
    facts, vocab_size = dataset.train.facts, dataset.tokenizer.vocab_size
    text = {"tokens": facts.tokens, "documents": facts.documents}
    rows = config.batch_size if "batch_size" in given else rows_of_text(config, **text, vocab_size=vocab_size)
    shape = replace(config, batch_size=rows)
    speed = 0.0
    if config.minutes is not None:
        speed = tokens_per_second(vocab_size, shape, tokens_of_row(shape, **text))
    seen = facts.tokens * passes_of(shape, **text, seconds=seconds, speed=speed)
    units = width or width_for(facts.tokens, seen)
    if units >= _WIDE:
        if "seq_len" not in given:
            shape = replace(shape, seq_len=_SEQ_LEN_OF_WIDE)
        long = tokens_of_row(shape, **text) == shape.seq_len
        if "batch_size" not in given and long and facts.tokens >= _LARGE_TEXT and vocab_size <= SMALL_VOCABULARY:
            shape = replace(shape, batch_size=min(_ROWS[1], 2 * rows))
    passes = passes_of(shape, **text, seconds=seconds, speed=speed * _up_to(units, _PACES))
    found = plan(tokens=facts.tokens, characters=facts.characters, passes=passes, units=units, cell=cell)
    return replace(
        found,
        model=({} if width else {"hidden_size": units})
        | found.model
        | {"context_vectors": context_vectors_for(facts.tokens, ngram_order=ngram_order)},
        training={"batch_size": shape.batch_size} | found.training | {"seq_len": shape.seq_len},
    )


def _up_to(size: float, values: tuple[tuple[float, _Value], ...]) -> _Value:
    return next(value for most, value in values if size <= most)


def passes_of(config: TrainConfig, *, tokens: int, documents: int, seconds: float, speed: float) -> float:
    """How often a network sees each token in the length that a configuration gives, about.

    Args:
        config: its lengths, and the batch.
        tokens: of the training split.
        documents: among which they are.
        seconds: what is gone of the time already.
        speed: of the network on this machine, tokens a second; what `tokens_per_second` measured.
    """
    found = []
    if config.epochs is not None:
        found.append(config.epochs)
    if config.steps is not None:
        found.append(config.steps * config.batch_size * tokens_of_row(config, tokens, documents) / tokens)
    if config.minutes is not None:
        found.append(max(0.0, config.minutes * 60 - seconds) * _SHARE_OF_STEPS * speed / tokens)
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
