"""Automatic settings: the size of a model and how it is trained, from the text and the length of the run.

The rule depends on the tokens and documents of the text, on the size of the vocabulary, and on how often the run reads
each token. It is fitted to the measurements in docs/notes/autotune.md.
"""

import time
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch

from charlm.config import (
    DEFAULT_HIDDEN_SIZE,
    DEFAULT_NETWORK,
    LEAST_ORDER_OF_CONTEXTS,
    MAX_CONTEXT_VECTORS,
    SMALL_VOCABULARY,
    ModelConfig,
    Precision,
    TrainConfig,
    with_width,
)
from charlm.data.dataset import Dataset
from charlm.data.windows import mean_window
from charlm.model.device import pick_device
from charlm.ngram.native_code import native_library
from charlm.training.start import gpu_budget
from charlm.training.start.settings import WIDE, AutotunedSettings, settings_for, value_for
from charlm.training.start.speed import fastest_precision, fastest_threads, tokens_per_second

_LARGE_TEXT = 2_000_000  # tokens
_HIDDEN_SIZES = (
    (_LARGE_TEXT, ((20e6, DEFAULT_HIDDEN_SIZE), (40e6, 384), (float("inf"), WIDE))),
    (200_000, ((150e6, DEFAULT_HIDDEN_SIZE), (float("inf"), WIDE))),
    (0, ((float("inf"), DEFAULT_HIDDEN_SIZE),)),
)
"""(smallest training split in tokens, ((most tokens read, hidden_size), ...)), where the tokens read are those that a
network of 256 units reads in the run. In a short run a narrow network learns more. Wide ones were measured on texts of
450,000 tokens and more."""
_SEQUENCES_OF_FINE_TUNING = 16
"""The fewest per step."""
_SEQUENCES_OF_PAIRS = 32
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
_SECONDS_OF_PRIOR, _SECONDS_OF_MATCH = 4e-6, 4e-6  # what they add to the time of a token, on two cores of 2023


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
    return value_for(tokens_read, next(sizes for smallest, sizes in _HIDDEN_SIZES if tokens >= smallest))


