"""How fast this machine trains, and with how many threads: a few timed steps before a run."""

import math
import time
from dataclasses import replace
from statistics import median

import numpy as np
import torch

from charlm.config import ModelConfig, Precision, TrainConfig
from charlm.data.windows import Cursor, Window
from charlm.model.device import pick_device
from charlm.model.language_model import LanguageModel
from charlm.model.loss import window_loss
from charlm.model.precision import training_precision
from charlm.model.sampled_softmax import TokenSampler
from charlm.training.optimizers import Optimizers

_BENCHMARK_STEPS = (3, 8)  # warm-up steps and timed steps
_BENCHMARK_SHARE = 0.01  # of the minutes of a run: the longest that the timing may take
_GAIN_OF_FEWER_THREADS = 1.2  # in speed, for which fewer threads are chosen
_GAIN_OF_FLOAT32 = 1.1  # in speed, for which float32 is chosen


def fastest_threads(network: ModelConfig, config: TrainConfig, seq_len: int) -> tuple[int | None, float]:
    """The number of threads to train with, and its `tokens_per_second`; None for the number that torch has chosen.

    Fewer threads are chosen if they are much faster. That happens next to other programs, where every thread waits for
    one that has lost its core.
    """
    available = threads = torch.get_num_threads()
    speed = tokens_per_second(network, config, seq_len)
    if config.threads is not None or pick_device(config.device).type != "cpu":
        return config.threads, speed
    while threads > 1:
        torch.set_num_threads(threads // 2)
        gain = tokens_per_second(network, config, seq_len) / speed
        if gain < _GAIN_OF_FEWER_THREADS:
            break
        threads, speed = threads // 2, speed * gain
    torch.set_num_threads(threads)
    return (None if threads == available else threads), speed


def fastest_precision(
    network: ModelConfig, config: TrainConfig, seq_len: int, speed: float
) -> tuple[Precision | None, float]:
    """The precision to train with, and its `tokens_per_second`; None for that of `config`, whose speed is given.

    Some processors have instructions for bfloat16 that are slower than those for float32, which is then chosen. A
    network without a kernel for bfloat16 computes in float32 anyway.
    """
    if config.precision != "auto" or pick_device(config.device).type != "cpu":
        return None, speed
    with torch.device("meta"):
        model = LanguageModel(network)
    if not model.network.has_bfloat16_kernel:
        return None, speed
    in_float32 = tokens_per_second(network, replace(config, precision="float32"), seq_len)
    return ("float32", in_float32) if in_float32 > _GAIN_OF_FLOAT32 * speed else (None, speed)


def tokens_per_second(
    network: ModelConfig, config: TrainConfig, seq_len: int, *, most_seconds: float = math.inf
) -> float:
    """Training speed on this machine, from a few steps on B sequences of `seq_len` random tokens.

    Args:
        network: the model, without n-gram prior and labels.
        config: B, optimiser, device and precision. On a busy machine there are fewer steps, so that they take a small
            part of the run's minutes.
        seq_len: T.
        most_seconds: how long the steps may take.
    """
    generator = torch.Generator().manual_seed(0)
    model = LanguageModel(network)
    model.initialise(generator)
    device = pick_device(config.device)
    model.to(device)
    optimizers = Optimizers(model, config)
    ids = torch.randint(network.vocab_size, (seq_len + 1, config.batch_size), generator=generator)  # (T + 1, B)
    starts = np.zeros(config.batch_size, np.int64)
    window = Window(ids[:-1], ids[1:], True, ids[1:].numel(), starts, Cursor())
    sampler = (
        TokenSampler(np.ones(network.vocab_size, np.int64), config.softmax_samples) if config.softmax_samples else None
    )
    dropout_generator = torch.Generator(device).manual_seed(0)
    warm_up, timed = _BENCHMARK_STEPS
    seconds: list[float] = []
    most = min(most_seconds, _BENCHMARK_SHARE * 60 * (config.minutes or math.inf))
    while len(seconds) < warm_up + timed and (len(seconds) < 2 or sum(seconds) < most):
        started = time.perf_counter()
        with training_precision(model, config.precision):
            loss, _ = window_loss(model, window, None, generator=dropout_generator, sampler=sampler)
        optimizers.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizers.step(config.learning_rate)
        loss.item()  # waits for the device
        seconds.append(time.perf_counter() - started)
    return seq_len * config.batch_size / median(seconds[min(warm_up, len(seconds) - 1) :])
