"""How much the test loss of runs differs that have the same settings and other seeds.

    python benchmarks/seeds.py TEXT... [--steps 400] [--seeds 5] [--threads 1]

Makes the rows of docs/notes/experiments.md, section "Chance in training". Each run is
`charlm train TEXT --steps STEPS --seed SEED`. TEXT is a file or a registered name; with ":line" appended, each line is
a document. The number of steps is fixed, and not the minutes, so that other programs change nothing.

SD is the standard deviation between seeds, of the test loss in nats per token; below the table, the relative SDs of all
texts are pooled as the root of their mean square. `charlm compare` uses that figure.
"""

import argparse
import math
import tempfile
from pathlib import Path
from statistics import mean, stdev

import torch
from results import Results, add_option

import charlm


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
    print(f"torch {torch.__version__}, threads: {arguments.threads}, {arguments.steps} steps; nats per token\n")
    print("| text | seeds | mean | SD | SD, relative |")
    print("| --- | --- | --- | --- | --- |")
    relative = []
    for text in arguments.texts:
        losses = [
            loss(text, arguments.steps, seed, arguments.threads, results) for seed in range(1, arguments.seeds + 1)
        ]
        average, deviation = mean(losses), stdev(losses)
        relative.append(deviation / average)
        name = Path(text.partition(":")[0]).stem
        print(f"| {name} | {len(losses)} | {average:.4f} | {deviation:.4f} | {relative[-1]:.2%} |", flush=True)
    print(f"\npooled: {math.sqrt(mean(one * one for one in relative)):.2%}")


def loss(text: str, steps: int, seed: int, threads: int, results: Results) -> float:
    """Train in a temporary folder, and keep the nats per token of the test split; known results are not made again."""
    path, _, documents = text.partition(":")
    settings = {"text": Path(path).stem, "steps": steps}
    figures = results.find(settings, seed=seed)
    if figures is None:
        with tempfile.TemporaryDirectory() as folder:
            corpus = {"documents": documents} if documents else {}
            model = charlm.train(path, run=Path(folder) / "run", steps=steps, seed=seed, threads=threads, **corpus)  # type: ignore[arg-type]
            figures = {"nats_per_token": model.evaluate().nats_per_token}
        results.add(settings, figures, seed=seed)
    return float(figures["nats_per_token"])


if __name__ == "__main__":
    main()
