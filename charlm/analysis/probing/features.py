"""Documents as feature vectors: the model's states after the last token, and their mean over all tokens."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from charlm.data.windows import keep_rows
from charlm.files import replacing
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

Moment = Literal["final", "mean"]
MOMENTS: tuple[Moment, ...] = ("final", "mean")
"""The state after the last token of a document; and its mean over BOS and all tokens."""


@dataclass(frozen=True, slots=True)
class Block:
    """What H consecutive features of a document's vector are."""

    layer: int
    state: Literal["h", "c"]
    moment: Moment


def blocks(model: LanguageModel) -> list[Block]:
    """The blocks of a document's vector, in order; D is H times their number."""
    states = tuple(name for name in ("h", "c") if name in model.recurrent.cell.states)
    return [
        Block(layer, state, moment)
        for layer in range(model.config.num_layers)
        for state in states
        for moment in MOMENTS
    ]


def save_features(path: Path, vectors: Iterable[NDArray[np.float32]], shape: tuple[int, int]) -> None:
    """Write vectors to a NumPy file of shape (N, D), one at a time.

    Args:
        path: the file to write; it is replaced once the new one is complete.
        vectors: the N vectors, (D,) each.
        shape: the numbers N and D.

    Raises:
        CharlmError: the file can't be written.
    """
    kind = np.dtype("<f4")
    with replacing(path) as file:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for vector in vectors:
            file.write(vector.astype(kind, copy=False).tobytes())


def stacked(vectors: Iterable[NDArray[np.float32]], count: int) -> NDArray[np.float32]:
    """`count` vectors (at least one) as one array, (count, D)."""
    vectors = iter(vectors)
    first = next(vectors)
    rows = np.empty((count, len(first)), np.float32)
    rows[0] = first
    for index, vector in enumerate(vectors, start=1):
        rows[index] = vector
    return rows


@torch.inference_mode()
def features(
    model: LanguageModel,
    tokenizer: Tokenizer,
    documents: Iterable[str],
    *,
    total: int | None = None,
    batch_size: int = 128,
    window: int = 64,
    sorted_together: int = 4096,
    progress: Progress = silent,
) -> Iterator[NDArray[np.float32]]:
    """A vector (D,) for each document, in order; `blocks` gives its layout.

    Documents of similar length are read in one batch. An empty document is read as BOS alone, a character outside the
    vocabulary as `<unk>`.

    Args:
        model: a model in evaluation mode.
        tokenizer: the tokenizer of the model.
        documents: the texts, read lazily, so they needn't fit in memory.
        total: number of documents, for progress.
        batch_size: documents read side by side.
        window: tokens read at a time.
        sorted_together: documents sorted by length at a time.
        progress: receives how many documents are read.
    """
    done = 0
    documents = iter(documents)
    while texts := list(islice(documents, sorted_together)):
        rows = [np.concatenate(([tokenizer.bos], ids)) for ids in tokenizer.encode_all(texts)]
        order = sorted(range(len(rows)), key=lambda index: -len(rows[index]))
        vectors = np.empty((len(rows), len(blocks(model)) * model.config.hidden_size), np.float32)
        for first in range(0, len(order), batch_size):
            batch = order[first : first + batch_size]
            vectors[batch] = _read(model, [rows[index] for index in batch], window).cpu().numpy()
            done += len(batch)
            progress("reading documents", done, total)
        yield from vectors


def _read(model: LanguageModel, rows: list[NDArray[np.int64]], window: int) -> Tensor:
    """The vectors (B, D) of token sequences, from the longest to the shortest, read `window` tokens at a time."""
    device = model.output_bias.device
    lengths = torch.tensor([len(row) for row in rows], device=device)
    vectors = model.output_bias.new_zeros((len(rows), len(blocks(model)), model.config.hidden_size))
    states = model.initial_state(len(rows))
    for start in range(0, len(rows[0]), window):
        alive = int((lengths > start).sum())
        states = keep_rows(states, alive)
        chunks = [torch.from_numpy(row[start : start + window].astype(np.int64)) for row in rows[:alive]]
        ids = torch.nn.utils.rnn.pad_sequence(chunks).to(device)  # (T, B)
        recorded, states = model.record_states(ids, states)
        remaining = lengths[:alive] - start
        ended = (remaining <= window).nonzero()[:, 0]
        for index, block in enumerate(blocks(model)):
            values = recorded[block.layer][block.state]  # (T, B, H)
            if block.moment == "final":
                vectors[ended, index] = values[remaining[ended] - 1, ended]
            elif len(ended) == 0:
                vectors[:alive, index] += values.sum(0)
            else:
                real = torch.arange(len(values), device=device)[:, None] < remaining  # False for padding, (T, B)
                vectors[:alive, index] += torch.where(real[..., None], values, 0.0).sum(0)
    for index, block in enumerate(blocks(model)):
        if block.moment == "mean":
            vectors[:, index] /= lengths[:, None]
    return vectors.flatten(1)
