"""How fast two threads train beside other programs, by how the threads wait for each other.

    python benchmarks/waiting.py TEXT [--busy 0 4] [--rounds 3] [--steps 100]

Makes the rows of docs/notes/experiments.md, section "Waiting threads". `--busy` is how many other programs use the
processor without pause. Each speed is the median of the rounds, in which all settings run in turn.

one thread      `charlm train --threads 1`
spinning        two threads, with OpenMP's default
brief           two threads, GOMP_SPINCOUNT=3000
charlm          two threads, as charlm chooses at the start
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from results import Results, add_option
from runs import name_of, run_charlm, start, training_speed

SETTINGS = {
    "one thread": (1, {}),
    "spinning": (2, {"GOMP_SPINCOUNT": "300000"}),
    "brief": (2, {"GOMP_SPINCOUNT": "3000"}),
    "charlm": (2, {}),
}
VARIABLES = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")
SHAPE = ("--ngram-order", "0", "--hidden", "256", "--batch-size", "32", "--seq-len", "64", "--seed", "1")


def main() -> None:
    """Print a row for each number of busy programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 4])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("waiting", arguments.results, threads=2)
    print(f"| busy programs | {' | '.join(f'{name}, tokens/s' for name in SETTINGS)} |")
    print("| --- |" + " --- |" * len(SETTINGS))
    for busy in arguments.busy:
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
        try:
            speeds: dict[str, list[float]] = {name: [] for name in SETTINGS}
            for _ in range(arguments.rounds):
                for name in SETTINGS:
                    speeds[name].append(speed(arguments.text, name, arguments.steps))
        finally:
            for other in others:
                other.kill()
        medians = {name: median(found) for name, found in speeds.items()}
        print(f"| {busy} | {' | '.join(f'{medians[name]:,.0f}' for name in SETTINGS)} |", flush=True)
        for name, found in medians.items():
            settings = {"text": name_of(arguments.text), "busy": busy, "waiting": name, "steps": arguments.steps}
            results.add(settings, {"tokens_per_second": found}, seed=1)


def speed(text: str, name: str, steps: int) -> float:
    """Tokens per second of a run, without its first steps."""
    threads, variables = SETTINGS[name]
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES} | variables
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        words = ("train", text, "--run", run, "--steps", steps, "--threads", threads, *SHAPE)
        run_charlm(*words, environment=environment)
        return training_speed(run)


if __name__ == "__main__":
    start(main)
