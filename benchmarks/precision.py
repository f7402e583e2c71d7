"""How fast `charlm train` is with products in single precision and in bfloat16, and what loss it reaches.

    python benchmarks/precision.py TEXT [--steps 400] [--threads 2] [--hidden 256 512] [--rounds 3]

Makes the rows of docs/benchmarks.md, section "Precision". For each width both precisions run in turn. The speed
is the median of the rounds; validation doesn't count in it. The loss is the mean training loss of the last tenth of the
steps.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import mean, median

import torch
from results import Results, add_option
from runs import name_of, records_of, start, training_speed

from charlm.api import train_run
from charlm.config import Precision


def run(text: str, hidden: int, precision: Precision, steps: int, threads: int) -> tuple[float, float]:
    """Tokens per second, and nats per token."""
    with tempfile.TemporaryDirectory() as folder:
        train_run(
            text,
            run=Path(folder) / "run",
            model={"hidden_size": hidden},
            training={"steps": steps, "precision": precision, "threads": threads, "validations": 1},
        )
        losses = [record["loss"] for record in records_of(Path(folder) / "run")]
        return training_speed(Path(folder) / "run"), mean(losses[-max(1, len(losses) // 10) :])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hidden", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--rounds", type=int, default=3)
    add_option(parser)
    arguments = parser.parse_args()
    kept = Results("precision", arguments.results, threads=arguments.threads)
    print(f"torch {torch.__version__}, threads: {arguments.threads}, {arguments.steps} steps\n")
    print("| hidden | precision | tokens/s | loss |")
    print("| --- | --- | --- | --- |")
    for hidden in arguments.hidden:
        results: dict[Precision, list[tuple[float, float]]] = {"float32": [], "bfloat16": []}
        for _ in range(arguments.rounds):
            for precision, rounds in results.items():
                rounds.append(run(arguments.text, hidden, precision, arguments.steps, arguments.threads))
        for precision, rounds in results.items():
            speed = median(speed for speed, _ in rounds)
            print(f"| {hidden} | {precision} | {speed:,.0f} | {rounds[0][1]:.4f} |", flush=True)
            settings = {"text": name_of(arguments.text), "hidden": hidden, "precision": precision}
            figures = {"tokens_per_second": speed, "loss": rounds[0][1]}
            kept.add(settings | {"steps": arguments.steps}, figures, seed=1)


if __name__ == "__main__":
    start(main)
