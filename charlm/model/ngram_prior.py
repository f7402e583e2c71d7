"""An n-gram model that a network builds on: what counting can tell it need not learn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from charlm.cells import State
from charlm.config import SMALL_VOCABULARY
from charlm.data.dataset import TokenSplit
from charlm.ngram.counts import Ints, count_ngrams, fold_of
from charlm.ngram.mixture import NgramQuery
from charlm.ngram.model import NgramModel
from charlm.ngram.trie import Nodes
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

_ORDER = 12  # of the n-grams that a network builds on, unless told otherwise
_ORDER_OF_LARGE = 5  # where the vocabulary is large

_MAX_TOKENS = 10_000_000  # of the training split that are counted, the last ones; of a large vocabulary a third
_MAX_NGRAMS = 5_000_000
_FOLDS = 10
_AT_ONCE = 20_000_000  # tokens of all folds that are estimated at once, for the sake of memory
_LOWER = (3, 5)  # orders that have a gate beside the highest


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossFit:
    """What honest n-gram models of a training text there are: one for each fold, which has not seen that fold."""

    models: tuple[NgramModel, ...]
    first: int
    """The place at which the part of the text that was counted begins; the whole model is honest outside it."""
    size: int
    """Tokens of that part."""

    def fold_of(self, places: NDArray[Any]) -> Ints:
        """The fold of each place of the text, -1 outside of what was counted."""
        inside = places - self.first
        folds = fold_of(np.maximum(inside, 0), self.size, len(self.models))
        return np.where((inside >= 0) & (inside < self.size), folds, -1)


def default_order(vocab_size: int) -> int:
    """n where nobody says otherwise; together with a network longer contexts pay than alone (docs/notes/experiments.md)."""
    return _ORDER_OF_LARGE if vocab_size > SMALL_VOCABULARY else _ORDER


def fit_prior(
    split: TokenSplit, tokenizer: Tokenizer, order: int, *, progress: Progress = silent
) -> tuple[NgramModel, CrossFit]:
    """An n-gram model of a training split, and those that are honest within it.

    Args:
        split: of a large one the last tokens are counted (`_MAX_TOKENS`).
        tokenizer: the one that made the split.
        order: n.
        progress: told how many lengths are counted, and how many models estimated.
    """
    large = tokenizer.vocab_size > SMALL_VOCABULARY  # then most n-grams are distinct
    ids = np.asarray(split.ids[-(_MAX_TOKENS // 3 if large else _MAX_TOKENS) :])
    counts = count_ngrams(
        ids,
        order=order,
        vocab_size=tokenizer.vocab_size,
        bos=tokenizer.bos,
        progress=progress,
    )
    threads = min(torch.get_num_threads(), max(1, _AT_ONCE // max(1, len(ids))))
    whole, *models = NgramModel.without_folds(
        counts, min(_FOLDS, len(ids)), max_ngrams=_MAX_NGRAMS, threads=threads, progress=progress
    )
    return whole, CrossFit(models=tuple(models), first=len(split.ids) - len(ids), size=len(ids))


class NgramPrior(nn.Module):
    """Gates times the log-probabilities of n-gram models, to be added to a network's logits.

    There is one model, and those of lower order that it interpolates: of each the logarithm counts, by a gate that is a
    number for each token, g_j = w_j h + b_jk, where k is how long a context the n-gram model that is query has seen.
    """

    def __init__(self, order: int, hidden_size: int) -> None:
        super().__init__()
        self.order = order
        self.orders = tuple(sorted({min(lower, order) for lower in _LOWER} | {order}))
        """Those that have a gate, J."""
        self.weight = nn.Parameter(torch.empty(len(self.orders), hidden_size))  # (J, H)
        self.bias = nn.Parameter(torch.empty(len(self.orders), order))  # (J, n)
        self.ngram: NgramModel | None = None
        """Given after the weights are made."""
        self.cross_fit: CrossFit | None = None
        """In training only."""

    @torch.no_grad()
    def initialise(self) -> None:
        """The gate of the highest order is 1, the others are 0: training begins where the n-gram model ends."""
        self.weight.zero_()
        self.bias.zero_()
        self.bias[-1] = 1.0

    def initial_state(self, batch: int) -> State:
        """The state before the first token: nothing is known, (B, n - 1)."""
        return (torch.full((batch, self.order - 1), -1, dtype=torch.int32),)

    def advance(self, ids: Tensor, state: State) -> Nodes:
        """The states after each of the tokens (T, B), from that before the first, (T, B, n - 1)."""
        assert self.ngram is not None
        return self.ngram.advance(state[0].cpu().numpy(), ids.cpu().numpy())

    def forward(self, states: Nodes, hidden: Tensor, starts: NDArray[np.int64] | None = None) -> Tensor:
        """What to add to the logits, (T, B, V).

        Args:
            states: after each token, (T, B, n - 1); see `advance`.
            hidden: outputs of the last layer, (T, B, H).
            starts: where in the training text each row begins, (B,); the models that are query are then those that
                have not seen it. None where the text is another.
        """
        assert self.ngram is not None
        steps, rows, _ = states.shape
        models, which = [self.ngram], np.zeros(steps * rows, dtype=np.int64)
        if starts is not None and self.cross_fit is not None:
            models += self.cross_fit.models
            which = 1 + self.cross_fit.fold_of(starts + 1 + np.arange(steps)[:, None]).ravel()
        query = NgramQuery(states.reshape(steps * rows, self.order - 1), models, which)
        known = torch.from_numpy(query.known_contexts()).to(hidden.device)
        gates = F.linear(hidden.flatten(0, 1), self.weight) + F.embedding(known, self.bias.T)  # (T B, J)
        more: Tensor = _Mixture.apply(gates, query, self.orders)  # type: ignore[no-untyped-call]
        return more.view(steps, rows, -1)


class _Mixture(torch.autograd.Function):
    """`NgramQuery.mixture` of gates (N, J): (N, V)."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, query: NgramQuery, orders: tuple[int, ...]) -> Tensor:
        mixed, log_p = query.mixture(orders, gates.detach().cpu().numpy(), keep=ctx.needs_input_grad[0])
        if log_p is not None:
            ctx.save_for_backward(torch.from_numpy(log_p).to(gates))
        return torch.from_numpy(mixed).to(gates)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (log_p,) = ctx.saved_tensors
        return torch.bmm(log_p, upstream[0].unsqueeze(-1)).squeeze(-1), None, None
