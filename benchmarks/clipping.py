"""An irnn that begins with W = I, with and without gradient clipping, on real text.

    python benchmarks/clipping.py [TEXT] [--learning-rate 0.01] [--steps 400]

Prints the table of docs/guide/gradients.md, section "When the gradient explodes". Every line is a document, so that the
state, which W = I never lets decay, is reset often; windows have 64 tokens. Three seeds are trained with --clip 1 and
with --clip 0. The table shows validation in nats per token, or how the run ended.
"""

import argparse
import logging
import tempfile

import torch
from results import Results, add_option
from runs import name_of, start

from charlm.api import train_run
from charlm.errors import TrainingDivergedError


def run(text: str, clip: float, seed: int, steps: int, learning_rate: float) -> str:
    """How one run ends."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            trained = train_run(
                text,
                run=f"{folder}/run",
                corpus={"documents": "line", "splits": (90.0, 10.0, 0.0)},
                model={"cell": "irnn", "hidden_size": 128, "recurrent_init": "identity", "ngram_order": 0},
                training={
                    "steps": steps,
                    "learning_rate": learning_rate,
                    "seq_len": 64,
                    "clip": clip,
                    "seed": seed,
                    "threads": 1,
                    "validations": 2,
                },
                auto=False,
            )
        except TrainingDivergedError as error:
            return str(error).partition(";")[0]
        return f"{trained.outcome.best:.3f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", default="tinyshakespeare")
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--steps", type=int, default=400)
    add_option(parser)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    results = Results("clipping", arguments.results, threads=1)
    print(f"torch {torch.__version__}, 1 thread, learning rate {arguments.learning_rate:g}, {arguments.steps} steps\n")
    print("| seed | --clip 1 | --clip 0 |\n| --- | --- | --- |")
    for seed in (1, 2, 3):
        ends = {clip: run(arguments.text, clip, seed, arguments.steps, arguments.learning_rate) for clip in (1.0, 0.0)}
        print(f"| {seed} | {ends[1.0]} | {ends[0.0]} |", flush=True)
        for clip, end in ends.items():
            settings = {"text": name_of(arguments.text), "clip": clip, "steps": arguments.steps}
            results.add(settings | {"learning_rate": arguments.learning_rate}, {"end": end}, seed=seed)


if __name__ == "__main__":
    start(main)
