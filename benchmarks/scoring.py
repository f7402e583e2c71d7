"""Speed and memory of scoring short lines, next to the evaluation of the same text.

    python benchmarks/scoring.py [TEXT] [--lines 100000] [--length 50] [--rounds 3] [--threads 2] [--seconds 20]
        [--one-by-one 500]

A character model of TEXT (tinyshakespeare by default) is trained for some seconds. TEXT, over and over, is cut into
lines of equal length, and each line is a document. In every round, `evaluate` scores them all and `score_spans`
scores each, from standard input as a stream; both are checked to give the same sum. `--one-by-one` lines are also
scored each in a call of its own. Speeds are medians of the rounds, encoding included; memory is the peak of the
process that streams.
"""

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from results import Results, add_option
from runs import content_of, name_of, start


def stream(run: str, threads: int) -> None:
    """Score standard input, and print the seconds, the sum, and the peak memory in MiB; runs in its own process."""
    import charlm

    torch.set_num_threads(threads)
    model = charlm.load(run)
    list(model.score_texts(["a"]))  # loads compiled code, as training has done in the other process
    started = time.perf_counter()
    nats = math.fsum(span.nats for span in model.score_spans("-", by="document", corpus={"documents": "line"}))
    print(time.perf_counter() - started, nats.hex(), peak_memory())


def peak_memory() -> float:
    """The most memory of this process so far, MiB; getrusage would count what its parent had before it started."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", default="tinyshakespeare")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--length", type=int, default=50)
    parser.add_argument("--one-by-one", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    add_option(parser)
    arguments = parser.parse_args()
    if arguments.child:
        stream(arguments.child, arguments.threads)
        return
    import charlm

    torch.set_num_threads(arguments.threads)
    characters = " ".join(content_of(arguments.text).decode().split())
    needed = arguments.lines * arguments.length
    characters = (characters * (needed // len(characters) + 1))[:needed]
    lines = [characters[at : at + arguments.length] for at in range(0, needed, arguments.length)]
    with tempfile.TemporaryDirectory() as folder:
        path, run = Path(folder, "lines.txt"), str(Path(folder, "run"))
        path.write_text("\n".join(lines) + "\n")
        settings = {"minutes": arguments.seconds / 60, "threads": arguments.threads, "seed": 1}
        model = charlm.train(arguments.text, run=run, **settings)
        speeds: dict[str, list[float]] = {"eval": [], "score": [], "one by one": []}
        memory = 0.0
        for _ in range(arguments.rounds):
            os.environ["CHARLM_CACHE"] = tempfile.mkdtemp(dir=folder)  # so that the text is encoded again
            started = time.perf_counter()
            nats = model.evaluate(path, corpus={"documents": "line"}).nats
            speeds["eval"].append(needed / (time.perf_counter() - started))
            command = [sys.executable, __file__, "--child", run, "--threads", str(arguments.threads)]
            with path.open("rb") as file:
                done = subprocess.run(command, stdin=file, check=True, stdout=subprocess.PIPE, text=True)
            seconds, total, megabytes = done.stdout.split()
            if float.fromhex(total) != nats:
                sys.exit(f"the scores add up to {float.fromhex(total)!r}, and eval counts {nats!r}")
            speeds["score"].append(needed / float(seconds))
            memory = max(memory, float(megabytes))
            started = time.perf_counter()
            for line in lines[: arguments.one_by_one]:
                list(model.score_texts([line]))
            some = arguments.one_by_one * arguments.length
            speeds["one by one"].append(some / (time.perf_counter() - started))
    figures = {name.replace(" ", "_"): median(values) for name, values in speeds.items()} | {"memory_mb": memory}
    print("| eval, characters/s | score | one by one | score / eval | score / one by one | memory, MiB |")
    print("| --- | --- | --- | --- | --- | --- |")
    shares = figures["score"] / figures["eval"], figures["score"] / figures["one_by_one"]
    speeds_shown = " | ".join(f"{figures[name]:,.0f}" for name in ("eval", "score", "one_by_one"))
    print(f"| {speeds_shown} | {shares[0]:.2f} | {shares[1]:.1f} | {memory:,.0f} |")
    results = Results("scoring", arguments.results, threads=arguments.threads)
    what = {"text": name_of(arguments.text), "lines": arguments.lines, "length": arguments.length}
    results.add(what, figures, seed=1)


if __name__ == "__main__":
    start(main)
