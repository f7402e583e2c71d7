"""How fast `charlm train --processes N` is, compared with one process that has as many threads.

    python benchmarks/processes.py TEXT [--processes 2] [--hidden 512] [--steps 120] [--rounds 3]

Both train the same network on the same batches, in turn, with one thread a process. The speed is the median of the
rounds, in tokens per second between the first record of metrics.jsonl and the last before the validation at the end.
The ratio is that of the two speeds; what is missing to 1 is the time to exchange gradients and to wait for each other.
"""

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median

import torch
from results import Results, add_option
from runs import name_of, run_charlm, start, training_speed


def speed(arguments: argparse.Namespace, options: list[str], threads: int) -> float:
    """Tokens per second of a run with these options."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["train", arguments.text, "--run", Path(folder) / "run", "--hidden", arguments.hidden]
        words += ["--steps", arguments.steps, "--validations", 1, "--optimizer", "muon", "--threads", threads, *options]
        run_charlm(*words, environment=os.environ | {"OMP_NUM_THREADS": str(threads)})
        return training_speed(Path(folder) / "run")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    add_option(parser)
    arguments = parser.parse_args()
    count = arguments.processes
    kept = Results("processes", arguments.results, threads=count)
    print(f"torch {torch.__version__}, 1x{arguments.hidden}, {arguments.steps} steps, {arguments.rounds} rounds\n")
    single, several = list[float](), list[float]()
    for _ in range(arguments.rounds):
        single.append(speed(arguments, [], count))
        several.append(speed(arguments, ["--processes", str(count)], 1))
    ratio = median(several) / median(single)
    print("| processes | threads of each | tokens/s | ratio |")
    print("| --- | --- | --- | --- |")
    print(f"| 1 | {count} | {median(single):,.0f} | |")
    print(f"| {count} | 1 | {median(several):,.0f} | {ratio:.2f} |")
    kept.add(
        {"text": name_of(arguments.text), "hidden": arguments.hidden, "processes": count, "steps": arguments.steps},
        {"one_process": median(single), "several_processes": median(several), "ratio": ratio},
        seed=1,
    )


if __name__ == "__main__":
    start(main)
