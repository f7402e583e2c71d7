"""Memory and set-up time of a large text: the lines of a text, shuffled anew each time, up to the requested size.

    python benchmarks/large_text.py [TEXT] [--gigabytes 1] [--tokenizer char] [--gzip]

Makes the rows of docs/benchmarks.md, section "A large text". TEXT is a file or a registered name,
tinyshakespeare by default. A row for the text once, and one for the large text: each trains 200 steps in a fresh
process with an empty cache. The seconds count from the start of Python's work to the first step. The memory of the text
once is that of torch and the model, for the most part. With --gzip the files are compressed, and the sizes are those
before.
"""

import argparse
import gzip
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

import torch
from results import Results, add_option
from runs import content_of, name_of, start


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
    """Seconds to the first step, and peak resident memory in MiB."""
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


def write_shuffled(content: bytes, size: int, file: IO[bytes]) -> None:
    """Write `size` bytes, but for the end of a last line: the text, then its lines in another order again and again."""
    lines, order = content.splitlines(keepends=True), random.Random(1)
    while size >= len(content) > 0:
        file.write(b"".join(lines))
        size -= len(content)
        order.shuffle(lines)
    for line in lines:
        size -= len(line)
        if size < 0:
            break
        file.write(line)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", default="tinyshakespeare")
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--tokenizer", default="char")
    parser.add_argument("--gzip", action="store_true", help="compress the texts")
    add_option(parser)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        train(arguments.text, arguments.tokenizer)
        return
    content, name = content_of(arguments.text), name_of(arguments.text)
    results = Results("large_text", arguments.results, threads=2)
    print(f"torch {torch.__version__}, 2 threads, {arguments.tokenizer} tokens, {name}\n")
    print("| text | seconds to the first step | peak memory, MiB |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for size in (len(content), round(arguments.gigabytes * 1e9)):
            large = Path(folder) / ("large.txt.gz" if arguments.gzip else "large.txt")
            with gzip.open(large, "wb", compresslevel=1) if arguments.gzip else large.open("wb") as file:
                write_shuffled(content, size, file)
            seconds, memory = measure(large, arguments.tokenizer)
            megabytes = round(size / 1e6, 1)
            print(f"| {megabytes:,.1f} MB | {seconds:.1f} | {memory:,.0f} |", flush=True)
            figures = {"seconds": seconds, "memory_mb": memory}
            shown = f"{name}, shuffled" + ", gzip" * arguments.gzip
            results.add({"text": shown, "tokenizer": arguments.tokenizer, "megabytes": megabytes}, figures)


if __name__ == "__main__":
    start(main)
