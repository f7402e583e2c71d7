"""Forward and backward of every cell against the GEMM floor, and against torch's own layer if there is one.

    python benchmarks/kernels.py [--cells rnn,lstm] [--rounds 15] [--sizes 0 1 2] [--memory]

Makes the rows of docs/benchmarks.md, section "Kernels".

The floor of a layer is the time of the matrix products that it can't avoid, with `torch.mm(out=)`: per step (B,H)x(H,R)
forward and (B,R)x(R,H) backward, where R is the rows of recurrent weights; over the window the input projection, its
gradient, and the gradients of both weights as single products. Everything is timed in turn, round after round, in this
process. A figure is the median over the rounds of floor / time, about 1 at best. --memory measures instead by how much
one window, forward and backward, raises the peak of resident memory; every measurement has a fresh process.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from results import Results, add_option
from runs import start
from torch import Tensor, nn

from charlm.cells import CELLS, Cell, find_cell
from charlm.kernels import KERNELS
from charlm.model.layers import RecurrentLayer
from charlm.native.compiler import compiler

SIZES = [(256, 16, 32, 1), (256, 64, 128, 2), (512, 64, 128, 2)]
"""H, B, T and layers."""
TORCH: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru-reset-after": nn.GRU}


def floor(cell: Cell, hidden_size: int, batch: int, steps: int, layers: int) -> Callable[[], None]:
    """The matrix products of a window."""
    gates = len(cell.gates) * hidden_size
    rows = (len(cell.recurrent) + len(cell.extra_matrices)) * hidden_size
    h, x = torch.randn(batch, hidden_size), torch.randn(steps * batch, hidden_size)
    v, w = torch.randn(gates, hidden_size), torch.randn(max(1, rows), hidden_size)
    d_gates, d_rows = torch.randn(steps * batch, gates), torch.randn(steps * batch, max(1, rows))
    d_step = torch.randn(batch, max(1, rows))
    out_rows, out_h = torch.empty(batch, max(1, rows)), torch.empty(batch, hidden_size)
    out_gates, out_x = torch.empty(steps * batch, gates), torch.empty(steps * batch, hidden_size)
    out_v, out_w = torch.empty(gates, hidden_size), torch.empty(max(1, rows), hidden_size)

    def run() -> None:
        for _ in range(layers):
            torch.mm(x, v.T, out=out_gates)
            torch.mm(d_gates, v, out=out_x)
            torch.mm(d_gates.T, x, out=out_v)
            if rows:
                for _ in range(steps):
                    torch.mm(h, w.T, out=out_rows)
                    torch.mm(d_step, w, out=out_h)
                torch.mm(d_rows.T, x, out=out_w)

    return run


def kernel(cell: Cell, hidden_size: int, batch: int, steps: int, layers: int) -> Callable[[], None]:
    """charlm's kernels."""
    stack = [RecurrentLayer(cell, hidden_size, hidden_size) for _ in range(layers)]
    for layer in stack:
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -0.05, 0.05)
    x = torch.randn(steps, batch, hidden_size, requires_grad=True)
    d_out = torch.randn(steps, batch, hidden_size)

    def run() -> None:
        out: Tensor = x
        for layer in stack:
            state = tuple(torch.zeros(batch, hidden_size) for _ in cell.states)
            out, _ = KERNELS[cell.name](layer.project(out), state, dict(layer.named_parameters()))
        out.backward(d_out)  # type: ignore[no-untyped-call]

    return run


def torch_layer(cell: Cell, hidden_size: int, batch: int, steps: int, layers: int) -> Callable[[], None]:
    """torch's own layers."""
    stack = TORCH[cell.name](hidden_size, hidden_size, num_layers=layers)
    x = torch.randn(steps, batch, hidden_size, requires_grad=True)
    d_out = torch.randn(steps, batch, hidden_size)

    def run() -> None:
        stack(x)[0].backward(d_out)

    return run


def size_name(size: int) -> str:
    """How the tables name a size."""
    h, b, t, layers = SIZES[size]
    return f"{layers}x{h}, B={b}, T={t}"


def measure(programs: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each program, a list over the rounds; two more rounds come first, to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(rounds + 2):
        for name, run in programs.items():
            start = time.perf_counter()
            run()
            if number >= 2:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def peak(cell: str, size: int, program: str) -> float:
    """MiB by which one window raises the peak of resident memory of this process, which must be fresh."""
    hidden_size, batch, steps, layers = SIZES[size]
    torch.set_num_threads(2)
    make = kernel if program == "charlm" else torch_layer
    make(CELLS[cell], 8, 2, 2, layers)()  # allocates what is allocated once per process
    run = make(CELLS[cell], hidden_size, batch, steps, layers)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[1]) * resource.getpagesize() // 1024
    run()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - min(before, now)) / 1024


def show_memory(results: Results) -> None:
    """Print the table of peaks, for the cells that torch has too."""
    print("| cell | H | B | T | layers | charlm, MiB | torch, MiB | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for size, (hidden_size, batch, steps, layers) in enumerate(SIZES):
        for cell in TORCH:
            peaks = {}
            for program in ("charlm", "torch"):
                command = [sys.executable, __file__, "--peak", cell, str(size), program]
                peaks[program] = float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            own, other = peaks["charlm"], peaks["torch"]
            figures = {"charlm_mb": own, "torch_mb": other, "ratio": own / other}
            results.add({"cell": cell, "size": size_name(size)}, figures)
            print(
                f"| `{cell}` | {hidden_size} | {batch} | {steps} | {layers} "
                f"| {own:.0f} | {other:.0f} | {own / other:.2f} |"
            )


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--sizes", type=int, nargs="+", choices=range(len(SIZES)), default=[0, 1, 2], help="which sizes"
    )
    parser.add_argument("--memory", action="store_true", help="measure memory instead of time")
    add_option(parser)
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        print(peak(arguments.peak[0], int(arguments.peak[1]), arguments.peak[2]))
        return
    if arguments.memory:
        show_memory(Results("kernels_memory", arguments.results, threads=2))
        return
    torch.set_num_threads(2)
    results = Results("kernels", arguments.results, threads=2)
    print(f"torch {torch.__version__}, 2 threads, kernels compiled by {compiler()}")
    for hidden_size, batch, steps, layers in [SIZES[index] for index in arguments.sizes]:
        print(f"\nH={hidden_size} B={batch} T={steps}, layers: {layers}\n")
        print("| cell | floor, ms | charlm | torch |\n| --- | --- | --- | --- |")
        for name in arguments.cells.split(","):
            cell = find_cell(name)
            size = (hidden_size, batch, steps, layers)
            programs = {"floor": floor(cell, *size), "charlm": kernel(cell, *size)}
            if name in TORCH:
                programs["torch"] = torch_layer(cell, *size)
            seconds = measure(programs, arguments.rounds)
            ratios = {
                other: statistics.median(f / t for f, t in zip(seconds["floor"], seconds[other], strict=True))
                for other in programs
            }
            theirs = f"{ratios['torch']:.2f}" if "torch" in ratios else ""
            floor_ms = statistics.median(seconds["floor"]) * 1e3
            settings = {"cell": name, "size": size_name(SIZES.index(size))}
            figures = {other: value for other, value in ratios.items() if other != "floor"}
            results.add(settings, figures | {"floor_ms": floor_ms})
            print(f"| `{name}` | {floor_ms:.2f} | {ratios['charlm']:.2f} | {theirs} |", flush=True)


if __name__ == "__main__":
    start(main)
