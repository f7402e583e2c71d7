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

from charlm.api import Callbacks, train_run
from charlm.config import Precision
from charlm.training.events import Event, StepEvent


def run(text: str, hidden: int, precision: Precision, steps: int, threads: int) -> tuple[float, float]:
    """Tokens per second, and nats per token."""
    events: list[StepEvent] = []

    def on_event(event: Event) -> None:
        if isinstance(event, StepEvent):
            events.append(event)

    with tempfile.TemporaryDirectory() as folder:
        train_run(
            text,
            run=Path(folder) / "run",
            model={"hidden_size": hidden},
            training={"steps": steps, "precision": precision, "threads": threads, "validations": 1},
            callbacks=Callbacks(on_event=on_event),
        )
    first, last = events[0], events[-2]  # the time of the last one includes the validation
    tail = events[-max(1, len(events) // 10) :]
    return (last.tokens - first.tokens) / (last.seconds - first.seconds), mean(event.loss for event in tail)


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
            settings = {"text": Path(arguments.text).stem, "hidden": hidden, "precision": precision}
            figures = {"tokens_per_second": speed, "loss": rounds[0][1]}
            kept.add(settings | {"steps": arguments.steps}, figures, seed=1)


if __name__ == "__main__":
    main()
