"""What a match gives: runs with and without it, and the compressors.

    python benchmarks/match.py TEXT... [--minutes 1] [--seeds 1] [--threads 2]

Makes the rows of docs/benchmarks.md, section "Repeats". Each run is `charlm train TEXT --minutes M --init-from none
--match` or `--no-match`. TEXT is a file or a registered name; with ":line" appended, each line is a document.

with, without   bits per character of the test split
n-grams, xz     the same of the best n-gram model, and of xz after the training split, as `charlm eval` gives them

A text that this machine has measured in this state of the program is not measured again.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from results import Results, add_option
from runs import divided, name_of, start

import charlm


def main() -> None:
    """Print a row for each text and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--threads", type=int, default=2)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("match", arguments.results, threads=arguments.threads)
    print(f"torch {torch.__version__}, threads: {arguments.threads}, {arguments.minutes:g} minutes\n")
    print("| text | seed | with | without | n-grams | xz | gain |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for text in arguments.texts:
        for seed in arguments.seeds:
            name = name_of(text)
            measured = partial(measure, text, arguments.minutes, seed, arguments.threads)
            figures = results.get({"text": name, "minutes": arguments.minutes}, measured, seed=seed)
            shown = [f"{figures[key]:.4f}" for key in ("with", "without", "ngram", "xz")]
            print(f"| {' | '.join([name, str(seed), *shown, format(figures['gain'], '.1%')])} |", flush=True)


def measure(text: str, minutes: float, seed: int, threads: int) -> dict[str, Any]:
    """Train with and without a match in a temporary folder, and score the test split."""
    path, options = divided(text)
    bits, baselines = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, match in (("with", True), ("without", False)):
            settings = {"minutes": minutes, "seed": seed, "threads": threads, "match": match, "init_from": None}
            model = charlm.train(path, run=Path(folder) / name, **settings, **options)
            bits[name] = model.evaluate().bits_per_character
        own = model.read()
        baselines = model.baselines(own, "test", own=own)
        per_character = {name: baselines[name].bits_per_character for name in ("ngram", "xz")}
    return {**bits, "gain": 1 - bits["with"] / bits["without"], **per_character}


if __name__ == "__main__":
    start(main)
