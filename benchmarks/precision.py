"""How fast `charlm train` takes steps with products of single precision and of bfloat16, and what it learns by them.

    python benchmarks/precision.py TEXT [--steps 400] [--threads 2] [--hidden 256 512] [--rounds 3]

For each width and precision in turn, so many rounds: tokens a second between the validations, the median of the rounds,
and the mean training loss of the last tenth of the steps.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import mean, median

import torch

from charlm import api
from charlm.api import Hooks
from charlm.training.events import Record, StepEvent


def run(text: str, hidden: int, precision: str, steps: int, threads: int) -> tuple[float, float]:
    """Tokens a second, and nats per token."""
    records: list[StepEvent] = []

    def observe(record: Record) -> None:
        if isinstance(record, StepEvent):
            records.append(record)

    with tempfile.TemporaryDirectory() as folder:
        api.train(
            text,
            run=Path(folder) / "run",
            model={"hidden_size": hidden},
            training={"steps": steps, "precision": precision, "threads": threads, "validations": 1},
            hooks=Hooks(observer=observe),
        )
    first, last = records[0], records[-2]  # the last one's time holds the validation
    tail = records[-max(1, len(records) // 10) :]
    return (last.tokens - first.tokens) / (last.seconds - first.seconds), mean(record.loss for record in tail)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hidden", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {arguments.threads} threads, {arguments.steps} steps\n")
    print("| hidden | precision | tokens/s | loss |")
    print("| --- | --- | --- | --- |")
    for hidden in arguments.hidden:
        found: dict[str, list[tuple[float, float]]] = {"float32": [], "bfloat16": []}
        for _ in range(arguments.rounds):
            for precision, results in found.items():
                results.append(run(arguments.text, hidden, precision, arguments.steps, arguments.threads))
        for precision, results in found.items():
            speed = median(speed for speed, _ in results)
            print(f"| {hidden} | {precision} | {speed:,.0f} | {results[0][1]:.4f} |", flush=True)


if __name__ == "__main__":
    main()
