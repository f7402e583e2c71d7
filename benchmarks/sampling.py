"""How many characters per second charlm writes, and how many the machine would allow.

    python benchmarks/sampling.py [--threads 2] [--length 3000] [--cell lstm]
    python benchmarks/sampling.py --cells all
    python benchmarks/sampling.py --flags "-mno-avx512f"

Prints the tables of docs/notes/benchmarks.md, section "Sampling speed". Networks have random weights and 65 characters;
the temperature is 1. Without --cells there is a row for each size:

charlm             the compiled step and everything around it: controls, draw, text
through the model  the same, except that every step calls the model
plain loop         module call, softmax and `torch.multinomial`, as most programs do it
bound              for one text, how often per second one thread can read the weights that every step needs; for 64
                   texts, the matrix products of a step alone
short / long       the speed of a text a quarter as long, with its fixed costs, over that of the full length
of the speed without prior
                   charlm with the n-gram prior and embedding over charlm without them, in the same network

With --cells there is a row for each of these cells, of one text at 1x256 without a prior; "compiled step" is charlm as
above, and "ratio" is how many times as fast it is as through the model.

All programs of a row run in turn, five rounds after a warm-up. Speeds are medians over the rounds, and a ratio is the
median of the ratios of each round.

--flags adds compiler flags to all of charlm's compiled code, which then has a temporary cache folder. "-mno-avx512f"
imitates a processor without AVX-512; torch and numpy, and so all other columns, still use every instruction there is.
"""

import argparse
import os
import platform
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

if TYPE_CHECKING:
    from charlm.model.language_model import LanguageModel
    from charlm.tokenizers.char import CharTokenizer

    Network = tuple[LanguageModel, CharTokenizer]


class Size(NamedTuple):
    """A row of the table of sizes."""

    layers: int
    width: int
    texts: int
    """How many are written side by side."""
    order: int = 0
    """n of the n-gram prior; 0 is none."""
    vectors: int = 0
    """Of the n-gram embedding."""


SIZES = (
    Size(1, 256, 1),
    Size(1, 256, 1, 8),
    Size(1, 256, 1, 8, 5000),
    Size(2, 512, 1),
    Size(1, 256, 64),
    Size(1, 256, 64, 8),
    Size(1, 256, 64, 8, 5000),
)
SIZE_OF_CELLS = Size(1, 256, 1)
VOCABULARY = "".join(map(chr, range(32, 97)))
ROUNDS = 5

Writer = Callable[[int], None]
"""Writes texts of a length in characters."""
Timed = Callable[[], float]
"""Runs once, and returns characters per second over all texts."""


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--length", type=int, default=3000, help="characters; a fifth of it where 64 texts are written")
    parser.add_argument("--cell", default="lstm", help="of the table of sizes")
    parser.add_argument("--cells", help="print the table of these cells, separated by commas; all is every cell")
    parser.add_argument("--flags", default="", help="compiler flags to add, such as -mno-avx512f")
    arguments = parser.parse_args(joined(sys.argv[1:]))
    os.environ["OPENBLAS_NUM_THREADS"] = str(arguments.threads)  # numpy reads it when it is imported

    import numpy as np
    import torch

    from charlm.cells import CELLS
    from charlm.native.compiler import compiler

    torch.set_num_threads(arguments.threads)
    with compiling_with(arguments.flags):
        flags = f" with {arguments.flags}" if arguments.flags else ""
        what = "1x256, one text" if arguments.cells else arguments.cell
        print(
            f"torch {torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}, "
            f"threads: {arguments.threads}, compiled by {compiler()}{flags}; {what}, {len(VOCABULARY)} characters; "
            "characters per second over all texts\n"
        )
        if arguments.cells:
            print_cells(list(CELLS) if arguments.cells == "all" else arguments.cells.split(","), arguments.length)
        else:
            print_sizes(arguments.cell, arguments.length)


