"""What followed earlier occurrences in the document, as predictions that each raise or lower one logit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from charlm.cells import State
from charlm.data.windows import Window
from charlm.ngram.match import WINDOW, Predictions, advance, lengths_for, no_matches

SCALE = 8.0
"""Of the gate, so that a short run can learn it: AdamW moves every weight by about as much."""
MOST_STRETCHED = 14.0
"""Bound of log(p / (1 - p)); the rest is 1e-6."""


class Match(nn.Module):
    """Changes the logits of the tokens that followed the longest match and, with `recent`, the recent contexts; see
    `charlm.ngram.match`.

    With p the probability of such a token under the logits z, and s = ln(p / (1 - p)), a prediction adds to its logit

        a s + b,   (a, b) = 8 g_k + W h

    where k is the bucket of the prediction: for the match its length and how often it was just wrong, for a recent
    context its length and how often in a row it was right. h is the output of the last layer; each of the 1 + K
    predictions has a W, but only with `recent`. As s grows by what is added, this is logistic mixing (Mahoney 2005,
    "Adaptive Weighing of Context Models for Lossless Data Compression"): with a single prediction
    ln(p' / (1 - p')) = (1 + a) s + b. The other tokens share the rest as before.
    """

    def __init__(self, vocab_size: int, hidden_size: int = 0, *, recent: bool = False) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.lengths = lengths_for(vocab_size, with_recent=recent)
        self.gate = nn.Parameter(torch.empty(self.lengths.buckets, 2))
        self.weight = nn.Parameter(torch.empty(self.lengths.predictions, 2, hidden_size)) if recent else None
        """W, (1 + K, 2, H)."""

    @torch.no_grad()
    def initialise(self) -> None:
        """Let matches change nothing."""
        for parameter in self.parameters():
            parameter.zero_()

    def initial_state(self, batch: int) -> State:
        """The state before the first token, with B = `batch`: (B, S)."""
        return (torch.from_numpy(no_matches(self.lengths, batch)),)

    def advance(self, ids: Tensor, state: State) -> tuple[Predictions, State]:
        """The predictions and buckets after each of the tokens (T, B), (T, B, 1 + K, 2), and the state after them."""
        predictions, after = advance(self.lengths, state[0].cpu().numpy(), ids.cpu().numpy())
        return predictions, (torch.from_numpy(after),)

    def state_after(self, texts: Sequence[NDArray[Any]]) -> State:
        """The state after the tokens of a text each, (B, S)."""
        after = no_matches(self.lengths, len(texts))
        for row, text in enumerate(texts):
            _, after[row : row + 1] = advance(self.lengths, after[row : row + 1], text[:, None])
        return (torch.from_numpy(after),)

    def state_before(self, window: Window) -> State | None:
        """The state after what precedes the rows of a window in their documents; None if nothing does."""
        if window.past is None:
            return None
        if window.past.state is None:
            texts = window.past.read(WINDOW)
            if any(map(len, texts)):
                window.past.state = self.state_after(texts)
        return window.past.state

    def forward(self, logits: Tensor, predictions: Predictions, hidden: Tensor) -> Tensor:
        """The logits (T, B, V) with those of the predicted tokens changed.

        Args:
            logits: the logits of the network, (T, B, V).
            predictions: those of `advance`, (T, B, 1 + K, 2).
            hidden: outputs of the last layer, (T, B, H).
        """
        flat = logits.flatten(0, 1)  # (T B, V)
        predicted = torch.from_numpy(predictions[..., 0].astype(np.int64)).flatten(0, 1).to(flat.device)  # (T B, 1 + K)
        buckets = torch.from_numpy(predictions[..., 1].astype(np.int64)).flatten(0, 1).to(flat.device)
        known = (predicted >= 0) & (predicted < self.vocab_size)
        tokens = torch.where(known, predicted, 0)
        log_p = flat.gather(1, tokens) - flat.logsumexp(-1, keepdim=True)
        rest = torch.log(-torch.expm1(log_p.clamp(max=-np.exp(-MOST_STRETCHED))))
        stretched = (log_p - rest).clamp(-MOST_STRETCHED, MOST_STRETCHED)
        gate = SCALE * F.embedding(buckets, self.gate)  # (T B, 1 + K, 2)
        if self.weight is not None:
            gate = gate + F.linear(hidden.flatten(0, 1).to(gate.dtype), self.weight.flatten(0, 1)).view_as(gate)
        slope, offset = gate.unbind(-1)
        added = torch.where(known, slope * stretched + offset, 0)
        return flat.scatter_add(1, tokens, added).view_as(logits)
