"""Published ways to train that charlm doesn't have, each against the automatic settings at equal tokens.

    python benchmarks/variants.py TEXT [--steps 2500] [--seeds 1 2 3] [--variants rule zoneout-0.2] [--threads 1]

Makes the figures of docs/notes/experiments.md, section "Other ways to train"; "rule" is training by the rule of
docs/notes/autotune.md. Each variant is patched in from outside, so that charlm has no option that doesn't pay. TEXT is
split 90/10/0. A row shows validation of the kept model, calibrated, in nats per token: for each seed, the mean, and its
difference from the rule's.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any, cast
from unittest.mock import patch

import numpy as np
import torch
from results import Results, add_option
from runs import name_of, start
from torch import Tensor

from charlm.api import train_run
from charlm.cells import LayerStates, State
from charlm.config import TrainOptions
from charlm.data.windows import IGNORE, Window, training_windows
from charlm.model import layers
from charlm.model.layers import RecurrentLayer
from charlm.model.networks.recurrent import Recurrent
from charlm.training import optimizers, steps
from charlm.training.optimizers import Muon, Optimizers
from charlm.training.schedule import learning_rate


def in_training() -> bool:
    """Whether the model is being trained: validation keeps no gradients."""
    return torch.is_grad_enabled()


def activations(alpha: float, beta: float) -> AbstractContextManager[Any]:
    """Add to the loss alpha times the mean square of the outputs and beta times that of their changes from step to step
    (Merity, McCann and Socher 2017, arXiv 1708.01009); both are taken after dropout here."""
    before = Recurrent.forward

    def forward(self: Recurrent, *args: Any) -> tuple[Tensor, LayerStates]:
        hidden, after = before(self, *args)
        if in_training():
            h = hidden.detach()
            gradient = 2 * alpha * h / h.numel()
            change = 2 * beta * h.diff(dim=0) / h.numel()
            gradient[1:] += change
            gradient[:-1] -= change
            hidden.register_hook(gradient.add)  # type: ignore[no-untyped-call]
        return hidden, after

    return patch.object(Recurrent, "forward", forward)


@contextmanager
def zoneout(of_c: float, of_h: float) -> Iterator[None]:
    """Keep the last value of each unit of a state with a probability, and in scoring take the expected value (Krueger
    et al. 2016, arXiv 1606.01305)."""

    def mixed(old: Tensor, new: Tensor, keep: float, generator: torch.Generator | None) -> Tensor:
        if in_training():
            return torch.where(torch.empty_like(old).bernoulli_(keep, generator=generator) > 0, old, new)
        return old.lerp(new, 1 - keep)

    def forward(
        self: RecurrentLayer, x: Tensor, state: State, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        weights, outputs = self._weights(generator), []
        for moment in x:
            h, c = self.cell.step(moment, state, weights)
            state = (mixed(state[0], h, of_h, generator), mixed(state[1], c, of_c, generator))
            outputs.append(state[0])
        return torch.stack(outputs), state

    def read_tokens(
        self: RecurrentLayer,
        ids: Tensor,
        embedding: Tensor,
        state: State,
        generator: torch.Generator | None = None,
        added: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        return forward(self, layers.embed(ids, embedding, added), state, generator)

    with patch.object(RecurrentLayer, "forward", forward), patch.object(RecurrentLayer, "read_tokens", read_tokens):
        yield


def noise(share: float) -> AbstractContextManager[Any]:
    """Replace a share of the input tokens by others of the window, which are drawn by their frequency (Xie et al. 2017,
    arXiv 1703.02573, unigram noising); the n-gram prior and the n-gram embedding see the true tokens."""
    before, generator = layers.embed, torch.Generator().manual_seed(0)

    def embed(ids: Tensor, embedding: Tensor, added: Tensor | None = None) -> Tensor:
        if in_training():
            others = ids.flatten()[torch.randperm(ids.numel(), generator=generator)].view_as(ids)
            ids = torch.where(torch.rand(ids.shape, generator=generator) < share, others, ids)
        return before(ids, embedding, added)

    return patch.object(layers, "embed", embed)


def one_cycle(times: float) -> AbstractContextManager[Any]:
    """Raise the learning rate over the first 0.3 of the run to a multiple of the rule's, then lower it by a cosine to 0
    (Smith and Topin 2018, arXiv 1708.07120)."""

    def rate(progress: float, *, peak: float, warmup: float, final: float) -> float:
        return learning_rate(progress, peak=times * peak, warmup=0.3, final=0.0)

    return patch.object(steps, "learning_rate", rate)


def random_lengths() -> AbstractContextManager[Any]:
    """Cut every window in two at a random place in its middle half (Merity, Keskar and Socher 2018, arXiv 1708.02182,
    vary the length too)."""
    generator = np.random.default_rng(0)

    def windows(*args: Any, **options: Any) -> Iterator[Window]:
        for window in training_windows(*args, **options):
            quarter = len(window.ids) // 4
            at = int(generator.integers(quarter, 3 * quarter + 1))
            for first, last in ((0, at), (at, len(window.ids))):
                ids, targets = window.ids[first:last], window.targets[first:last]
                yield replace(
                    window,
                    ids=ids,
                    targets=targets,
                    fresh=window.fresh and first == 0,
                    tokens=int((targets != IGNORE).sum()),
                    starts=window.starts + first,
                )

    return patch.object(steps, "training_windows", windows)


@contextmanager
def growing_batches(most: int) -> Iterator[None]:
    """Average the gradients of one window per step, then of two, and so on up to `most`, each for an equal part of the
    run (Smith et al. 2018, arXiv 1711.00489)."""
    zero, step = Optimizers.zero_grad, Optimizers.step
    summed, wanted = 0, 1

    def rate(progress: float, **options: float) -> float:
        nonlocal wanted
        wanted = 1 + min(most - 1, int(most * progress))
        return learning_rate(progress, **options)

    def zero_grad(self: Optimizers) -> None:
        if not summed:
            zero(self)

    def step_of_several(self: Optimizers, rate: float) -> None:
        nonlocal summed
        summed += 1
        if summed >= wanted:
            for parameter in self._names:
                if parameter.grad is not None:
                    parameter.grad /= summed
            step(self, rate)
            summed = 0

    with (
        patch.object(steps, "learning_rate", rate),
        patch.object(Optimizers, "zero_grad", zero_grad),
        patch.object(Optimizers, "step", step_of_several),
    ):
        yield


class Shampoo(Muon):
    """Instead of Muon's orthogonal update, the momentum times (G'G) ** -1/2, where G'G is an average over the last
    steps (one side of Gupta, Koren and Singer 2018, arXiv 1802.09568), scaled to the norm of Muon's update."""

    decay, every = 0.95, 5

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every matrix by its gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                state, gradient = self.state[matrix], matrix.grad
                if not state:
                    size = matrix.shape[1]
                    state |= {"momentum_buffer": torch.zeros_like(matrix), "step": torch.tensor(0)}
                    state |= {"covariance": matrix.new_zeros(size, size), "square": torch.zeros_like(matrix)}
                state["momentum_buffer"].lerp_(gradient, 0.05)
                state["covariance"].lerp_(gradient.T @ gradient, 1 - self.decay)
                if state["step"] % self.every == 0:
                    state["values"], state["vectors"] = torch.linalg.eigh(state["covariance"])
                state["step"] += 1
                update = self.update(gradient, gradient.lerp(state["momentum_buffer"], 0.95), state)
                update *= min(matrix.shape) ** 0.5 / update.norm()
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-group["lr"] * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5)

    def update(self, gradient: Tensor, momentum: Tensor, state: dict[str, Tensor]) -> Tensor:
        """The update up to its norm."""
        values, vectors = state["values"], state["vectors"]
        return momentum @ (vectors * values.clamp(min=1e-6 * float(values[-1])).rsqrt() @ vectors.T)


