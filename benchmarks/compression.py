"""How small a model makes a text that it has not seen, and how fast.

    python benchmarks/compression.py [TEXT] [--minutes 5] [--seed 1] [--threads 2]

Trains a new network on the first nine tenths of TEXT (tinyshakespeare by default) for some minutes, and compresses the
last tenth.

eval                   what `charlm eval` promises, in bytes, and with `--dynamic`
static, dynamic        the archive of `charlm compress`, and with `--dynamic`
xz, xz after training  the same text by xz, and what xz needs for it after the training text
characters/s           of compression and decompression, on one thread, the median of three; of dynamic only one
"""

import argparse
import lzma
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from results import Results, add_option
from runs import name_of, start

import charlm

ROUNDS = 3


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", default="tinyshakespeare", metavar="TEXT")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2, help="of training; compression has one")
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("compression", arguments.results, threads=arguments.threads)
    figures = measure(arguments.text, arguments.minutes, arguments.seed, arguments.threads)
    results.add(
        {"text": name_of(arguments.text), "minutes": arguments.minutes, "cell": "lstm"}, figures, seed=arguments.seed
    )
    print(f"torch {torch.__version__}, {arguments.minutes:g} minutes on {arguments.threads} threads\n")
    print("| what | value |\n| --- | --- |")
    for name, value in figures.items():
        print(f"| {name.replace('_', ' ')} | {value:,.1f} |")


def measure(text: str, minutes: float, seed: int, threads: int) -> dict[str, Any]:
    """Train in a temporary folder, and compress the held-out tenth."""
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {"minutes": minutes, "seed": seed, "threads": threads, "init_from": "none"}
        model = charlm.train(text, run=Path(folder) / "run", splits=(90, 10, 0), **settings)
        corpus = model.read().corpus
        train, data = ("".join(corpus.split_texts(split)).encode() for split in ("train", "valid"))
        held_out = Path(folder) / "held-out.txt"
        held_out.write_bytes(data)
        torch.set_num_threads(1)
        promised = model.evaluate(held_out).nats / math.log(2) / 8
        learning = model.evaluate(held_out, dynamic=charlm.DynamicConfig()).nats / math.log(2) / 8
    characters = len(data.decode())
    figures = {"bytes": len(data), "eval": promised, "eval_dynamic": learning}
    for name, rounds, dynamic in (("static", ROUNDS, False), ("dynamic", 1, True)):
        archives, into = timed(lambda dynamic=dynamic: charlm.compress(data, model, dynamic=dynamic), rounds)
        restored, back = timed(lambda archive=archives[0]: charlm.decompress(archive, model), rounds)
        assert all(one == data for one in restored)
        figures |= {
            name: len(archives[0]),
            f"{name}_characters_per_second": characters / into,
            f"{name}_characters_per_second_back": characters / back,
        }
    alone, both = (len(lzma.compress(content, preset=9)) for content in (data, train + data))
    return figures | {"xz": alone, "xz_after_training": both - len(lzma.compress(train, preset=9))}


def timed(call: Callable[[], bytes], rounds: int) -> tuple[list[bytes], float]:
    """The results of some calls, and the median of their seconds."""
    contents, seconds = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        contents.append(call())
        seconds.append(time.perf_counter() - start)
    return contents, statistics.median(seconds)


if __name__ == "__main__":
    start(main)
