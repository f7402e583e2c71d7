"""Memory and set-up time of a text that is large: one text again and again until it has the size asked for.

    python benchmarks/large_text.py TEXT [--gigabytes 1] [--tokenizer char]

Trains 200 steps in a fresh process with an empty cache and prints its peak resident memory, the memory of a run on the
text once (torch and the model, in the main), and the time from the start of the command to the first step.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch


def train(text: str, tokenizer: str) -> None:
    """In the child: train, and print seconds to the first step and peak memory in kB."""
    started = time.monotonic()
    from charlm import api
    from charlm.config import TokenizerConfig, TrainConfig

    ready = []
    hooks = api.Hooks(prepared=lambda *_: ready.append(time.monotonic() - started), started=started)
    config = TrainConfig(steps=200, threads=2, validations=1)
    api.train(text, run="run", tokenizer=TokenizerConfig(kind=tokenizer), training=config, hooks=hooks)  # type: ignore[arg-type]
    print(ready[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def measure(text: Path, tokenizer: str) -> tuple[float, float]:
    """Seconds to the first step, and peak resident memory in MB."""
    with tempfile.TemporaryDirectory(dir=text.parent) as folder:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).resolve()), str(text), "--tokenizer", tokenizer, "--child"],
            cwd=folder,
            env=os.environ | {"CHARLM_CACHE": f"{folder}/cache"},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    seconds, memory = done.stdout.split()
    return float(seconds), int(memory) / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--tokenizer", default="char")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        train(str(arguments.text), arguments.tokenizer)
        return
    content = arguments.text.read_bytes()
    print(f"torch {torch.__version__}, 2 threads, {arguments.tokenizer} tokens, {arguments.text.name}\n")
    print("| text | seconds to the first step | peak resident memory, MB |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for copies in (1, max(1, round(arguments.gigabytes * 1e9 / len(content)))):
            large = Path(folder) / "large.txt"
            with large.open("wb") as file:
                for _ in range(copies):
                    file.write(content)
            seconds, memory = measure(large, arguments.tokenizer)
            print(f"| {large.stat().st_size / 1e6:,.1f} MB | {seconds:.1f} | {memory:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