class Soap(Shampoo):
    """Adam in the basis of the eigenvectors of G'G (one side of Vyas et al. 2024, arXiv 2409.11321), scaled to the
    norm of Muon's update."""

    def update(self, gradient: Tensor, momentum: Tensor, state: dict[str, Tensor]) -> Tensor:
        """The update up to its norm."""
        vectors, square = state["vectors"], state["square"]
        square.lerp_((gradient @ vectors).square(), 1 - self.decay)
        return (momentum @ vectors) / (square.sqrt() + 1e-12) @ vectors.T


VARIANTS: dict[str, tuple[Callable[[], AbstractContextManager[Any]], dict[str, Any]]] = {
    "rule": (ExitStack, {}),
    "activations-0.1": (lambda: activations(0.1, 0.05), {}),
    "activations-1": (lambda: activations(1.0, 0.5), {}),
    "zoneout-0.05": (lambda: zoneout(0.05, 0.05), {}),
    "zoneout-0.2": (lambda: zoneout(0.2, 0.05), {}),
    "noise-0.03": (lambda: noise(0.03), {}),
    "noise-0.1": (lambda: noise(0.1), {}),
    "one-cycle": (lambda: one_cycle(1.0), {}),
    "one-cycle-2": (lambda: one_cycle(2.0), {}),
    "random-lengths": (random_lengths, {"seq_len": 64}),
    "growing-batches": (lambda: growing_batches(4), {"batch_size": 32}),
    "shampoo": (lambda: patch.object(optimizers, "Muon", Shampoo), {}),
    "soap": (lambda: patch.object(optimizers, "Muon", Soap), {}),
}
"""What to patch in, and the training options that differ."""


def run(text: str, name: str, seed: int, steps: int, threads: int) -> float:
    """Train once; nats per token."""
    variant, options = VARIANTS[name]
    steps *= 64 // options.get("batch_size", 64)
    training = {"steps": steps, "batch_size": 64, "seed": seed, "threads": threads} | options
    with tempfile.TemporaryDirectory() as folder, variant():
        trained = train_run(
            text,
            run=Path(folder) / "run",
            corpus={"splits": (90.0, 10.0, 0.0)},
            training=cast(TrainOptions, training),
            init_from=None,
        )
    assert trained.outcome.best is not None
    return trained.outcome.best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--threads", type=int, default=1)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("variants", arguments.results, threads=arguments.threads)
    print(f"torch {torch.__version__}, threads: {arguments.threads}, {arguments.steps} steps of 64 sequences\n")
    print(f"| variant | {' | '.join(f'seed {seed}' for seed in arguments.seeds)} | mean | relative to the rule |")
    print("| --- |" + " --- |" * (len(arguments.seeds) + 2))
    rule = None
    for name in arguments.variants:
        losses = [run(arguments.text, name, seed, arguments.steps, arguments.threads) for seed in arguments.seeds]
        for seed, nats in zip(arguments.seeds, losses, strict=True):
            settings = {"text": name_of(arguments.text), "variant": name, "steps": arguments.steps}
            results.add(settings, {"nats_per_token": nats}, seed=seed)
        rule = mean(losses) if name == "rule" else rule
        difference = "" if rule is None or name == "rule" else f"{mean(losses) / rule - 1:+.2%}"
        print(
            f"| {name} | {' | '.join(f'{nats:.4f}' for nats in losses)} | {mean(losses):.4f} | {difference} |",
            flush=True,
        )


if __name__ == "__main__":
    start(main)
