"""What the defaults reach in two minutes: nats per character on the whole validation split, for three seeds.

    python benchmarks/default_run.py [TEXT] [--minutes 2]

TEXT is tinyshakespeare unless another is named; it is split 90/10. Nothing else should run beside it.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile

import torch


def run(text: str, minutes: float, seed: int, folder: str) -> tuple[dict, dict]:
    """Train and evaluate once; what both print as JSON."""
    charlm = [sys.executable, "-m", "charlm"]
    options = ["--splits", "90/10/0", "--minutes", str(minutes), "--threads", "2", "--seed", str(seed), "--run", folder]
    trained = subprocess.run([*charlm, "train", text, *options, "--json"], check=True, stdout=subprocess.PIPE)
    scored = subprocess.run([*charlm, "eval", folder, "--json"], check=True, stdout=subprocess.PIPE)
    return json.loads(trained.stdout), json.loads(scored.stdout)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", nargs="?", default="tinyshakespeare")
    parser.add_argument("--minutes", type=float, default=2)
    arguments = parser.parse_args()
    print(
        f"torch {torch.__version__}, Python {platform.python_version()}, 2 threads, --minutes {arguments.minutes:g}\n"
    )
    print("| seed | steps | seconds | tokens/s | nats/char | bits/char |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for seed in (1, 2, 3):
            outcome, score = run(arguments.text, arguments.minutes, seed, f"{folder}/{seed}")
            print(
                f"| {seed} | {outcome['step']:,} | {outcome['seconds']:.1f} | "
                f"{outcome['tokens'] / outcome['seconds']:,.0f} | {score['nats_per_character']:.4f} | "
                f"{score['bits_per_character']:.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
