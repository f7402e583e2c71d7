"""How many characters per second charlm writes, and how many the machine would allow.

    python benchmarks/sampling.py [--threads 2] [--length 3000] [--cell lstm]
    python benchmarks/sampling.py --cells all
    python benchmarks/sampling.py --without-avx512

Makes the rows of docs/benchmarks.md, section "Sampling speed". Networks have random weights and 65 characters;
the temperature is 1. Without --cells there is a row for each size:

charlm             the compiled step and everything around it: controls, draw, text
through the model  the same, except that every step calls the model
plain loop         module call, softmax and `torch.multinomial`, as most programs do it
bound              for one text, how often per second one thread can read the weights that every step needs; for 64
                   texts, the matrix products of a step alone
short / long       the speed of a text a quarter as long, with its fixed costs, over that of the full length
of the speed without prior
                   charlm with the n-gram prior, the embedding and the match over charlm without them, in the same
                   network

With --cells there is a row for each of these cells, of one text at 1x256 without a prior; "compiled step" is charlm as
above, and "ratio" is how many times as fast it is as through the model.

All programs of a row run in turn, five rounds after a warm-up. Speeds are medians over the rounds, and a ratio is the
median of the ratios of each round.

--without-avx512 imitates a processor that has AVX2 but not AVX-512, for all columns: charlm's code is compiled without
AVX-512, and torch, its libraries MKL and oneDNN, and numpy are told to use AVX2 by environment variables. The programs
are in `sampling_programs.py`.
"""

import argparse
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from results import Results, add_option
from runs import start


class Size(NamedTuple):
    """A row of the table of sizes."""

    layers: int
    hidden_size: int
    texts: int
    """How many are written side by side."""
    order: int = 0
    """n of the n-gram prior; 0 is none."""
    vectors: int = 0
    """Number of vectors in the n-gram embedding."""
    match: bool = False
    """Whether it has a match, with recent contexts."""


SIZES = (
    Size(1, 256, 1),
    Size(1, 256, 1, 8),
    Size(1, 256, 1, 8, 5000),
    Size(1, 256, 1, 12, 5000, match=True),
    Size(2, 512, 1),
    Size(1, 256, 64),
    Size(1, 256, 64, 8),
    Size(1, 256, 64, 8, 5000),
    Size(1, 256, 64, 12, 5000, match=True),
)
SIZE_OF_CELLS = Size(1, 256, 1)
ROUNDS = 5
AVX2_ONLY = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",  # torch's matrix products
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # torch's recurrent layers
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
"""Environment variables, which each library reads when it is imported."""


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--length", type=int, default=3000, help="characters; a fifth of it where 64 texts are written")
    parser.add_argument("--cell", default="lstm", help="of the table of sizes")
    parser.add_argument("--cells", help="print the table of these cells, separated by commas; all is every cell")
    parser.add_argument("--without-avx512", action="store_true", help="imitate a processor without AVX-512")
    add_option(parser)
    arguments = parser.parse_args()
    if arguments.without_avx512:
        leave_out_avx512()
    os.environ["OPENBLAS_NUM_THREADS"] = str(arguments.threads)  # numpy reads it when it is imported

    import numpy as np
    import torch
    from sampling_programs import VOCABULARY

    from charlm.cells import CELLS
    from charlm.native.compiler import compiler

    torch.set_num_threads(arguments.threads)
    instructions = " without AVX-512" if arguments.without_avx512 else ""
    what = "1x256, one text" if arguments.cells else arguments.cell
    print(
        f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), numpy {np.__version__}, "
        f"Python {platform.python_version()}, threads: {arguments.threads}, compiled by {compiler()}{instructions}; "
        f"{what}, {len(VOCABULARY)} characters; characters per second over all texts\n"
    )
    name = "sampling_cells" if arguments.cells else "sampling"
    instructions_used = "AVX2 (AVX-512 left out)" if arguments.without_avx512 else None
    results = Results(name, arguments.results, threads=arguments.threads, instructions=instructions_used)
    if arguments.cells:
        print_cells(list(CELLS) if arguments.cells == "all" else arguments.cells.split(","), arguments.length, results)
    else:
        print_sizes(arguments.cell, arguments.length, results)


def leave_out_avx512() -> None:
    """Let charlm's compiled code, torch and numpy use AVX2 only; torch and numpy must not be imported yet."""
    os.environ |= AVX2_ONLY
    from charlm.native import compiler

    compiler._FLAGS = (*compiler._FLAGS, "-mno-avx512f")


