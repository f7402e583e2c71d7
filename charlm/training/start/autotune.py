"""All automatic settings of a run, from the text, the length of the run, and the speed of the machine.

The width of the network, its context vectors and whether it has a match are selected here; the batch in
`charlm.training.start.batch`, regularisation and learning rate in `charlm.training.start.settings`. The rules are
fitted to the measurements in docs/notes/autotune.md.
"""

import time
from collections.abc import Collection
from dataclasses import replace
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
from charlm.data.token_split import TokenSplit
from charlm.data.windows import mean_window
from charlm.model.device import pick_device
from charlm.ngram.native_code import native_library
from charlm.nouns import count_of, form_for
from charlm.training.start import gpu_budget
from charlm.training.start.batch import LARGE_TEXT, with_batch, with_batch_of_wide
from charlm.training.start.settings import (
    WIDE,
    AutotunedSettings,
    TrainingTask,
    optimizer_for,
    settings_for,
    value_for,
)
from charlm.training.start.speed import fastest_precision, fastest_threads, tokens_per_second

_HIDDEN_SIZES = (
    (LARGE_TEXT, ((20e6, DEFAULT_HIDDEN_SIZE), (40e6, 384), (float("inf"), WIDE))),
    (200_000, ((150e6, DEFAULT_HIDDEN_SIZE), (float("inf"), WIDE))),
    (0, ((float("inf"), DEFAULT_HIDDEN_SIZE),)),
)
"""(smallest training split in tokens, ((most tokens read, hidden_size), ...)), where the tokens read are those that a
network of 256 units reads in the run. In a short run a narrow network learns more. Wide ones were measured on texts of
450,000 tokens and more."""
_TOKENS_TO_REPEAT = 25  # of a document on average; in shorter ones, such as names, hardly anything is repeated
_TOKENS_PER_CONTEXT_VECTOR = 200  # tokens of the training split
_SHARE_OF_STEPS = 0.8  # of the time of a run; n-grams, validations and files take the rest
_SECONDS_OF_PRIOR, _SECONDS_OF_MATCH = 4e-6, 4e-6  # what they add to the time of a token, on two cores of 2023


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
    """All automatic settings for a dataset and the length of a run.

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
    train, device = dataset.train, pick_device(config.device)
    tokens = train.facts.tokens
    config = with_batch(
        dataset,
        config,
        given,
        network=network,
        match=match is True,
        fine_tuning=fine_tuning,
        on_gpu=device.type == "cuda",
    )
    began = time.monotonic()
    optimizer = config.optimizer if "optimizer" in given else optimizer_for(fine_tuning=fine_tuning)
    timing = _timing_of(network, replace(config, optimizer=optimizer), train, processes)
    seconds += time.monotonic() - began
    if not is_width_given and network.network == DEFAULT_NETWORK:
        passes = passes_of(config, train, seconds=seconds, speed=timing.speed * processes)
        network, timing = _with_best_width(
            network, timing, tokens=tokens, passes=passes, seconds=seconds, processes=processes, device=device
        )
    if network.hidden_size >= WIDE:
        config = with_batch_of_wide(dataset, config, given, vocab_size=network.vocab_size, fine_tuning=fine_tuning)
    match_helps = ngram_order > 0 and _match_helps(dataset, config, network.vocab_size)
    has_match = match_helps and native_library() is not None
    speed = _speed_with(timing.speed, prior=ngram_order > 0, match=has_match) * processes
    task = TrainingTask(
        tokens=tokens,
        characters=train.facts.characters,
        hidden_size=network.hidden_size,
        network=network.network,
        cell=network.cell,
        has_prior=ngram_order > 0,
        fine_tuning=fine_tuning,
        is_pairs=train.targets is not None,
    )
    settings = settings_for(task, passes_of(config, train, seconds=seconds, speed=speed))
    reasons = timing.reasons(config)
    if match_helps and not has_match:
        reasons["match"] = "a match would take too long without a C compiler"
    return replace(
        settings,
        model=({} if is_width_given else {"hidden_size": network.hidden_size})
        | settings.model
        | {
            "context_vectors": context_vectors_for(tokens, ngram_order=ngram_order),
            "match": has_match,
            "recent": has_match,
        },
        training={"batch_size": config.batch_size}
        | settings.training
        | {"seq_len": config.seq_len, "softmax_samples": config.softmax_samples}
        | ({} if timing.threads is None else {"threads": timing.threads})
        | ({} if timing.precision is None else {"precision": timing.precision}),
        reasons=settings.reasons | reasons,
    )


def hidden_size_for(tokens: int, tokens_read: float) -> int:
    """H for a training split of `tokens`; a network of 256 units would read `tokens_read` in the run."""
    return value_for(tokens_read, next(sizes for smallest, sizes in _HIDDEN_SIZES if tokens >= smallest))


def context_vectors_for(tokens: int, *, ngram_order: int) -> int:
    """How many frequent n-grams have a vector; with more of them a small text would be memorised."""
    if ngram_order < LEAST_ORDER_OF_CONTEXTS:
        return 0
    return min(MAX_CONTEXT_VECTORS, tokens // _TOKENS_PER_CONTEXT_VECTOR)


def passes_of(config: TrainConfig, split: TokenSplit, *, seconds: float, speed: float) -> float:
    """Approximately how often a run reads each token of its training split.

    Args:
        config: the lengths of the run, of which the shortest counts, and its batch.
        split: the training split.
        seconds: how much of the time has passed already.
        speed: tokens per second of all processes; counts for `config.minutes` only.
    """
    tokens = split.facts.tokens
    passes = []
    if config.epochs is not None:
        passes.append(config.epochs)
    if config.steps is not None:
        _, tokens_per_step = mean_window(split, batch_size=config.batch_size, seq_len=config.seq_len)
        passes.append(config.steps * tokens_per_step / tokens)
    if config.minutes is not None:
        passes.append(max(0.0, config.minutes * 60 - seconds) * _SHARE_OF_STEPS * speed / tokens)
    return min(passes)


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

    def reasons(self, config: TrainConfig) -> dict[str, str]:
        """Why the threads and the precision are not those of `config`, by the name of the setting."""
        reasons = {}
        if self.threads is not None and self.threads != config.threads:
            used = f"{count_of(self.threads, 'thread')} {form_for(self.threads, 'was', 'were')}"
            reasons["threads"] = f"{used} faster than more, because other programs are using the CPU"
        if self.precision is not None:
            reasons["precision"] = f"{self.precision} is faster than bfloat16 on this processor"
        return reasons


def _timing_of(network: ModelConfig, config: TrainConfig, split: TokenSplit, processes: int) -> _Timing:
    """The timing of a network with the threads and the precision that are fastest, on a step like those of the run."""
    mean_length, tokens_per_step = mean_window(split, batch_size=config.batch_size, seq_len=config.seq_len)
    seq_len = round(mean_length)
    if config.minutes is None:
        return _Timing(config, seq_len, config.threads, None, 0.0)
    config = replace(config, batch_size=max(1, round(tokens_per_step / mean_length / processes)))
    threads, speed = fastest_threads(network, config, seq_len)
    precision, speed = fastest_precision(network, config, seq_len, speed)
    return _Timing(replace(config, precision=precision or config.precision), seq_len, threads, precision, speed)


def _speed_with(speed: float, *, prior: bool, match: bool) -> float:
    """The tokens per second of a network with an n-gram prior and a match; `speed` is that of the network alone."""
    return speed / (1 + speed * (_SECONDS_OF_PRIOR * prior + _SECONDS_OF_MATCH * match))


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
    """Whether a match lowers the loss for its time: documents are long enough to repeat things, and the vocabulary is
    small, since a match needs the logits of all tokens."""
    facts = dataset.train.facts
    small = vocab_size <= SMALL_VOCABULARY and not config.softmax_samples
    return small and facts.tokens >= _TOKENS_TO_REPEAT * facts.documents
