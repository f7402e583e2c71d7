"""What every cell learns in a minute at equal width, without an n-gram prior.

    python benchmarks/cells.py [TEXT] [--minutes 1] [--seeds 1] [--cells lstm,gru] [--threads 1]

Makes the rows of docs/benchmarks.md, section "Cells". TEXT is a file or a registered name, tinyshakespeare by default.
It is split 90/10/0, and the whole validation split is scored. A run that this machine has made in this state of the
program is not repeated.
"""

import argparse
import json
import tempfile
from functools import partial
from typing import Any

from results import Results, add_option
from runs import name_of, run_charlm, start

from charlm.cells import CELLS

OPTIONS = (
    "--splits",
    "90/10/0",
    "--init-from",
    "none",
    "--ngram-order",
    "0",
    "--learning-rate",
    "0.003",
    "--dropout",
    "0.1",
)


def run(text: str, cell: str, minutes: float, seed: int, threads: int) -> dict[str, Any]:
    """Train once and score."""
    with tempfile.TemporaryDirectory() as folder:
        options = [*OPTIONS, "--minutes", minutes, "--seed", seed, "--threads", threads, "--cell", cell]
        outcome = json.loads(run_charlm("train", text, *options, "--run", f"{folder}/run", "--json"))
        score = json.loads(run_charlm("eval", f"{folder}/run", "--no-baselines", "--json"))
    return {"steps": outcome["step"], "nats_per_character": score["nats_per_character"]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", default="tinyshakespeare")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--threads", type=int, default=1)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("cells", arguments.results, threads=arguments.threads)
    print("| cell | seed | steps | nats/char |\n| --- | --- | --- | --- |")
    for cell in arguments.cells.split(","):
        settings = {"text": name_of(arguments.text), "minutes": arguments.minutes, "cell": cell}
        for seed in arguments.seeds:
            measured = partial(run, arguments.text, cell, arguments.minutes, seed, arguments.threads)
            one = results.get(settings, measured, seed=seed)
            print(f"| `{cell}` | {seed} | {one['steps']:,} | {one['nats_per_character']:.4f} |", flush=True)


if __name__ == "__main__":
    start(main)
