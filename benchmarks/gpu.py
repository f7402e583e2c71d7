"""How fast `charlm train` is on a GPU, by cell and width, and what it reaches in a few minutes.

    python benchmarks/gpu.py TEXT [--device cuda] [--cells lstm gru] [--hidden 1024 2048 4096] [--minutes 2] [--quick]

For each cell and width: tokens per second of training with n-gram prior, as charlm does it; of cuDNN's layer alone,
forwards and backwards on inputs in half precision, for the cells that cuDNN has; and of charlm on the CPU, with 16
sequences per step. The speeds are those of the steps, without validation, on the first million bytes of TEXT. Then a
run of some minutes on the whole of TEXT, split 90/5/5, all else as charlm chooses. It should take less than ten minutes
on one card. `--quick` is a run of a few seconds with small sizes, to see that the script works; it keeps no figures.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from results import Results, add_option
from runs import name_of, start, training_speed

from charlm.api import train_run
from charlm.config import Device
from charlm.data.sources import find_sources
from charlm.kernels.torch_layers import MODULES

_SAMPLE = 1_000_000  # bytes of the text on which speeds are measured
_CPU_ROWS = 16


def charlm_speed(text: Path, cell: str, hidden: int, device: Device, *, rows: int, length: int, steps: int) -> float:
    """Tokens per second of the steps of a run, without the first ten."""
    with tempfile.TemporaryDirectory() as folder:
        train_run(
            text,
            run=Path(folder) / "run",
            model={"cell": cell, "hidden_size": hidden, "ngram_order": 12},
            training={
                "steps": steps,
                "batch_size": rows,
                "seq_len": length,
                "device": device,
                "validations": 1,
                "optimizer": "muon",
            },
            auto=False,
        )
        return training_speed(Path(folder) / "run")


def layer_speed(cell: str, hidden: int, device: str, *, rows: int, length: int, steps: int) -> float:
    """Tokens per second of torch's own layer alone, forwards and backwards; in float16 on CUDA."""
    dtype = torch.float16 if device == "cuda" else torch.float32
    layer = MODULES[cell](hidden, hidden, device=device, dtype=dtype)
    x = torch.randn(length, rows, hidden, device=device, dtype=dtype, requires_grad=True)
    seconds: list[float] = []
    for _ in range(steps):
        began = time.perf_counter()
        outputs, _ = layer(x)
        outputs.backward(torch.full_like(outputs, 1e-3))
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return length * rows / statistics.median(seconds[len(seconds) // 3 :])


def quality(text: str, minutes: float, device: Device) -> dict[str, Any]:
    """Nats per token that a run of some minutes reaches on the validation split, and what it read."""
    with tempfile.TemporaryDirectory() as folder:
        trained = train_run(
            text,
            run=Path(folder) / "run",
            corpus={"splits": (90.0, 5.0, 5.0)},
            training={"minutes": minutes, "device": device},
            init_from=None,
        )
    outcome = trained.outcome
    return {"nats_per_token": outcome.best, "tokens": outcome.tokens, "seconds": outcome.seconds}


def sample_of(text: str, folder: str) -> Path:
    """A file with the first million bytes of a text, of a file or a registered name."""
    with find_sources(text).sources[0].open() as file:
        data = file.read(_SAMPLE)
    path = Path(folder) / "sample.txt"
    path.write_text(data.decode("utf-8", "ignore"), encoding="utf-8")
    return path


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru"])
    parser.add_argument("--hidden", type=int, nargs="+", default=[1024, 2048, 4096])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--quick", action="store_true")
    add_option(parser)
    arguments = parser.parse_args(words)
    rows, length, steps, hidden, minutes = 256, 128, 60, arguments.hidden, arguments.minutes
    if arguments.quick:
        rows, length, steps, hidden, minutes = 8, 16, 40, [16, 32], 0.05
    name = torch.cuda.get_device_name() if arguments.device == "cuda" else "CPU"
    kept = None if arguments.quick else Results("gpu", arguments.results, threads=torch.get_num_threads())
    print(f"torch {torch.__version__}, {name}, {torch.get_num_threads()} threads, B={rows}, T={length}\n")
    print("| cell | hidden | tokens/s | torch's layer alone | share | CPU |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        sample = sample_of(arguments.text, folder)
        for cell in arguments.cells:
            for width in hidden:
                speed = charlm_speed(sample, cell, width, arguments.device, rows=rows, length=length, steps=steps)
                alone = None
                if cell in MODULES:
                    alone = layer_speed(cell, width, arguments.device, rows=rows, length=length, steps=steps // 2)
                cpu = charlm_speed(sample, cell, width, "cpu", rows=min(rows, _CPU_ROWS), length=16, steps=30)
                share = "none" if alone is None else f"{speed / alone:.2f}"
                layer = "none" if alone is None else f"{alone:,.0f}"
                print(f"| `{cell}` | {width} | {speed:,.0f} | {layer} | {share} | {cpu:,.0f} |", flush=True)
                if kept is not None:
                    settings = {"cell": cell, "hidden": width, "device": name, "rows": rows, "length": length}
                    figures = {"tokens_per_second": speed, "layer": alone, "cpu": cpu}
                    kept.add(settings, figures, seed=1)
    reached = quality(arguments.text, minutes, arguments.device)
    print(
        f"\n{minutes:g} minutes on {name_of(arguments.text)}: {reached['nats_per_token']:.4f} nats per token on the "
        f"validation split, {reached['tokens']:,} tokens read"
    )
    if kept is not None:
        settings = {"text": name_of(arguments.text), "minutes": minutes, "device": name}
        kept.add(settings, reached, seed=1)


if __name__ == "__main__":
    start(main)