def context_vectors_for(tokens: int, *, ngram_order: int) -> int:
    """How many frequent n-grams have a vector; with more of them a small text would be memorised."""
    if ngram_order < LEAST_ORDER_OF_CONTEXTS:
        return 0
    return min(MAX_CONTEXT_VECTORS, tokens // _TOKENS_PER_CONTEXT_VECTOR)


def autotune(
    dataset: Dataset,
    config: TrainConfig,
    given: Collection[str],
    *,
    seconds: float,
    network: ModelConfig,
    is_width_given: bool,
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
        network: the network, without n-gram prior and labels.
        is_width_given: whether its width is fixed; otherwise H is selected from the text.
        ngram_order: n of the n-gram prior; 0 if there is none.
        match: whether there is a match; None if that is not given.
        fine_tuning: whether the network has learnt from another text.
        processes: how many processes share each batch; all of them measure their speed at the same time.
    """
    facts = dataset.train.facts
    is_pairs = dataset.train.targets is not None
    device = pick_device(config.device)
    window = _window_for(
        dataset, config, given, network=network, match=match is True, fine_tuning=fine_tuning, device=device
    )
    seq_len, tokens_per_step = mean_window(dataset.train, batch_size=window.batch_size, seq_len=window.seq_len)
    timing = _Timing(window, round(seq_len), config.threads, None, 0.0)
    if config.minutes is not None:
        optimizer = config.optimizer if "optimizer" in given else "adamw" if fine_tuning else "muon"
        timed = replace(window, batch_size=max(1, round(tokens_per_step / seq_len / processes)), optimizer=optimizer)
        began = time.monotonic()
        timing = _timing_of(network, timed, round(seq_len))
        seconds += time.monotonic() - began
    passes_with = partial(passes_of, tokens=facts.tokens, seconds=seconds)
    if not is_width_given and network.network == DEFAULT_NETWORK:
        passes = passes_with(window, tokens_per_step=tokens_per_step, speed=timing.speed * processes)
        network, timing = _with_best_width(
            network, timing, tokens=facts.tokens, passes=passes, seconds=seconds, processes=processes, device=device
        )
    if network.hidden_size >= WIDE:
        window = _window_for_wide(dataset, window, given, vocab_size=network.vocab_size, fine_tuning=fine_tuning)
    _, tokens_per_step = mean_window(dataset.train, batch_size=window.batch_size, seq_len=window.seq_len)
    match_helps = ngram_order > 0 and _match_helps(dataset, window, network.vocab_size)
    matches = match_helps and native_library() is not None
    speed = _speed_with(timing.speed, prior=ngram_order > 0, match=matches) * processes
    settings = settings_for(
        tokens=facts.tokens,
        characters=facts.characters,
        passes=passes_with(window, tokens_per_step=tokens_per_step, speed=speed),
        hidden_size=network.hidden_size,
        network=network.network,
        cell=network.cell,
        has_prior=ngram_order > 0,
        fine_tuning=fine_tuning,
        is_pairs=is_pairs,
    )
    if timing.threads != config.threads:
        used = f"{timing.threads} {'thread was' if timing.threads == 1 else 'threads were'}"
        settings.reasons["threads"] = f"{used} faster than more, because other programs are using the CPU"
    if timing.precision is not None:
        settings.reasons["precision"] = f"{timing.precision} is faster than bfloat16 on this processor"
    if match_helps and not matches:
        settings.reasons["match"] = "a match would take too long without a C compiler"
    return replace(
        settings,
        model=({} if is_width_given else {"hidden_size": network.hidden_size})
        | settings.model
        | {
            "context_vectors": context_vectors_for(facts.tokens, ngram_order=ngram_order),
            "match": matches,
            "recent": matches,
        },
        training={"batch_size": window.batch_size}
        | settings.training
        | {"seq_len": window.seq_len, "softmax_samples": window.softmax_samples}
        | ({} if timing.threads is None else {"threads": timing.threads})
        | ({} if timing.precision is None else {"precision": timing.precision}),
    )


class _Timing(NamedTuple):
    """How fast a network trains on this machine."""

    config: TrainConfig
    """The settings of the timed steps."""
    seq_len: int
    """Tokens in a row of them."""
    threads: int | None
    """The threads to train with; None for the number that torch has chosen."""
    precision: Precision | None
    """The precision to train in; None for that of the run's settings."""
    speed: float
    """Tokens per second of one process; 0 if nothing was timed, since the run has no length in minutes."""


def _timing_of(network: ModelConfig, config: TrainConfig, seq_len: int) -> _Timing:
    """The timing of a network with the threads and the precision that are fastest."""
    threads, speed = fastest_threads(network, config, seq_len)
    precision, speed = fastest_precision(network, config, seq_len, speed)
    return _Timing(replace(config, precision=precision or config.precision), seq_len, threads, precision, speed)


def _speed_with(speed: float, *, prior: bool, match: bool) -> float:
    """The tokens per second of a network with an n-gram prior and a match; `speed` is that of the network alone."""
    return speed / (1 + speed * (_SECONDS_OF_PRIOR * prior + _SECONDS_OF_MATCH * match))


def _window_for(
    dataset: Dataset,
    config: TrainConfig,
    given: Collection[str],
    *,
    network: ModelConfig,
    match: bool,
    fine_tuning: bool,
    device: torch.device,
) -> TrainConfig:
    """The settings with T, B and the number of logits in a step for a text; those in `given` stay."""
    facts = dataset.train.facts
    if network.network != DEFAULT_NETWORK and "seq_len" not in given:
        config = replace(config, seq_len=_SEQ_LEN_OF_OTHERS)
    if "softmax_samples" not in given:
        config = replace(config, softmax_samples=softmax_samples_for(network.vocab_size, match=match))
    if "batch_size" in given:
        return config
    batch_size = sequences_per_step(
        config,
        tokens=facts.tokens,
        documents=facts.documents,
        vocab_size=network.vocab_size,
        on_gpu=device.type == "cuda",
    )
    if dataset.train.targets is not None:
        batch_size = _SEQUENCES_OF_PAIRS
    if fine_tuning:
        batch_size = max(batch_size, _SEQUENCES_OF_FINE_TUNING)
    return replace(config, batch_size=batch_size)


def _window_for_wide(
    dataset: Dataset, window: TrainConfig, given: Collection[str], *, vocab_size: int, fine_tuning: bool
) -> TrainConfig:
    """The settings with T and B for a wide network, from those for any other; those in `given` stay."""
    facts, batch_size = dataset.train.facts, window.batch_size
    if "seq_len" not in given:
        window = replace(window, seq_len=_SEQ_LEN_OF_WIDE)
    long_documents = tokens_per_sequence(window, facts.tokens, facts.documents) == window.seq_len
    large = facts.tokens >= _LARGE_TEXT and vocab_size <= SMALL_VOCABULARY
    if "batch_size" not in given and long_documents and large and not fine_tuning:
        window = replace(window, batch_size=min(_SEQUENCES[1], 2 * batch_size))
    return window


def _with_best_width(
    network: ModelConfig,
    timing: _Timing,
    *,
    tokens: int,
    passes: float,
    seconds: float,
    processes: int,
    device: torch.device,
) -> tuple[ModelConfig, _Timing]:
    """The network with H for a training split of `tokens`, which the run reads `passes` times, and its timing."""
    minutes = timing.config.minutes
    width = hidden_size_for(tokens, tokens * passes)
    if width != network.hidden_size:
        network = with_width(network, width)
        if minutes is not None:
            timing = timing._replace(speed=tokens_per_second(network, timing.config, timing.seq_len))
    memory = gpu_budget.memory_of(device)
    if memory is not None and minutes is not None:
        left = max(0.0, minutes * 60 - seconds) * _SHARE_OF_STEPS * processes
        chosen = gpu_budget.wider(network, timing.config, tokens=tokens, seconds=left, memory=memory)
        if chosen is not None:
            network, timing = chosen[0], timing._replace(speed=chosen[1])
    return network, timing


def _match_helps(dataset: Dataset, config: TrainConfig, vocab_size: int) -> bool:
    """Whether a match lowers the loss for its time: a small vocabulary, and documents long enough to repeat things."""
    facts = dataset.train.facts
    small = vocab_size <= SMALL_VOCABULARY and not config.softmax_samples
    return small and facts.tokens >= _LONG_DOCUMENT * facts.documents


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
