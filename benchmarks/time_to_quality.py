"""What `charlm train --minutes` reaches on texts of all kinds, and the best n-gram model of the same split.

    python benchmarks/time_to_quality.py TEXT... [--minutes 1 5] [--seeds 1] [--tokenizer char] [--threads 2]
        [--dynamic] [--runs FOLDER]

Makes the rows of docs/benchmarks.md, section "Time to quality". Each run is
`charlm train TEXT --minutes M --threads N --init-from none` without any other setting, so that the network learns from
the text alone. tinyshakespeare is split 90/10 and scored on the 10, as nanoGPT does; every other text is split 90/5/5
and scored on the test split. TEXT is a file or a registered name; with ":line" appended, each line is a document.
Nothing else should run on the same cores.

A run that this machine has made in this state of the program is not repeated.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from results import Results, add_option
from runs import divided, name_of, run_charlm, start

PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6)
sys.exit(done.returncode)
"""
"""Runs a command, then prints its peak resident memory in MB."""


def run(
    text: str, minutes: float, seed: int, tokenizer: str, folder: str, *, threads: int, dynamic: bool
) -> dict[str, Any]:
    """Train in a folder, and evaluate: the figures of a line of the results file."""
    path, corpus = divided(text)
    options = [
        "--minutes",
        str(minutes),
        "--init-from",
        "none",
        "--threads",
        str(threads),
        "--seed",
        str(seed),
        "--run",
        folder,
    ]
    options += ["--splits", "90/10/0" if name_of(text) == "tinyshakespeare" else "90/5/5", "--tokenizer", tokenizer]
    options += ["--documents", *corpus.values()] if corpus else []
    command = [sys.executable, "-c", PEAK, sys.executable, "-m", "charlm", "train", path, *options, "--json"]
    trained = subprocess.run(command, capture_output=True)
    if trained.returncode:
        sys.exit(f"{' '.join(command[3:])} failed:\n{trained.stderr.decode()}")

    def evaluate(*options: str) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(run_charlm("eval", folder, "--json", *options))
        return values

    lines = trained.stdout.decode().splitlines()
    outcome, memory, score = json.loads(lines[0]), float(lines[1]), evaluate()
    facts = {
        "chosen": trained.stderr.decode().splitlines()[0],
        "steps": outcome["step"],
        "epoch": outcome["epoch"],
        "seconds": outcome["seconds"],
        "memory_mb": memory,
        "nats_per_character": score["nats_per_character"],
        "bits_per_byte": score["bits_per_byte"],
        "ngram_order": score["baselines"]["ngram"]["order"],
        "ngram_nats": score["baselines"]["ngram"]["bits_per_character"] * math.log(2),
        "copied": score["copying"]["written"]["longest"],
    }
    if dynamic:
        facts["dynamic"] = evaluate("--dynamic", "--no-baselines")["nats_per_character"]
    return facts


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 5.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--tokenizer", default="char")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dynamic", action="store_true", help="also score with dynamic evaluation")
    parser.add_argument("--runs", type=Path, help="a folder to keep the runs in")
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("time_to_quality", arguments.results, threads=arguments.threads)
    print(f"torch {torch.__version__}, threads: {arguments.threads}, {arguments.tokenizer} tokens\n")
    print("| text | minutes | seed | passes | nats/char | dynamic | n-gram | fewer bits |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for minutes in arguments.minutes:
        for text in arguments.texts:
            for seed in arguments.seeds:
                settings = {"text": name_of(text), "tokenizer": arguments.tokenizer}
                settings |= {"minutes": minutes}
                one = results.find(settings, seed=seed)
                if one is None or (arguments.dynamic and "dynamic" not in one):
                    with tempfile.TemporaryDirectory() as temporary:
                        name = "-".join(map(str, (*settings.values(), seed)))
                        folder = str((arguments.runs or Path(temporary)) / name)
                        options = {"threads": arguments.threads, "dynamic": arguments.dynamic}
                        one = run(text, minutes, seed, arguments.tokenizer, folder, **options)
                    results.add(settings, one, seed=seed)
                share = 1 - one["nats_per_character"] / one["ngram_nats"]
                dynamic = f"{one['dynamic']:.4f}" if "dynamic" in one else ""
                losses = f"{one['nats_per_character']:.4f} | {dynamic} | {one['ngram_nats']:.4f} ({one['ngram_order']})"
                row = f"| {settings['text']} | {minutes:g} | {seed} | {one['epoch']:.1f} | {losses} | {share:.1%} |"
                print(row, flush=True)


if __name__ == "__main__":
    start(main)
