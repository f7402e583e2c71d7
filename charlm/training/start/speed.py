"""How fast this machine trains, and with which device, threads and precision: a few timed steps before a run."""

import logging
import math
import time
from dataclasses import replace
from statistics import median

import numpy as np
import torch

from charlm.config import Device, ModelConfig, Precision, TrainConfig
from charlm.data.windows import Window
from charlm.errors import ConfigError
from charlm.model.device import is_available, pick_device
from charlm.model.language_model import LanguageModel
from charlm.model.loss import window_loss
from charlm.model.precision import training_precision
from charlm.model.sampled_softmax import TokenSampler
from charlm.processes.processes import Processes
from charlm.training.optimizers import Optimizers

logger = logging.getLogger(__name__)

_BENCHMARK_STEPS = (3, 8)  # warm-up steps and timed steps
_BENCHMARK_SHARE = 0.01  # of the minutes of a run: the longest that the timing may take
_GAIN_OF_FEWER_THREADS = 1.2  # in speed, for which fewer threads are chosen
_GAIN_OF_FLOAT32 = 1.1  # in speed, for which float32 is chosen
_DEVICE_SECONDS = 1.0  # of training steps on each device; the first step, which prepares the device, may take longer
_DEVICES: tuple[Device, ...] = ("cuda", "cpu")


def fastest_device(network: ModelConfig, config: TrainConfig, processes: Processes) -> Device:
    """The device of a run whose device is "auto": the CPU or CUDA, whichever trains faster.

    Without CUDA it is "auto", which is the CPU. Each device is timed on a few training steps, and the result is logged.
    A device that fails in them is not chosen. Of several processes all time at once, and CUDA is chosen only if each of
    them has a GPU.

    Args:
        network: the network to time, without n-gram prior and labels, whose cost is about the same on both.
        config: the settings of training; its batch and window are timed.
        processes: the processes that train together.
    """
    seen, owned = processes.total([is_available("cuda"), _has_gpu(processes)])
    if owned < processes.size:
        return "cpu" if seen else "auto"
    speeds = {device: float(processes.total([_speed_on(network, config, device)])[0]) for device in _DEVICES}
    fastest: Device = "cuda" if speeds["cuda"] > speeds["cpu"] else "cpu"
    logger.warning(
        "--device auto: training on the device %s; in a second of timing each, cuda read %s tokens per second and the "
        "CPU %s",
        fastest,
        f"{speeds['cuda']:,.0f}",
        f"{speeds['cpu']:,.0f}",
    )
    return fastest


def _has_gpu(processes: Processes) -> bool:
    """Whether there is a GPU for this process."""
    if not is_available("cuda"):
        return False
    try:
        processes.use(torch.device("cuda"))
    except ConfigError:
        return False
    return True


def _speed_on(network: ModelConfig, config: TrainConfig, device: Device) -> float:
    """Tokens per second; 0 if the device fails, for example without enough memory or with an old driver."""
    try:
        return tokens_per_second(network, replace(config, device=device), config.seq_len, most_seconds=_DEVICE_SECONDS)
    except RuntimeError as error:
        logger.warning("training on the device %s fails: %s", device, " ".join(str(error).split())[:200])
        return 0.0


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
    window = Window(
        ids=ids[:-1],
        targets=ids[1:],
        fresh=True,
        tokens=ids[1:].numel(),
        starts=np.zeros(config.batch_size, np.int64),
    )
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
