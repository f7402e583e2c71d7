"""How much models differ that have the same settings and different seeds, and what `charlm compare` says of them.

    python benchmarks/seeds.py TEXT... [--steps 400] [--seeds 5] [--threads 1]

Makes the rows of docs/notes/experiments.md, section "Chance in training". Each run is
`charlm train TEXT --steps STEPS --seed SEED`. TEXT is a file or a registered name; with ":line" appended, each line is
a document. The number of steps is fixed instead of the minutes, so that other programs change nothing.

loss            of the test split, nats per token: the mean of the seeds
SD              standard deviation between seeds, in per cent of the loss
clear, text     pairs of seeds that `charlm compare` would call different if its interval covered only the text
clear           the same with the interval that also covers chance in training; its size is taken from the other texts

The last line pools the SDs of all texts (root of the mean square), which is the figure that `charlm compare` uses.
"""

import argparse
import math
import tempfile
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from results import Results, add_option

import charlm
from charlm.evaluation.comparison import compare, difference


def main() -> None:
    """Print a row for each text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("seeds", arguments.results, threads=arguments.threads)
    measured = {}
    for text in arguments.texts:
        name = Path(text.partition(":")[0]).stem
        settings = {"text": name, "steps": arguments.steps, "seeds": arguments.seeds}
        figures = results.find(settings)
        if figures is None:
            figures = measure(text, arguments.steps, arguments.seeds, arguments.threads)
            results.add(settings, figures)
        measured[name] = figures
        print(f"{name}: {', '.join(f'{loss:.4f}' for loss in figures['nats_per_token'])}", flush=True)
    print(f"\ntorch {torch.__version__}, threads: {arguments.threads}, {arguments.steps} steps\n")
    print("| text | loss | SD | pairs | clear, text | clear |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, figures in measured.items():
        others = [other for key, other in measured.items() if key != name] or [figures]
        counts = clear_pairs(figures, pooled(others))
        losses, pairs = figures["nats_per_token"], len(figures["means"])
        print(f"| {name} | {mean(losses):.4f} | {relative(losses):.2%} | {pairs} | {counts[0]} | {counts[1]} |")
    print(f"\npooled: {pooled(list(measured.values())):.2%}")


def measure(text: str, steps: int, seeds: int, threads: int) -> dict[str, Any]:
    """Train with each seed in a temporary folder; the losses of the test split, and the difference of each pair.

    The differences are in nats per character, with the interval that covers the text alone.
    """
    path, _, documents = text.partition(":")
    corpus = {"documents": documents} if documents else {}
    with tempfile.TemporaryDirectory() as folder:
        models = [
            charlm.train(path, run=Path(folder) / f"seed-{seed}", steps=steps, seed=seed, threads=threads, **corpus)  # type: ignore[arg-type]
            for seed in range(1, seeds + 1)
        ]
        own = models[0].read()
        losses = [model.evaluate().nats_per_token for model in models]
    compared = compare([(model.model, model.tokenizer) for model in models], own.corpus, "test")
    pairs = [difference(first, second) for first, second in combinations(compared.nats, 2)]
    return {
        "nats_per_token": losses,
        "nats_per_character": [float(nats.mean()) for nats in compared.nats],
        "means": [pair.mean for pair in pairs],
        "lows": [pair.text_low for pair in pairs],
        "highs": [pair.text_high for pair in pairs],
    }


def relative(losses: Sequence[float]) -> float:
    """The standard deviation of losses as a fraction of their mean."""
    return stdev(losses) / mean(losses)


def pooled(texts: Sequence[Mapping[str, Any]]) -> float:
    """The root of the mean square of the relative standard deviations of several texts."""
    return math.sqrt(mean(relative(figures["nats_per_character"]) ** 2 for figures in texts))


def clear_pairs(figures: Mapping[str, Any], chance: float) -> tuple[int, int]:
    """How many pairs differ clearly by the interval of the text alone, and by the one that covers training too."""
    loss = mean(figures["nats_per_character"])
    by_text = by_both = 0
    for average, low, high in zip(figures["means"], figures["lows"], figures["highs"], strict=True):
        by_text += low > 0 or high < 0
        training = 1.96 * chance * loss * math.sqrt(2)
        by_both += abs(average) > math.hypot(average - low if average > 0 else high - average, training)
    return by_text, by_both


if __name__ == "__main__":
    main()
