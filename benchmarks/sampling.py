"""How many characters a second are written, and what the machine would allow.

    python benchmarks/sampling.py [--threads 2] [--length 3000]

For each size: charlm's prepared path, with all that stands around it (controls, draw, text); the same through the
model; and the plain loop that most programs have, module call, softmax and torch.multinomial. The bound is the weights
that a step must read over the measured speed of reading that many bytes, for a single text, and the measured time of
the matrix products alone, for a batch. All are timed in turn; medians of five.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charlm.model.language_model import LanguageModel
    from charlm.tokenizers import CharTokenizer

SIZES = (
    (1, 256, 1, 0, 0),
    (1, 256, 1, 8, 0),
    (1, 256, 1, 8, 5000),
    (2, 512, 1, 0, 0),
    (1, 256, 64, 0, 0),
    (1, 256, 64, 8, 0),
    (1, 256, 64, 8, 5000),
)
"""Layers, width, texts at a time, order of the n-gram prior, context vectors."""
VOCABULARY = "".join(map(chr, range(32, 97)))


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--length", type=int, default=3000)
    parser.add_argument("--cell", default="lstm")
    arguments = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = str(arguments.threads)  # numpy reads it when it is imported

    import numpy as np
    import torch

    torch.set_num_threads(arguments.threads)
    print(
        f"torch {torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}, {arguments.threads} "
        f"threads, {arguments.cell}, {len(VOCABULARY)} characters; characters/s in all\n"
    )
    headings = ("size", "texts", "prior", "vectors", "charlm", "through the model", "plain loop", "bound")
    headings += ("charlm / bound", "short / long")
    print(f"| {' | '.join(headings)} |")
    print(f"|{' --- |' * len(headings)}")
    for layers, width, texts, order, vectors in SIZES:
        model, tokenizer = network(arguments.cell, layers, width, order, vectors)
        figures = measured(model, tokenizer, texts, arguments.length)
        print(f"| {layers}x{width} | {texts} | {order or 'none'} | {vectors or 'none'} | {figures} |", flush=True)


def network(cell: str, layers: int, width: int, order: int, vectors: int) -> "tuple[LanguageModel, CharTokenizer]":
    """A network of random weights, on n-grams of made-up words, and its tokenizer."""
    import torch

    from charlm.config import ModelConfig
    from charlm.model.language_model import LanguageModel
    from charlm.ngram.model import NgramModel
    from charlm.tokenizers import CharTokenizer

    tokenizer = CharTokenizer(VOCABULARY)
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size,
        cell=cell,
        num_layers=layers,
        hidden_size=width,
        ngram_order=order,
        context_vectors=vectors,
    )
    model = LanguageModel(config).eval()
    model.initialise(torch.Generator().manual_seed(1))
    if order:
        ids = tokenizer.encode(words(1_000_000))
        model.build_on(NgramModel.fit(ids, order=order, vocab_size=tokenizer.vocab_size, bos=tokenizer.bos))
    return model, tokenizer


def writers(model: "LanguageModel", tokenizer: "CharTokenizer", texts: int) -> list[Callable[[int], None]]:
    """What writes so many texts of a length: charlm, charlm through the model, and the plain loop."""
    import torch

    from charlm.sampling import SampleConfig, generate, write_many
    from charlm.sampling.fused import FusedStepper
    from charlm.sampling.native import NativeStepper

    def write(length: int) -> None:
        settings = SampleConfig(length=length, min_length=length)
        if texts == 1:
            for _ in generate(model, tokenizer, torch.Generator().manual_seed(1), config=settings):
                pass
        else:
            list(write_many(model, tokenizer, seed=1, num=texts, batch=texts, config=settings))

    def through_model(length: int) -> None:
        kept = FusedStepper.supports, NativeStepper.supports
        FusedStepper.supports = NativeStepper.supports = staticmethod(lambda model: False)  # type: ignore[method-assign]
        try:
            write(length)
        finally:
            FusedStepper.supports, NativeStepper.supports = kept  # type: ignore[method-assign]

    @torch.inference_mode()
    def loop(length: int) -> None:
        generator = torch.Generator().manual_seed(1)
        ids, states, out = torch.zeros(1, texts, dtype=torch.long), None, []
        for _ in range(length):
            logits, states = model(ids, states)
            ids = torch.multinomial(torch.softmax(logits[0], -1), 1, generator=generator).T
            out.append([tokenizer.decode([token]) for token in ids[0].tolist()])

    return [write, through_model, loop]


def measured(model: "LanguageModel", tokenizer: "CharTokenizer", texts: int, length: int) -> str:
    """The figures of one line of the table."""
    length = length if texts == 1 else length // 5
    write, through_model, loop = writers(model, tokenizer, texts)
    lengths = {write: length, through_model: length // 5, loop: length // 5}
    for program in lengths:
        program(length // 20)  # warm up
    figures: dict[object, list[float]] = {program: [] for program in lengths}
    bounds, short = [], []
    for _ in range(5):
        for program, own in lengths.items():
            figures[program].append(texts * own / seconds(lambda program=program, own=own: program(own)))
        bounds.append(bound(model, texts))
        short.append(texts * (length // 4) / seconds(lambda: write(length // 4)))
    own, other, plain = (statistics.median(figures[program]) for program in lengths)
    limit = statistics.median(bounds)
    return (
        f"{own:,.0f} | {other:,.0f} | {plain:,.0f} | {limit:,.0f} | {own / limit:.2f} | "
        f"{statistics.median(short) / own:.2f}"
    )


def words(length: int) -> str:
    """A text of a thousand made-up words, some common and most rare, for an n-gram model to be counted on."""
    import numpy as np

    rng = np.random.default_rng(1)
    known = ["".join(map(chr, rng.integers(65, 91, size))) for size in rng.integers(1, 10, 1000)]
    shares = 1 / np.arange(1, 1001)
    return " ".join(np.array(known)[rng.choice(1000, length // 5, p=shares / shares.sum())])[:length]


def bound(model: "LanguageModel", texts: int) -> float:
    """Characters a second that the machine allows: reading the recurrent and output weights once a step, for a single
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
        numbers.dot(numbers)
        repeats = max(1, 200_000_000 // numbers.nbytes)
        return repeats / seconds(lambda: [numbers.max() for _ in range(repeats)])
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
