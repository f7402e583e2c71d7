"""Where the time of a run goes, and how much of it the matrix products take that can't be avoided.

    python benchmarks/minute.py TEXT [--minutes 1] [--seeds 1] [--threads 2]

Makes the rows of docs/benchmarks.md, section "Where a minute goes". Each run is `charlm train TEXT --minutes M
--init-from none`; all but the products follows from its clock and its metrics.jsonl.

start      seconds before the first step: imports, reading, counting n-grams, timing the machine
steps      seconds of the steps: their number times the median time of one
between    seconds of validations, samples and saves between the steps
end        seconds after the last step, with those before the clock of the run starts
products   seconds that `torch.mm(out=)` takes for the products of all steps: those of the layer, as in kernels.py, with
           the embedding as its input, and three of the output layer; in float32 or bfloat16, whichever the run used
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from results import Results, add_option
from runs import name_of, records_of, run_charlm, start

import charlm
from charlm.config import ModelConfig, TrainConfig
from charlm.model.precision import computes_in_bfloat16

_ROUNDS = 100  # of the products of a step


def main() -> None:
    """Print a row for each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--threads", type=int, default=2)
    add_option(parser)
    arguments = parser.parse_args()
    results = Results("minute", arguments.results, threads=arguments.threads)
    names = ("start", "steps_seconds", "between", "end", "products")
    print("| text | seed | steps | start, s | steps, s | between, s | end, s | products, s | share |")
    print("|" + " --- |" * 9)
    for seed in arguments.seeds:
        figures = measure(arguments.text, arguments.minutes, seed, arguments.threads)
        settings = {"text": name_of(arguments.text), "minutes": arguments.minutes}
        results.add(settings, figures, seed=seed)
        shown = " | ".join(f"{figures[name]:.1f}" for name in names)
        print(f"| {settings['text']} | {seed} | {figures['steps']:,} | {shown} | {figures['share']:.2f} |", flush=True)


def measure(text: str, minutes: float, seed: int, threads: int) -> dict[str, Any]:
    """The figures of a run."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        options = ["--minutes", minutes, "--seed", seed, "--threads", threads, "--init-from", "none"]
        began = time.perf_counter()
        run_charlm("train", text, "--run", run, *options)
        total = time.perf_counter() - began
        records = records_of(run)
        training = TrainConfig.from_json(json.loads((run / "config.json").read_text())["training"])
        model = charlm.load(run).model
    if len(records) < 2:
        sys.exit(f"a run of {records[-1]['step']} steps is too short to time; pass a longer --minutes")
    first, last = records[0], records[-1]
    step = median(
        (after["seconds"] - before["seconds"]) / (after["step"] - before["step"]) for before, after in pairwise(records)
    )
    in_bfloat16 = computes_in_bfloat16(model, training.precision)
    tokens = round(last["tokens"] / last["step"])
    floor = products(model.config, tokens, training.seq_len, torch.bfloat16 if in_bfloat16 else torch.float32)
    torch.set_num_threads(threads)
    figures = {
        "steps": last["step"],
        "start": first["seconds"] - first["step"] * step,
        "steps_seconds": last["step"] * step,
        "end": total - last["seconds"],
        "products": last["step"] * seconds_of(floor),
        "total": total,
    }
    figures["between"] = total - figures["start"] - figures["steps_seconds"] - figures["end"]
    return figures | {"share": figures["products"] / total, "in_bfloat16": in_bfloat16}


def products(config: ModelConfig, tokens: int, seq_len: int, dtype: torch.dtype) -> Callable[[], None]:
    """The products of a step of an LSTM on `tokens` tokens, T = `seq_len`."""
    embedding, hidden, gates = config.embedding_size, config.hidden_size, 4 * config.hidden_size
    shapes = {
        "x": (tokens, embedding),
        "h": (tokens, hidden),
        "gates": (tokens, gates),
        "logits": (tokens, config.vocab_size),
        "input": (gates, embedding),
        "recurrent": (gates, hidden),
        "output": (config.vocab_size, hidden),
    }
    a, out = ({name: torch.randn(shape).to(dtype) for name, shape in shapes.items()} for _ in range(2))
    batch = tokens // seq_len
    h, d, out_gates, out_h = a["h"][:batch], a["gates"][:batch], out["gates"][:batch], out["h"][:batch]

    def run() -> None:
        """All of them once."""
        for _ in range(seq_len):
            torch.mm(h, a["recurrent"].T, out=out_gates)
            torch.mm(d, a["recurrent"], out=out_h)
        torch.mm(a["gates"].T, a["h"], out=out["recurrent"])
        for x, weight, y in (("x", "input", "gates"), ("h", "output", "logits")):
            torch.mm(a[x], a[weight].T, out=out[y])
            torch.mm(a[y], a[weight], out=out[x])
            torch.mm(a[y].T, a[x], out=out[weight])

    return run


def seconds_of(run: Callable[[], None]) -> float:
    """The median time of a call."""
    seconds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return median(seconds)


if __name__ == "__main__":
    start(main)
