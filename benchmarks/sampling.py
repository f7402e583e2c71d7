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

SIZES = ((1, 256, 1, 0), (1, 256, 1, 8), (2, 512, 1, 0), (1, 256, 64, 0), (1, 256, 64, 8))
"""Layers, width, texts at a time, order of the n-gram prior."""
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
    print("| size | texts | prior | charlm | through the model | plain loop | bound | charlm / bound | short / long |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for layers, width, texts, order in SIZES:
        print(row(arguments.cell, layers, width, texts, order, arguments.length), flush=True)


def row(cell: str, layers: int, width: int, texts: int, order: int, length: int) -> str:
    """One line of the table."""
    import torch

    from charlm.budget import context_vectors_for
    from charlm.config import ModelConfig
    from charlm.model import LanguageModel
    from charlm.ngram import NgramModel
    from charlm.sampler import SampleConfig, generate, write_many
    from charlm.sampler.fused import FusedStepper
    from charlm.sampler.native import NativeStepper
    from charlm.tokenizers import CharTokenizer

    tokenizer = CharTokenizer(VOCABULARY)
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size,
        cell=cell,
        num_layers=layers,
        hidden_size=width,
        ngram_order=order,
        context_vectors=context_vectors_for(1_000_000, ngram_order=order),
    )
    model = LanguageModel(config).eval()
    model.initialise(torch.Generator().manual_seed(1))
    if model.prior is not None:
        ids = tokenizer.encode(words(1_000_000))
        model.build_on(NgramModel.fit(ids, order=order, vocab_size=tokenizer.vocab_size, bos=tokenizer.bos))

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

    length = length if texts == 1 else length // 5
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
        f"| {layers}x{width} | {texts} | {order or 'none'} "
        f"| {own:,.0f} | {other:,.0f} | {plain:,.0f} | {limit:,.0f} | {own / limit:.2f} | "
        f"{statistics.median(short) / own:.2f} |"
    )


def words(length: int) -> str:
    """A text of a thousand made-up words, some common and most rare, for an n-gram model to be counted on."""
    import numpy as np

    rng = np.random.default_rng(1)
    known = ["".join(map(chr, rng.integers(65, 91, size))) for size in rng.integers(1, 10, 1000)]
    shares = 1 / np.arange(1, 1001)
    return " ".join(np.array(known)[rng.choice(1000, length // 5, p=shares / shares.sum())])[:length]


def bound(model: object, texts: int) -> float:
    """Characters a second that the machine allows: reading the recurrent and output weights once a step, for a single
    text, or the matrix products with them, for a batch."""
    import numpy as np
    import torch

    matrices = [
        weight.detach()
        for name, weight in model.named_parameters()  # type: ignore[attr-defined]
        if weight.ndim == 2 and name not in ("embedding", "recurrent.layers.0.input")
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