def print_sizes(cell: str, length: int, results: Results) -> None:
    """The table of sizes."""
    from sampling_programs import charlm_writer, make_network, plain_loop, programs_of, timed

    speeds_of = ("charlm", "through the model", "plain loop", "bound")
    ratios = ("charlm / bound", "short / long", "of the speed without prior")
    print_headings("size", "texts", "prior", "n-gram vectors", "match", *speeds_of, *ratios)
    for size in SIZES:
        network = make_network(cell, size)
        own_length = length if size.texts == 1 else length // 5
        programs = programs_of(network, size.texts, own_length)
        programs["plain loop"] = timed(plain_loop(network, size.texts), size.texts, own_length // 5)
        programs["short"] = timed(charlm_writer(network, size.texts), size.texts, own_length // 4)
        if size.order:
            without = make_network(cell, Size(size.layers, size.hidden_size, size.texts))
            programs["without prior"] = timed(charlm_writer(without, size.texts), size.texts, own_length)
        speeds = measure(programs)
        print_row(
            f"{size.layers}x{size.hidden_size}",
            size.texts,
            size.order or "none",
            size.vectors or "none",
            "yes" if size.match else "no",
            *(f"{statistics.median(speeds[name]):,.0f}" for name in ("charlm", "through the model", "plain loop")),
            f"{statistics.median(speeds['bound']):,.0f}",
            f"{ratio(speeds, 'charlm', 'bound'):.2f}",
            f"{ratio(speeds, 'short', 'charlm'):.2f}",
            f"{ratio(speeds, 'charlm', 'without prior'):.2f}" if size.order else "",
        )
        figures = medians(speeds, "charlm", "through the model", "plain loop", "bound") | {
            "charlm_over_bound": ratio(speeds, "charlm", "bound"),
            "short_over_long": ratio(speeds, "short", "charlm"),
        }
        if size.order:
            figures["of_the_speed_without_prior"] = ratio(speeds, "charlm", "without prior")
        settings = {"cell": cell, "size": f"{size.layers}x{size.hidden_size}", "texts": size.texts}
        settings |= {"order": size.order, "vectors": size.vectors, "match": size.match}
        results.add(settings, figures, seed=1)


def print_cells(cells: Sequence[str], length: int, results: Results) -> None:
    """The table of cells."""
    from sampling_programs import make_network, programs_of

    print_headings("cell", "compiled step", "through the model", "ratio", "bound", "compiled / bound")
    for cell in cells:
        speeds = measure(programs_of(make_network(cell, SIZE_OF_CELLS), SIZE_OF_CELLS.texts, length))
        print_row(
            f"`{cell}`",
            f"{statistics.median(speeds['charlm']):,.0f}",
            f"{statistics.median(speeds['through the model']):,.0f}",
            f"{ratio(speeds, 'charlm', 'through the model'):.1f}",
            f"{statistics.median(speeds['bound']):,.0f}",
            f"{ratio(speeds, 'charlm', 'bound'):.2f}",
        )
        figures = medians(speeds, "charlm", "through the model", "bound") | {
            "ratio": ratio(speeds, "charlm", "through the model"),
            "charlm_over_bound": ratio(speeds, "charlm", "bound"),
        }
        results.add({"cell": cell}, figures, seed=1)


def medians(speeds: Mapping[str, Sequence[float]], *programs: str) -> dict[str, float]:
    """The median speeds of some programs, for the results file."""
    return {name.replace(" ", "_"): statistics.median(speeds[name]) for name in programs}


def print_headings(*headings: str) -> None:
    """The first two lines of a table."""
    print_row(*headings)
    print(f"|{' --- |' * len(headings)}")


def print_row(*values: object) -> None:
    """A line of a table."""
    print(f"| {' | '.join(map(str, values))} |", flush=True)


def measure(programs: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Characters per second of each program, a list over the rounds."""
    speeds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(ROUNDS):
        for name, program in programs.items():
            speeds[name].append(program())
    return speeds


def ratio(speeds: Mapping[str, Sequence[float]], one: str, other: str) -> float:
    """The median over the rounds of one program's speed over another's."""
    return statistics.median(own / its for own, its in zip(speeds[one], speeds[other], strict=True))


if __name__ == "__main__":
    start(main)
