"""Documents as vectors: what a model holds when it has read one, and on average while it reads.

The lecture's many-to-one arrow: the state in which a network leaves a text is a description of the text.
"""

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

_SORTED = 4096  # documents that are put in order of length at a time
_ROWS = 128  # documents read side by side
_WINDOW = 64  # tokens read at a time

Moment = Literal["final", "mean"]
MOMENTS: tuple[Moment, ...] = ("final", "mean")
"""After the last token of a document; and on average over BOS and all its tokens."""


@dataclass(frozen=True, slots=True)
class Block:
    """H neighbouring numbers of a document's vector."""

    layer: int
    state: Literal["h", "c"]
    moment: Moment


def blocks(model: LanguageModel) -> list[Block]:
    """What a document's vector consists of, in order; D = H times their number."""
    states = tuple(name for name in ("h", "c") if name in model.recurrent.cell.states)
    return [
        Block(layer, state, moment)
        for layer in range(model.config.num_layers)
        for state in states
        for moment in MOMENTS
    ]


def save_features(path: Path, vectors: Iterable[NDArray[np.float32]], shape: tuple[int, int]) -> None:
    """Write vectors to a NumPy file of shape (N, D), one after the other as they come.

    Args:
        path: of the file, which takes its name when it is whole.
        vectors: N of them, (D,) each.
        shape: N and D.

    Raises `CharlmError` when it can't be written.
    """
    kind = np.dtype("<f4")
    with replacing(path) as file:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for vector in vectors:
            file.write(vector.astype(kind, copy=False).tobytes())


def stacked(vectors: Iterable[NDArray[np.float32]], count: int) -> NDArray[np.float32]:
    """`count` vectors, one or more, as one array, (count, D)."""
    vectors = iter(vectors)
    first = next(vectors)
    found = np.empty((count, len(first)), np.float32)
    found[0] = first
    for place, vector in enumerate(vectors, start=1):
        found[place] = vector
    return found


@torch.inference_mode()
def features(
    model: LanguageModel,
    tokenizer: Tokenizer,
    documents: Iterable[str],
    *,
    total: int | None = None,
    progress: Progress = silent,
) -> Iterator[NDArray[np.float32]]:
    """A vector (D,) for each document, in their order; `blocks` says what stands where in it.

    Documents of like length are read side by side. One without text is read as BOS alone; a character outside the
    vocabulary as `<unk>`.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        documents: may be more than memory holds.
        total: how many there are, for the progress.
        progress: told how many documents are read.
    """
    done = 0
    documents = iter(documents)
    while some := list(islice(documents, _SORTED)):
        rows = [np.concatenate(([tokenizer.bos], ids)) for ids in tokenizer.encode_all(some)]
        order = sorted(range(len(rows)), key=lambda index: -len(rows[index]))
        found = np.empty((len(rows), len(blocks(model)) * model.config.hidden_size), np.float32)
        for first in range(0, len(order), _ROWS):
            part = order[first : first + _ROWS]
            found[part] = _read(model, [rows[index] for index in part]).cpu().numpy()
            done += len(part)
            progress("reading documents", done, total)
        yield from found


def _read(model: LanguageModel, rows: list[NDArray[np.int64]]) -> Tensor:
    """The vectors (B, D) of token sequences, the longest first."""
    device = model.output_bias.device
    lengths = torch.tensor([len(row) for row in rows], device=device)
    found = model.output_bias.new_zeros((len(rows), len(blocks(model)), model.config.hidden_size))
    states = model.initial_state(len(rows))
    for start in range(0, len(rows[0]), _WINDOW):
        alive = int((lengths > start).sum())
        states = keep_rows(states, alive)
        window = [torch.from_numpy(row[start : start + _WINDOW].astype(np.int64)) for row in rows[:alive]]
        ids = torch.nn.utils.rnn.pad_sequence(window).to(device)  # (T, B)
        held, states = model.record_states(ids, states)
        left = lengths[:alive] - start
        ended = (left <= _WINDOW).nonzero()[:, 0]
        for index, block in enumerate(blocks(model)):
            values = held[block.layer][block.state]  # (T, B, H)
            if block.moment == "final":
                found[ended, index] = values[left[ended] - 1, ended]
            elif len(ended) == 0:
                found[:alive, index] += values.sum(0)
            else:
                there = torch.arange(len(values), device=device)[:, None] < left  # (T, B)
                found[:alive, index] += torch.where(there[..., None], values, 0.0).sum(0)
    for index, block in enumerate(blocks(model)):
        if block.moment == "mean":
            found[:, index] /= lengths[:, None]
    return found.flatten(1)