def joined(words: Sequence[str]) -> list[str]:
    """The command line with the value of --flags joined to it by "=": argparse takes "-mno-avx512f" for an option."""
    words = list(words)
    if "--flags" in words[:-1]:
        at = words.index("--flags")
        words[at : at + 2] = [f"--flags={words[at + 1]}"]
    return words


@contextmanager
def compiling_with(flags: str) -> Iterator[None]:
    """Add compiler flags to everything that charlm compiles, in a temporary cache folder."""
    if not flags:
        yield
        return
    from charlm.native import compiler

    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, CHARLM_CACHE=folder),
        patch.object(compiler, "_FLAGS", (*compiler._FLAGS, *shlex.split(flags))),
    ):
        yield


def print_sizes(cell: str, length: int) -> None:
    """The table of sizes."""
    headings = ("size", "texts", "prior", "n-gram vectors", "charlm", "through the model", "plain loop", "bound")
    print_headings(*headings, "charlm / bound", "short / long", "of the speed without prior")
    for size in SIZES:
        network = make_network(cell, size)
        own_length = length if size.texts == 1 else length // 5
        programs = programs_of(network, size.texts, own_length)
        programs["plain loop"] = timed(plain_loop(network, size.texts), size.texts, own_length // 5)
        programs["short"] = timed(charlm_writer(network, size.texts), size.texts, own_length // 4)
        if size.order:
            without = make_network(cell, Size(size.layers, size.width, size.texts))
            programs["without prior"] = timed(charlm_writer(without, size.texts), size.texts, own_length)
        speeds = measure(programs)
        print_row(
            f"{size.layers}x{size.width}",
            size.texts,
            size.order or "none",
            size.vectors or "none",
            *(f"{statistics.median(speeds[name]):,.0f}" for name in ("charlm", "through the model", "plain loop")),
            f"{statistics.median(speeds['bound']):,.0f}",
            f"{ratio(speeds, 'charlm', 'bound'):.2f}",
            f"{ratio(speeds, 'short', 'charlm'):.2f}",
            f"{ratio(speeds, 'charlm', 'without prior'):.2f}" if size.order else "",
        )


def print_cells(cells: Sequence[str], length: int) -> None:
    """The table of cells."""
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


def print_headings(*headings: str) -> None:
    """The first two lines of a table."""
    print_row(*headings)
    print(f"|{' --- |' * len(headings)}")


def print_row(*values: object) -> None:
    """A line of a table."""
    print(f"| {' | '.join(map(str, values))} |", flush=True)


def make_network(cell: str, size: Size) -> "Network":
    """A network of random weights, on n-grams of made-up words, and its tokenizer.

    Exits where its step can't be compiled: there would be nothing to compare.
    """
    import torch

    from charlm.config import ModelConfig
    from charlm.model.language_model import LanguageModel
    from charlm.ngram.model import NgramModel
    from charlm.sampling.steppers import CompiledStepper
    from charlm.tokenizers.char import CharTokenizer

    tokenizer = CharTokenizer(VOCABULARY)
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size,
        cell=cell,
        num_layers=size.layers,
        hidden_size=size.width,
        ngram_order=size.order,
        context_vectors=size.vectors,
    )
    model = LanguageModel(config).eval()
    model.initialise(torch.Generator().manual_seed(1))
    if size.order:
        ids = tokenizer.encode(made_up_words(1_000_000))
        model.build_on(NgramModel.fit(ids, order=size.order, vocab_size=tokenizer.vocab_size, bos=tokenizer.bos))
    if CompiledStepper is None or not CompiledStepper.supports(model):
        sys.exit(
            f"the step of {cell} can't be compiled here; install a C compiler, and check --flags and CHARLM_NATIVE"
        )
    return model, tokenizer


def made_up_words(length: int) -> str:
    """A text of a thousand made-up words, some common and most rare, to count n-grams in."""
    import numpy as np

    rng = np.random.default_rng(1)
    known = ["".join(map(chr, rng.integers(65, 91, size))) for size in rng.integers(1, 10, 1000)]
    shares = 1 / np.arange(1, 1001)
    return " ".join(np.array(known)[rng.choice(1000, length // 5, p=shares / shares.sum())])[:length]


def programs_of(network: "Network", texts: int, length: int) -> dict[str, Timed]:
    """The programs of both tables: charlm, the same through the model, and the bound."""
    model, _ = network
    return {
        "charlm": timed(charlm_writer(network, texts), texts, length),
        "through the model": timed(model_writer(network, texts), texts, length // 5),
        "bound": lambda: bound(model, texts),
    }


def timed(write: Writer, texts: int, length: int) -> Timed:
    """Warm a writer up, and time it with texts of a length."""
    write(length // 20)
    return lambda: texts * length / seconds(lambda: write(length))


def measure(programs: Mapping[str, Timed]) -> dict[str, list[float]]:
    """Characters per second of each program, a list over the rounds."""
    speeds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(ROUNDS):
        for name, program in programs.items():
            speeds[name].append(program())
    return speeds


def ratio(speeds: Mapping[str, Sequence[float]], one: str, other: str) -> float:
    """The median over the rounds of one program's speed over another's."""
    return statistics.median(own / its for own, its in zip(speeds[one], speeds[other], strict=True))


def charlm_writer(network: "Network", texts: int) -> Writer:
    """What `charlm sample` does."""
    import torch

    from charlm.sampling import SampleConfig, generate_chunks, generate_many

    model, tokenizer = network

    def write(length: int) -> None:
        config = SampleConfig(length=length, min_length=length)
        if texts == 1:
            for _ in generate_chunks(model, tokenizer, torch.Generator().manual_seed(1), config=config):
                pass
        else:
            list(generate_many(model, tokenizer, seed=1, num=texts, batch=texts, config=config))

    return write


def model_writer(network: "Network", texts: int) -> Writer:
    """`charlm_writer` with a call of the model for every step."""
    from charlm.sampling.steppers import ModelStepper

    def prepare(model: "LanguageModel", states: Any, *, steering: object = ()) -> ModelStepper:
        return ModelStepper(model, states)

    write = charlm_writer(network, texts)

    def write_through_model(length: int) -> None:
        with patch("charlm.sampling.generate.prepare", prepare):
            write(length)

    return write_through_model


def plain_loop(network: "Network", texts: int) -> Writer:
    """Module call, softmax, draw."""
    import torch

    model, tokenizer = network

    @torch.inference_mode()
    def write(length: int) -> None:
        generator = torch.Generator().manual_seed(1)
        ids, states, written = torch.zeros(1, texts, dtype=torch.long), None, []
        for _ in range(length):
            logits, states = model(ids, states)
            ids = torch.multinomial(torch.softmax(logits[0], -1), 1, generator=generator).T
            written.append([tokenizer.decode([token]) for token in ids[0].tolist()])

    return write


def bound(model: "LanguageModel", texts: int) -> float:
    """Characters per second that the machine allows: reading the recurrent and output weights once per step, for one
    text, or the matrix products with them, for a batch."""
    import numpy as np
    import torch

    matrices = [
        weight.detach()
        for name, weight in model.named_parameters()
        if weight.ndim == 2 and name.startswith(("recurrent.", "output")) and name != "recurrent.layers.0.input"
    ]
    if texts == 1:
        numbers = np.concatenate([matrix.numpy().ravel() for matrix in matrices])
        repeats = max(1, 500_000_000 // numbers.nbytes)
        # All repeats in one call: the overhead of a call is as long as the reading of a small cell's weights.
        readings = np.broadcast_to(numbers, (repeats, len(numbers)))
        readings[: max(1, repeats // 10)].max(axis=1)
        return repeats / seconds(lambda: readings.max(axis=1))
    inputs = [torch.randn(texts, matrix.shape[1]) for matrix in matrices]
    outputs = [torch.empty(texts, matrix.shape[0]) for matrix in matrices]

    def products() -> None:
        for _ in range(200):
            for x, matrix, out in zip(inputs, matrices, outputs, strict=True):
                torch.mm(x, matrix.T, out=out)

    products()
    return texts * 200 / seconds(products)


if __name__ == "__main__":
    main()
