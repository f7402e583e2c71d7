"""Diverged runs: from which loss on a run counts as diverged, and the messages that say so and what to do."""

import math
import shlex

from charlm.config import TrainConfig
from charlm.storage.runs import RunFolder

_RATE = 3e-3  # the highest that is suggested
_FEW_STEPS = 10  # a run that diverges so soon after it was resumed may have been saved too late


def largest_loss(vocab_size: int) -> float:
    """Nats per token, far worse than guessing: a run whose loss is larger has diverged."""
    return 4 * math.log(vocab_size) + 4


def is_sound(loss: float, vocab_size: int) -> bool:
    """Whether the loss of a step, in nats per token, is about that of guessing or lower, so that a run can be saved."""
    return loss <= math.log(vocab_size) + 1


def divergence_message(loss: float, norm: float, step: int, config: TrainConfig) -> str:
    """The message for a diverged run, with what may help."""
    what = f"the loss became {loss:.3g} and the gradient norm {norm:.3g} at step {step}"
    clip = " or set --clip 1" if config.clip == 0 else ""
    return f"training diverged: {what}; lower --learning-rate (it is {config.learning_rate:g}){clip}"


def how_to_continue(
    run: RunFolder, config: TrainConfig, *, first_step: int, saved_step: int, diverged_step: int, kept_step: int
) -> str:
    """How to continue a diverged run, as the end of the message of `divergence_message`.

    Args:
        run: the folder of the run.
        config: the configuration with which the run diverged.
        first_step: the step from which this session continued; 0 for a new run.
        saved_step: the step of the resume file.
        diverged_step: the step at which the divergence was noticed.
        kept_step: the step of the model that is kept; 0 if there is none.
    """
    options = ["--learning-rate", f"{min(config.learning_rate / 3, _RATE):.2g}"]
    if config.clip == 0 or config.clip > 1:
        options += ["--clip", "1"]
    command = shlex.join(["charlm", "train", "--resume", "--run", str(run.path), *options])
    remedy = f": `{command}` continues from step {saved_step}"
    if 0 < first_step == saved_step and diverged_step <= first_step + _FEW_STEPS:
        source = f" from the best model with --init-from {run.path}" if kept_step > 0 else ""
        remedy += f", and if that diverges too, start a new run{source}"
    if kept_step > 0:
        remedy += f"; the best model, from step {kept_step}, is kept in {run.model}"
    return remedy
