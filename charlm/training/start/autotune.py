"""Automatic settings: the size of a model and how it is trained, from the text and the length of the run.

The rule depends on the tokens and documents of the text, on the size of the vocabulary, and on how often the run reads
each token. It is fitted to the measurements in docs/notes/autotune.md.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from charlm.config import (
    DEFAULT_CELL,
    DEFAULT_HIDDEN_SIZE,
    DEFAULT_NETWORK,
    DEFAULT_SHAPES,
    LEAST_ORDER_OF_CONTEXTS,
    MAX_CONTEXT_VECTORS,
    SMALL_VOCABULARY,
    NetworkKind,
    TrainConfig,
)
from charlm.data.dataset import Dataset
from charlm.data.windows import mean_window
from charlm.model.device import pick_device
from charlm.ngram.native_code import native_library
from charlm.training.start import gpu_budget
from charlm.training.start.speed import fastest_threads

_Value = TypeVar("_Value")

_SMALL_TEXT = 1_000_000  # characters up to which the lowest learning rate is used; above, the rate rises in proportion
_LARGE_TEXT = 2_000_000  # tokens
_WIDE = 512  # hidden_size from which a network counts as wide
_HIDDEN_SIZES = (
    (_LARGE_TEXT, ((20e6, DEFAULT_HIDDEN_SIZE), (40e6, 384), (float("inf"), _WIDE))),
    (200_000, ((150e6, DEFAULT_HIDDEN_SIZE), (float("inf"), _WIDE))),
    (0, ((float("inf"), DEFAULT_HIDDEN_SIZE),)),
)
"""(smallest training split in tokens, ((most tokens read, hidden_size), ...)), where the tokens read are those that a
network of 256 units reads in the run. In a short run a narrow network learns more. Wide ones were measured on texts of
450,000 tokens and more."""
_RELATIVE_SPEEDS = ((DEFAULT_HIDDEN_SIZE, 1.0), (384, 0.6), (float("inf"), 0.4))
"""(largest hidden_size, tokens per second relative to 256 units)."""
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
_SEQUENCES_OF_FINE_TUNING = 16
"""The fewest per step."""
_LONG_DOCUMENT = 200  # tokens; in shorter ones little is repeated, and with a large vocabulary a match takes too long
_TOKENS_PER_CONTEXT_VECTOR = 200  # tokens of the training split
_TOKENS_PER_STEP = 2048
_TOKENS_PER_STEP_OF_LARGE = 1024  # for a large vocabulary, whose tokens carry more information and take longer
_MAX_LOGITS = 1 << 24  # in a step, to bound memory
_MOST_TOKENS_OF_FULL_SOFTMAX = 10_000
_SOFTMAX_SAMPLES = 2048  # for a larger vocabulary, whose output layer would take most of the time
_MIN_STEPS_PER_PASS = 100
_SEQUENCES = (8, 512)  # fewest and most per step
_SEQ_LEN_OF_WIDE = 64
_SEQ_LEN_OF_OTHERS = 64  # of a transformer or convolutions, which read the tokens of a window side by side
_SHARE_OF_STEPS = 0.8  # of the time of a run; n-grams, validations and files take the rest


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
    fine_tuning: bool
    """Whether the network has learnt from another text."""
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


def tokens_per_sequence(config: TrainConfig, tokens: int, documents: int) -> int:
    """Approximate tokens of a sequence in a step: T, or the mean length of a document if that is shorter."""
    return min(config.seq_len, max(1, tokens // max(1, documents)))


def softmax_samples_for(vocab_size: int, *, match: bool) -> int:
    """How many logits a step computes; 0 for all, which a match needs."""
    return 0 if match or vocab_size <= _MOST_TOKENS_OF_FULL_SOFTMAX else _SOFTMAX_SAMPLES


def sequences_per_step(
    config: TrainConfig, *, tokens: int, documents: int, vocab_size: int, on_gpu: bool = False
) -> int:
    """Batch size B for a training split: larger for short documents and on a GPU, smaller for a small text, and small
    enough that the logits of a large vocabulary fit the memory."""
    preferred = _TOKENS_PER_STEP if vocab_size <= SMALL_VOCABULARY else _TOKENS_PER_STEP_OF_LARGE
    if on_gpu:
        preferred = max(preferred, gpu_budget.tokens_per_step(tokens))
    logits = min(vocab_size, config.softmax_samples or vocab_size)
    tokens_per_step = min(preferred, _MAX_LOGITS // logits, tokens // _MIN_STEPS_PER_PASS)
    sequences = tokens_per_step // tokens_per_sequence(config, tokens, documents)
    fewest, most = _SEQUENCES
    return min(most, max(fewest, sequences // 8 * 8))


def hidden_size_for(tokens: int, tokens_read: float) -> int:
    """H for a training split of `tokens`; a network of 256 units would read `tokens_read` in the run."""
    return _value_for(tokens_read, next(sizes for smallest, sizes in _HIDDEN_SIZES if tokens >= smallest))


def context_vectors_for(tokens: int, *, ngram_order: int) -> int:
    """How many frequent n-grams have a vector; with more of them a small text would be memorised."""
    if ngram_order < LEAST_ORDER_OF_CONTEXTS:
        return 0
    return min(MAX_CONTEXT_VECTORS, tokens // _TOKENS_PER_CONTEXT_VECTOR)


def settings_for(
    *,
    tokens: int,
    passes: float,
    characters: int | None = None,
    hidden_size: int = DEFAULT_HIDDEN_SIZE,
    network: NetworkKind = DEFAULT_NETWORK,
    cell: str = DEFAULT_CELL,
    fine_tuning: bool = False,
) -> AutotunedSettings:
    """Regularisation, optimiser and learning rate; they don't depend on the machine.

    Args:
        tokens: number of tokens in the training split.
        passes: how often the network reads each of them, approximately.
        characters: number of characters in the training split; None means one per token.
        hidden_size: H, the width of the hidden state.
        network: the kind of network.
        cell: name of the cell. Weight dropout was measured for the LSTM and is used for it only.
        fine_tuning: whether the network has learnt from another text; it then needs less regularisation.
    """
    passes_per_million = passes * 1e6 / tokens if passes > 1 else 0.0
    dropout, weight_dropout, averaging = _value_for(
        passes_per_million, _REGULARISATION_OF_WIDE if hidden_size >= _WIDE else _REGULARISATION
    )
    if fine_tuning:
        dropout, weight_dropout = min(dropout, _MOST_DROPOUT_OF_FINE_TUNING), 0.0
    rate, why_this_rate = _learning_rate(characters or tokens, hidden_size, fine_tuning=fine_tuning)
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
        fine_tuning=fine_tuning,
        reasons=reasons,
    )


def _learning_rate(characters: int, hidden_size: int, *, fine_tuning: bool) -> tuple[float, str]:
    """The learning rate for a text of this many characters, and why."""
    lowest, highest, small = _LOWEST_RATE, _value_for(hidden_size, _HIGHEST_RATES), _SMALL_TEXT
    if fine_tuning:
        (lowest, highest), small = _FINE_TUNING_RATES, _SMALL_TEXT_OF_FINE_TUNING
    rate = float(f"{min(highest, max(lowest, lowest * characters / small)):.2g}")
    if rate > lowest:
        return rate, "a larger text allows a higher learning rate"
    if fine_tuning:
        return rate, "a low learning rate forgets less"
    if hidden_size >= _WIDE:
        return rate, "a wide network needs a low learning rate"
    return rate, "a small text needs a low learning rate"


def autotune(
    dataset: Dataset,
    config: TrainConfig,
    given: Collection[str],
    *,
    seconds: float,
    hidden_size: int | None,
    network: NetworkKind = DEFAULT_NETWORK,
    cell: str,
    ngram_order: int,
    match: bool | None = None,
    fine_tuning: bool = False,
    processes: int = 1,
) -> AutotunedSettings:
    """All automatic settings for a dataset and the length of a run: `settings_for`, and hidden size, batch and window.

    Args:
        dataset: the dataset to train on; the settings depend on its training split and vocabulary.
        config: the length of the run, and the values of the settings in `given`.
        given: names of the settings that the user has given.
        seconds: how much of the time has passed already.
        hidden_size: H; None selects it from the text.
        network: the kind of network.
        cell: name of the cell.
        ngram_order: n of the n-gram prior; 0 if there is none.
        match: whether there is a match; None if that is not given.
        fine_tuning: whether the network has learnt from another text.
        processes: how many processes share each batch; all of them measure their speed at the same time.
    """
    if network != DEFAULT_NETWORK and "seq_len" not in given:
        config = replace(config, seq_len=_SEQ_LEN_OF_OTHERS)
    facts, vocab_size = dataset.train.facts, dataset.tokenizer.vocab_size
    device = pick_device(config.device)
    text = {"tokens": facts.tokens, "documents": facts.documents}
    if "softmax_samples" not in given:
        config = replace(config, softmax_samples=softmax_samples_for(vocab_size, match=match is True))
    if "batch_size" in given:
        batch_size = config.batch_size
    else:
        batch_size = sequences_per_step(config, **text, vocab_size=vocab_size, on_gpu=device.type == "cuda")
        if fine_tuning:
            batch_size = max(batch_size, _SEQUENCES_OF_FINE_TUNING)
    window = replace(config, batch_size=batch_size)
    seq_len, tokens_per_step = mean_window(dataset.train, batch_size=batch_size, seq_len=window.seq_len)
    threads, speed = config.threads, 0.0
    if config.minutes is not None:
        optimizer = config.optimizer if "optimizer" in given else "adamw" if fine_tuning else "muon"
        timed = replace(window, batch_size=max(1, round(tokens_per_step / seq_len / processes)), optimizer=optimizer)
        began = time.monotonic()
        threads, speed = fastest_threads(vocab_size, timed, round(seq_len), network=network)
        speed *= processes
        seconds += time.monotonic() - began
    tokens_read = facts.tokens * passes_of(
        window, tokens=facts.tokens, tokens_per_step=tokens_per_step, seconds=seconds, speed=speed
    )
    selected, measured = {}, False
    if hidden_size is None:
        hidden_size = DEFAULT_SHAPES[network]["hidden_size"]
        if network == DEFAULT_NETWORK:
            hidden_size = hidden_size_for(facts.tokens, tokens_read)
            memory = gpu_budget.memory_of(device)
            if memory is not None and config.minutes is not None:
                left = max(0.0, config.minutes * 60 - seconds) * _SHARE_OF_STEPS
                text_facts = {"vocab_size": vocab_size, "tokens": facts.tokens}
                chosen = gpu_budget.wider(
                    hidden_size, cell, timed, **text_facts, seconds=left * processes, memory=memory
                )
                if chosen is not None:
                    hidden_size, speed, measured = chosen[0], chosen[1] * processes, True
        selected["hidden_size"] = hidden_size
    if hidden_size >= _WIDE:
        if "seq_len" not in given:
            window = replace(window, seq_len=_SEQ_LEN_OF_WIDE)
        long_documents = tokens_per_sequence(window, **text) == window.seq_len
        large = facts.tokens >= _LARGE_TEXT and vocab_size <= SMALL_VOCABULARY
        if "batch_size" not in given and long_documents and large and not fine_tuning:
            window = replace(window, batch_size=min(_SEQUENCES[1], 2 * batch_size))
    _, tokens_per_step = mean_window(dataset.train, batch_size=window.batch_size, seq_len=window.seq_len)
    if not measured:
        speed *= _value_for(hidden_size, _RELATIVE_SPEEDS)
    passes = passes_of(window, tokens=facts.tokens, tokens_per_step=tokens_per_step, seconds=seconds, speed=speed)
    settings = settings_for(
        tokens=facts.tokens,
        characters=facts.characters,
        passes=passes,
        hidden_size=hidden_size,
        network=network,
        cell=cell,
        fine_tuning=fine_tuning,
    )
    if threads != config.threads:
        used = f"{threads} {'thread was' if threads == 1 else 'threads were'}"
        settings.reasons["threads"] = f"{used} faster than more, because other programs are using the CPU"
    small = vocab_size <= SMALL_VOCABULARY and not window.softmax_samples
    matches = ngram_order > 0 and small and facts.tokens >= _LONG_DOCUMENT * facts.documents
    if matches and native_library() is None:
        matches = False
        settings.reasons["match"] = "a match would take too long without a C compiler"
    return replace(
        settings,
        model=selected
        | settings.model
        | {
            "context_vectors": context_vectors_for(facts.tokens, ngram_order=ngram_order),
            "match": matches,
            "recent": matches,
        },
        training={"batch_size": window.batch_size}
        | settings.training
        | {"seq_len": window.seq_len, "softmax_samples": window.softmax_samples}
        | ({} if threads is None else {"threads": threads}),
    )


def _value_for(size: float, values: tuple[tuple[float, _Value], ...]) -> _Value:
    """The value of the first pair (limit, value) whose limit is at least `size`."""
    return next(value for limit, value in values if size <= limit)


def passes_of(config: TrainConfig, *, tokens: int, tokens_per_step: float, seconds: float, speed: float) -> float:
    """Approximately how often a run reads each token of the training split.

    Args:
        config: the lengths of the run, of which the shortest counts.
        tokens: number of tokens in the training split.
        tokens_per_step: from `charlm.data.windows.mean_window`.
        seconds: how much of the time has passed already.
        speed: tokens per second on this machine, from `fastest_threads`; counts for `config.minutes` only.
    """
    passes = []
    if config.epochs is not None:
        passes.append(config.epochs)
    if config.steps is not None:
        passes.append(config.steps * tokens_per_step / tokens)
    if config.minutes is not None:
        passes.append(max(0.0, config.minutes * 60 - seconds) * _SHARE_OF_STEPS * speed / tokens)
    return min(passes)
