"""Automatic settings: the size of a model and how it is trained, from the text and the length of the run.

The rule depends on the tokens and documents of the text, on the size of the vocabulary, and on how often the run reads
each token. It is fitted to the measurements in docs/notes/autotune.md.
"""

import time
from collections.abc import Collection
from dataclasses import replace

from charlm.config import (
    DEFAULT_HIDDEN_SIZE,
    DEFAULT_NETWORK,
    LEAST_ORDER_OF_CONTEXTS,
    MAX_CONTEXT_VECTORS,
    SMALL_VOCABULARY,
    ModelConfig,
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
    if network.network != DEFAULT_NETWORK and "seq_len" not in given:
        config = replace(config, seq_len=_SEQ_LEN_OF_OTHERS)
    facts, vocab_size = dataset.train.facts, network.vocab_size
    is_pairs = dataset.train.targets is not None
    device = pick_device(config.device)
    text = {"tokens": facts.tokens, "documents": facts.documents}
    if "softmax_samples" not in given:
        config = replace(config, softmax_samples=softmax_samples_for(vocab_size, match=match is True))
    if "batch_size" in given:
        batch_size = config.batch_size
    else:
        batch_size = sequences_per_step(config, **text, vocab_size=vocab_size, on_gpu=device.type == "cuda")
        if is_pairs:
            batch_size = _SEQUENCES_OF_PAIRS
        if fine_tuning:
            batch_size = max(batch_size, _SEQUENCES_OF_FINE_TUNING)
    window = replace(config, batch_size=batch_size)
    seq_len, tokens_per_step = mean_window(dataset.train, batch_size=batch_size, seq_len=window.seq_len)
    threads, precision, speed = config.threads, None, 0.0
    if config.minutes is not None:
        optimizer = config.optimizer if "optimizer" in given else "adamw" if fine_tuning else "muon"
        timed = replace(window, batch_size=max(1, round(tokens_per_step / seq_len / processes)), optimizer=optimizer)
        began = time.monotonic()
        threads, speed = fastest_threads(network, timed, round(seq_len))
        precision, speed = fastest_precision(network, timed, round(seq_len), speed)
        timed = replace(timed, precision=precision or timed.precision)
        seconds += time.monotonic() - began
    if not is_width_given and network.network == DEFAULT_NETWORK:
        tokens_read = facts.tokens * passes_of(
            window, tokens=facts.tokens, tokens_per_step=tokens_per_step, seconds=seconds, speed=speed * processes
        )
        width = hidden_size_for(facts.tokens, tokens_read)
        if width != network.hidden_size:
            network = with_width(network, width)
            if config.minutes is not None:
                speed = tokens_per_second(network, timed, round(seq_len))
        memory = gpu_budget.memory_of(device)
        if memory is not None and config.minutes is not None:
            left = max(0.0, config.minutes * 60 - seconds) * _SHARE_OF_STEPS * processes
            chosen = gpu_budget.wider(network, timed, tokens=facts.tokens, seconds=left, memory=memory)
            if chosen is not None:
                network, speed = chosen
    hidden_size = network.hidden_size
    if hidden_size >= WIDE:
        if "seq_len" not in given:
            window = replace(window, seq_len=_SEQ_LEN_OF_WIDE)
        long_documents = tokens_per_sequence(window, **text) == window.seq_len
        large = facts.tokens >= _LARGE_TEXT and vocab_size <= SMALL_VOCABULARY
        if "batch_size" not in given and long_documents and large and not fine_tuning:
            window = replace(window, batch_size=min(_SEQUENCES[1], 2 * batch_size))
    _, tokens_per_step = mean_window(dataset.train, batch_size=window.batch_size, seq_len=window.seq_len)
    passes = passes_of(
        window, tokens=facts.tokens, tokens_per_step=tokens_per_step, seconds=seconds, speed=speed * processes
    )
    settings = settings_for(
        tokens=facts.tokens,
        characters=facts.characters,
        passes=passes,
        hidden_size=hidden_size,
        network=network.network,
        cell=network.cell,
        fine_tuning=fine_tuning,
        is_pairs=is_pairs,
    )
    if threads != config.threads:
        used = f"{threads} {'thread was' if threads == 1 else 'threads were'}"
        settings.reasons["threads"] = f"{used} faster than more, because other programs are using the CPU"
    if precision is not None:
        settings.reasons["precision"] = f"{precision} is faster than bfloat16 on this processor"
    small = vocab_size <= SMALL_VOCABULARY and not window.softmax_samples
    matches = ngram_order > 0 and small and facts.tokens >= _LONG_DOCUMENT * facts.documents
    if matches and native_library() is None:
        matches = False
        settings.reasons["match"] = "a match would take too long without a C compiler"
    return replace(
        settings,
        model=({} if is_width_given else {"hidden_size": hidden_size})
        | settings.model
        | {
            "context_vectors": context_vectors_for(facts.tokens, ngram_order=ngram_order),
            "match": matches,
            "recent": matches,
        },
        training={"batch_size": window.batch_size}
        | settings.training
        | {"seq_len": window.seq_len, "softmax_samples": window.softmax_samples}
        | ({} if threads is None else {"threads": threads})
        | ({} if precision is None else {"precision": precision}),
    )


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
