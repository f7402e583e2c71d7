"""Memory and set-up time of a large text: one text over and over until it has the requested size.

    python benchmarks/large_text.py [TEXT] [--gigabytes 1] [--tokenizer char]

Makes the rows of docs/benchmarks.md, section "A large text". TEXT is a file or a registered name,
tinyshakespeare by default. A row for the text once, and one for the large text: each trains 200 steps in a fresh
process with an empty cache. The seconds count from the start of Python's work to the first step. The memory of the text
once is that of torch and the model, for the most part.
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
from results import Results, add_option


def train(text: str, tokenizer: str) -> None:
    """Train, and print seconds to the first step and peak memory in kB; runs in a process for this alone."""
    started = time.monotonic()
    from charlm.api import Callbacks, train_run
    from charlm.config import TokenizerConfig

    ready = []
    train_run(
        text,
        run="run",
        tokenizer=TokenizerConfig(kind=tokenizer),  # type: ignore[arg-type]
        training={"steps": 200, "threads": 2, "validations": 1},
        auto=False,
        callbacks=Callbacks(on_start=lambda *_: ready.append(time.monotonic() - started)),
        started=started,
    )
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", default="tinyshakespeare")
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--tokenizer", default="char")
    add_option(parser)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        train(arguments.text, arguments.tokenizer)
        return
    from charlm.data.sources import find_sources

    found = find_sources(arguments.text)
    results = Results("large_text", arguments.results, threads=2)
    content = b"".join(source.open().read() for source in found.sources)
    print(f"torch {torch.__version__}, 2 threads, {arguments.tokenizer} tokens, {found.name}\n")
    print("| text | seconds to the first step | peak resident memory, MB |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for copies in (1, max(1, round(arguments.gigabytes * 1e9 / len(content)))):
            large = Path(folder) / "large.txt"
            with large.open("wb") as file:
                for _ in range(copies):
                    file.write(content)
            seconds, memory = measure(large, arguments.tokenizer)
            megabytes = round(large.stat().st_size / 1e6, 1)
            print(f"| {megabytes:,.1f} MB | {seconds:.1f} | {memory:,.0f} |", flush=True)
            figures = {"seconds": seconds, "memory_mb": memory}
            results.add({"text": found.name, "tokenizer": arguments.tokenizer, "megabytes": megabytes}, figures)


if __name__ == "__main__":
    main()
