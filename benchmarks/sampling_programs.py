"""The programs that `sampling.py` times, the networks that they sample, and the speed that the machine allows."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import torch

from charlm.config import ModelConfig
from charlm.model.language_model import LanguageModel
from charlm.ngram.model import NgramModel
from charlm.sampling import SampleConfig, generate_chunks, generate_many
from charlm.sampling.steppers import CompiledStepper, ModelStepper
from charlm.tokenizers.char import CharTokenizer

if TYPE_CHECKING:
    from sampling import Size

VOCABULARY = "".join(map(chr, range(32, 97)))
Network = tuple[LanguageModel, CharTokenizer]
Writer = Callable[[int], None]
"""Writes texts of a length in characters."""
Timed = Callable[[], float]
"""Runs once, and returns characters per second over all texts."""


def make_network(cell: str, size: "Size") -> Network:
    """A network of random weights, on n-grams of made-up words, and its tokenizer.

    Exits where its step can't be compiled: there would be nothing to compare.
    """
    tokenizer = CharTokenizer(VOCABULARY)
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size,
        cell=cell,
        num_layers=size.layers,
        hidden_size=size.hidden_size,
        ngram_order=size.order,
        context_vectors=size.vectors,
        match=size.match,
        recent=size.match,
    )
    model = LanguageModel(config).eval()
    model.initialise(torch.Generator().manual_seed(1))
    if size.order:
        ids = tokenizer.encode(made_up_words(1_000_000))
        model.build_on(NgramModel.fit(ids, order=size.order, vocab_size=tokenizer.vocab_size, bos=tokenizer.bos))
    if CompiledStepper is None or not CompiledStepper.supports(model):
        sys.exit(f"the step of {cell} can't be compiled here; install a C compiler, and check CC and CHARLM_NATIVE")
    return model, tokenizer


def made_up_words(length: int) -> str:
    """A text of a thousand made-up words, some common and most rare, to count n-grams in."""
    rng = np.random.default_rng(1)
    known = ["".join(map(chr, rng.integers(65, 91, size))) for size in rng.integers(1, 10, 1000)]
    shares = 1 / np.arange(1, 1001)
    return " ".join(np.array(known)[rng.choice(1000, length // 5, p=shares / shares.sum())])[:length]


def programs_of(network: Network, texts: int, length: int) -> dict[str, Timed]:
    """The programs of both tables: charlm, the same through the model, and the bound."""
    model, _ = network
    return {
        "charlm": timed(charlm_writer(network, texts), texts, length),
        "through the model": timed(model_writer(network, texts), texts, length // 5),
        "bound": lambda: bound(model, texts),
    }


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def timed(write: Writer, texts: int, length: int) -> Timed:
    """Warm a writer up, and time it with texts of a length."""
    write(length // 20)
    return lambda: texts * length / seconds(lambda: write(length))


def charlm_writer(network: Network, texts: int) -> Writer:
    """What `charlm sample` does."""
    model, tokenizer = network

    def write(length: int) -> None:
        config = SampleConfig(temperature=1.0, length=length, min_length=length)
        if texts == 1:
            for _ in generate_chunks(model, tokenizer, torch.Generator().manual_seed(1), config=config):
                pass
        else:
            list(generate_many(model, tokenizer, seed=1, num=texts, batch=texts, config=config))

    return write


def model_writer(network: Network, texts: int) -> Writer:
    """`charlm_writer` with a call of the model for every step."""

    def make_stepper(model: LanguageModel, states: Any, *, steering: object = ()) -> ModelStepper:
        return ModelStepper(model, states)

    write = charlm_writer(network, texts)

    def write_through_model(length: int) -> None:
        with patch("charlm.sampling.prepared.make_stepper", make_stepper):
            write(length)

    return write_through_model


def plain_loop(network: Network, texts: int) -> Writer:
    """Module call, softmax, draw."""
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


def bound(model: LanguageModel, texts: int) -> float:
    """Characters per second that the machine allows: reading the recurrent and output weights once per step, for one
    text, or the matrix products with them, for a batch."""
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
