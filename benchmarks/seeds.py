"""How much models differ that have the same settings and different seeds, and what `charlm compare` says of them.

    python benchmarks/seeds.py TEXT... [--steps 400] [--seeds 5] [--threads 1]

Makes the rows of docs/notes/experiments.md, section "Chance in training". Each run is
`charlm train TEXT --steps STEPS --init-from none --seed SEED`. TEXT is a file or a registered name; with ":line"
appended, each line is a document. The number of steps is fixed instead of the minutes, so that other programs change
nothing.

loss            of the test split, nats per token: the mean of the seeds
SD              standard deviation between seeds, as a fraction of the loss
clear, text     pairs of seeds that `charlm compare` would call different if its interval covered only the text
clear           the same with the interval that it uses, which also covers chance in training
"""

import argparse
import tempfile
from functools import partial
from itertools import combinations
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from results import Results, add_option
from runs import divided, name_of, start

import charlm
from charlm.evaluation.comparison import compare, difference


def main() -> None:
    """Print a row for each text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--threads", type=int, default=1)
    add_option(parser)
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("--seeds needs 2 and more, to compare them")
    results = Results("seeds", arguments.results, threads=arguments.threads)
    print(f"torch {torch.__version__}, threads: {arguments.threads}, {arguments.steps} steps\n")
    print("| text | loss by seed | SD | pairs | clear, text | clear |")
    print("| --- | --- | --- | --- | --- | --- |")
    for text in arguments.texts:
        name = name_of(text)
        settings = {"text": name, "steps": arguments.steps, "seeds": arguments.seeds}
        figures = results.get(settings, partial(measure, text, arguments.steps, arguments.seeds, arguments.threads))
        losses = ", ".join(f"{loss:.4f}" for loss in figures["losses"])
        print(f"| {name} | {losses} | {figures['deviation']:.2%} | {figures['pairs']} ", end="")
        print(f"| {figures['clear_on_the_text']} | {figures['clear']} |", flush=True)


def measure(text: str, steps: int, seeds: int, threads: int) -> dict[str, Any]:
    """Train with each seed in a temporary folder, score the test split, and compare each pair of models."""
    path, options = divided(text)
    settings: dict[str, Any] = {"steps": steps, "threads": threads, "init_from": None} | options
    with tempfile.TemporaryDirectory() as folder:
        models = [
            charlm.train(path, run=Path(folder) / f"seed-{seed}", seed=seed, **settings) for seed in range(1, seeds + 1)
        ]
        own = models[0].read()
        losses = [model.evaluate().nats_per_token for model in models]
    compared = compare([(model.model, model.tokenizer) for model in models], own.corpus, "test")
    pairs = [difference(first, second) for first, second in combinations(compared.nats, 2)]
    return {
        "losses": losses,
        "loss": mean(losses),
        "deviation": stdev(losses) / mean(losses),
        "pairs": len(pairs),
        "clear_on_the_text": sum(pair.is_clear_on_the_text for pair in pairs),
        "clear": sum(pair.is_clear for pair in pairs),
    }


if __name__ == "__main__":
    start(main)
