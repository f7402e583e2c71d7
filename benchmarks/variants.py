"""Ways to train that charlm does not have, each against the rule of docs/budget.md at as many tokens.

    python benchmarks/variants.py TEXT [--steps 2500] [--seeds 1 2 3] [--variants rule zoneout] [--threads 1]

They are put in from outside, so that none of them is an option until it pays. TEXT is split 90/10/0. A line for each:
validation of what is kept, calibrated, in nats per token, the mean over the seeds and how far it is from the rule's.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from charlm import api
from charlm.cells import LayerStates, State
from charlm.data.windows import IGNORE, Window
from charlm.model import layers as recurrent
from charlm.model.layers import Recurrent, RecurrentLayer
from charlm.training import optimizers, trainer
from charlm.training.optimizers import Muon, Optimizers
from charlm.training.schedule import learning_rate


def in_training() -> bool:
    """Whether what is computed now is learnt from: validation keeps no gradients."""
    return torch.is_grad_enabled()


def activations(alpha: float, beta: float) -> AbstractContextManager[Any]:
    """To the loss are added alpha times the mean square of the outputs and beta times that of their changes from step
    to step (Merity, McCann and Socher 2017, arXiv 1708.01009); both are taken after dropout here."""
    before = Recurrent.forward

    def forward(self: Recurrent, *args: Any) -> tuple[Tensor, LayerStates]:
        hidden, after = before(self, *args)
        if in_training():
            h = hidden.detach()
            gradient = 2 * alpha * h / h.numel()
            change = 2 * beta * h.diff(dim=0) / h.numel()
            gradient[1:] += change
            gradient[:-1] -= change
            hidden.register_hook(gradient.add)
        return hidden, after

    return patch.object(Recurrent, "forward", forward)


@contextmanager
def zoneout(of_c: float, of_h: float) -> Iterator[None]:
    """Each unit of a state keeps its value of the last step with a probability, in scoring the mean of both (Krueger
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
        beside: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        return forward(self, recurrent.embed(ids, embedding, beside), state, generator)

    with patch.object(RecurrentLayer, "forward", forward), patch.object(RecurrentLayer, "read_tokens", read_tokens):
        yield


def noise(share: float) -> AbstractContextManager[Any]:
    """A share of the tokens that are read become another of the window, so that they are drawn as they are frequent
    (Xie et al. 2017, arXiv 1703.02573, unigram noising); n-gram models and the vectors of contexts see the truth."""
    before, generator = recurrent.embed, torch.Generator().manual_seed(0)

    def embed(ids: Tensor, embedding: Tensor, beside: Tensor | None = None) -> Tensor:
        if in_training():
            others = ids.flatten()[torch.randperm(ids.numel(), generator=generator)].view_as(ids)
            ids = torch.where(torch.rand(ids.shape, generator=generator) < share, others, ids)
        return before(ids, embedding, beside)

    return patch.object(recurrent, "embed", embed)


def one_cycle(times: float) -> AbstractContextManager[Any]:
    """The rate rises over the first 0.3 of the run to so many times the rule's, and falls by a cosine to 0 (Smith and
    Topin 2018, arXiv 1708.07120)."""

    def rate(progress: float, *, peak: float, warmup: float, final: float) -> float:
        return learning_rate(progress, peak=times * peak, warmup=0.3, final=0.0)

    return patch.object(trainer, "learning_rate", rate)


def random_lengths() -> AbstractContextManager[Any]:
    """Every window is cut in two at a random place of its middle half (Merity, Keskar and Socher 2018, arXiv
    1708.02182, vary the length too)."""
    whole, generator = trainer.training_windows, np.random.default_rng(0)

    def windows(*args: Any, **options: Any) -> Iterator[Window]:
        for window in whole(*args, **options):
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

    return patch.object(trainer, "training_windows", windows)


@contextmanager
def growing_batches(most: int) -> Iterator[None]:
    """A step is made of the gradients of one window, then of two, and so on up to `most`, each for an equal part of the
    run (Smith et al. 2018, arXiv 1711.00489)."""
    rate_of, zero, step = trainer.learning_rate, Optimizers.zero_grad, Optimizers.step
    held, wanted = 0, 1

    def rate(progress: float, **options: float) -> float:
        nonlocal wanted
        wanted = 1 + min(most - 1, int(most * progress))
        return rate_of(progress, **options)

    def zero_grad(self: Optimizers) -> None:
        if not held:
            zero(self)

    def step_of_several(self: Optimizers, rate: float) -> None:
        nonlocal held
        held += 1
        if held >= wanted:
            for parameter in self._names:
                if parameter.grad is not None:
                    parameter.grad /= held
            step(self, rate)
            held = 0

    with (
        patch.object(trainer, "learning_rate", rate),
        patch.object(Optimizers, "zero_grad", zero_grad),
        patch.object(Optimizers, "step", step_of_several),
    ):
        yield


class Shampoo(Muon):
    """In the place of Muon's orthogonal direction, the momentum times (G'G) ** -1/2, where G'G is an average over the
    last steps (one side of Gupta, Koren and Singer 2018, arXiv 1802.09568), made as long as Muon's."""

    decay, every = 0.95, 5

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change every matrix by its gradient."""
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
                direction = self.direction(gradient, gradient.lerp(state["momentum_buffer"], 0.95), state)
                direction *= min(matrix.shape) ** 0.5 / direction.norm()
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(direction, alpha=-group["lr"] * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5)

    def direction(self, gradient: Tensor, momentum: Tensor, state: dict[str, Tensor]) -> Tensor:
        """Where to go, of any length."""
        values, vectors = state["values"], state["vectors"]
        return momentum @ (vectors * values.clamp(min=1e-6 * float(values[-1])).rsqrt() @ vectors.T)


class Soap(Shampoo):
    """Adam in the basis of the eigenvectors of G'G (one side of Vyas et al. 2024, arXiv 2409.11321), made as long as
    Muon's direction."""

    def direction(self, gradient: Tensor, momentum: Tensor, state: dict[str, Tensor]) -> Tensor:
        """Where to go, of any length."""
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
"""What is put in, and the settings that differ."""


def run(text: str, name: str, seed: int, steps: int, threads: int) -> float:
    """Train once; nats per token."""
    variant, settings = VARIANTS[name]
    steps *= 64 // settings.get("batch_size", 64)
    with tempfile.TemporaryDirectory() as folder, variant():
        trained = api.train(
            text,
            run=Path(folder) / "run",
            corpus={"splits": (90.0, 10.0, 0.0)},
            training={"steps": steps, "batch_size": 64, "seed": seed, "threads": threads} | settings,
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
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {arguments.threads} threads, {arguments.steps} steps of 64 rows\n")
    print(f"| | {' | '.join(f'seed {seed}' for seed in arguments.seeds)} | mean | against the rule |")
    print("| --- |" + " --- |" * (len(arguments.seeds) + 2))
    rule = None
    for name in arguments.variants:
        found = [run(arguments.text, name, seed, arguments.steps, arguments.threads) for seed in arguments.seeds]
        rule = mean(found) if name == "rule" else rule
        against = "" if rule is None or name == "rule" else f"{mean(found) / rule - 1:+.2%}"
        print(f"| {name} | {' | '.join(f'{nats:.4f}' for nats in found)} | {mean(found):.4f} | {against} |", flush=True)


if __name__ == "__main__":
    main()
