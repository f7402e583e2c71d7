"""A match in the document so far as one more voice of the network: it raises or lowers one logit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from charlm.cells import State
from charlm.ngram.match import BUCKETS, States, advance, lengths_for, no_matches

SCALE = 8.0
"""Of the gate, so that a short run can learn it: AdamW moves every weight by about as much."""
MOST_STRETCHED = 14.0
"""Bound of log(p / (1 - p)); the rest is 1e-6."""


class Match(nn.Module):
    """Changes the logit of the token that followed the longest match; see `charlm.ngram.match`.

    With p the probability of this token under the logits z, and s = ln(p / (1 - p)), the logit becomes

        z + 8 (g_1k s + g_2k)

    where k is the bucket of the match: its length and how often it was wrong of late. As s grows by what is added, this
    is logistic mixing of two opinions (Mahoney 2005, "Adaptive Weighing of Context Models for Lossless Data
    Compression"): ln(p' / (1 - p')) = (1 + 8 g_1k) s + 8 g_2k. The other tokens share the rest as before.
    """

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.lengths = lengths_for(vocab_size)
        self.gate = nn.Parameter(torch.empty(BUCKETS, 2))

    @torch.no_grad()
    def initialise(self) -> None:
        """Let matches change nothing."""
        self.gate.zero_()

    def initial_state(self, batch: int) -> State:
        """The state before the first token, with B = `batch`: (B, S)."""
        return (torch.from_numpy(no_matches(batch)),)

    def advance(self, ids: Tensor, state: State) -> tuple[States, State]:
        """The predictions and buckets after each of the tokens (T, B): (T, B, 2), and the state after the last."""
        voices, after = advance(self.lengths, state[0].cpu().numpy(), ids.cpu().numpy())
        return voices, (torch.from_numpy(after),)

    def state_after(self, texts: Sequence[NDArray[Any]]) -> State:
        """The state after the tokens of a text each, (B, S)."""
        after = no_matches(len(texts))
        for row, text in enumerate(texts):
            _, after[row : row + 1] = advance(self.lengths, after[row : row + 1], text[:, None])
        return (torch.from_numpy(after),)

    def forward(self, logits: Tensor, voices: States) -> Tensor:
        """The logits (T, B, V) with those of the predicted tokens changed; `voices` are from `advance`."""
        predicted = voices[..., 0]
        places = np.flatnonzero((predicted >= 0) & (predicted < self.vocab_size))
        rows = torch.from_numpy(places).to(logits.device)
        tokens = torch.from_numpy(predicted.ravel()[places].astype(np.int64)).to(logits.device)
        buckets = torch.from_numpy(voices[..., 1].ravel()[places].astype(np.int64)).to(logits.device)
        flat = logits.flatten(0, 1)  # (T B, V)
        chosen = flat[rows]
        log_p = torch.log_softmax(chosen, -1).gather(1, tokens[:, None])[:, 0]
        rest = torch.log(-torch.expm1(log_p.clamp(max=-np.exp(-MOST_STRETCHED))))
        stretched = (log_p - rest).clamp(-MOST_STRETCHED, MOST_STRETCHED)
        slope, offset = (SCALE * self.gate)[buckets].unbind(-1)
        return flat.index_put((rows, tokens), slope * stretched + offset, accumulate=True).view_as(logits)
