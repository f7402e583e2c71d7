"""An n-gram model whose log-probabilities are added to a network's logits, so that the network need not learn them."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from charlm.cells import State
from charlm.config import MIN_PRIOR_MEMORY, SMALL_VOCABULARY
from charlm.data.token_split import TokenSplit
from charlm.model.additions.lookups import Lookups
from charlm.ngram.counts import Ints, count_ngrams, fold_of
from charlm.ngram.mixture import NgramQuery
from charlm.ngram.model import NgramModel
from charlm.ngram.trie import Nodes
from charlm.progress import Progress, silent
from charlm.tokenizers import Tokenizer

logger = logging.getLogger(__name__)

_DEFAULT_ORDER = 12
_DEFAULT_ORDER_LARGE = 5  # for a large vocabulary

MEMORY = 2_000_000_000
"""Bytes that suffice for counting `_MAX_TOKENS`; the default, unless the machine has little memory."""
_MAX_TOKENS = 10_000_000  # how many of the last training tokens are counted; a third for a large vocabulary
_MAX_NGRAMS = 5_000_000
_MOST_TOKENS = (1 << 31) - (1 << 20)  # positions are 32-bit numbers
_SHARE_OF_MACHINE = 4  # a quarter of the machine's memory is for n-grams by default
_FOLDS = 10
_MAX_TOKENS_AT_ONCE = 20_000_000  # in all folds that are estimated in parallel; limits memory
_LOWER_ORDERS = (3, 5)  # lower orders that also get a weight


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossFit:
    """The n-gram models for training: for each fold of the training text a model of all other folds.

    A model of the whole text would be asked to predict text that it was fitted to.
    """

    models: tuple[NgramModel, ...]
    first: int
    """The position at which the counted part of the text begins."""
    size: int
    """Number of tokens in the counted part."""

    def fold_of(self, places: NDArray[Any]) -> Ints:
        """The fold of each position in the text; -1 outside the counted part, which the whole model has not seen."""
        inside = places - self.first
        folds = fold_of(np.maximum(inside, 0), self.size, len(self.models))
        return np.where((inside >= 0) & (inside < self.size), folds, -1)


def default_order(vocab_size: int) -> int:
    """The default n. It is higher than for an n-gram model without a network (docs/notes/experiments.md)."""
    return _DEFAULT_ORDER_LARGE if vocab_size > SMALL_VOCABULARY else _DEFAULT_ORDER


def default_memory(machine: int | None) -> int | None:
    """The default of `TrainConfig.prior_memory`, from the bytes of the machine; None if it has enough, or unknown."""
    if machine is None or machine >= _SHARE_OF_MACHINE * MEMORY:
        return None
    return max(MIN_PRIOR_MEMORY, machine // _SHARE_OF_MACHINE)


def most_counted(vocab_size: int, memory: int | None) -> tuple[int, int]:
    """How many tokens are counted, and how many n-grams are kept, in bytes of memory; see `fit_prior`."""
    large = vocab_size > SMALL_VOCABULARY  # most n-grams are distinct, so they need more memory
    memory = MEMORY if memory is None else memory
    most_tokens = min((_MAX_TOKENS // 3 if large else _MAX_TOKENS) * memory // MEMORY, _MOST_TOKENS)
    return most_tokens, _MAX_NGRAMS * memory // MEMORY


def fit_prior(
    split: TokenSplit, tokenizer: Tokenizer, order: int, *, memory: int | None = None, progress: Progress = silent
) -> tuple[NgramModel, CrossFit]:
    """Fit an n-gram model to a training split, and the cross-fitted models for training on it.

    Args:
        split: the training split; of a large one only the last tokens are counted, and a message says so.
        tokenizer: the tokenizer of the split.
        order: n, the length of the longest n-gram.
        memory: bytes that the counting may take; None is `MEMORY`. The tokens that are counted and the n-grams that are
            kept are in proportion to it.
        progress: receives how many n-gram lengths are counted and how many models are estimated.
    """
    most_tokens, most_ngrams = most_counted(tokenizer.vocab_size, memory)
    memory = MEMORY if memory is None else memory
    ids = split.tail(most_tokens)
    counts = count_ngrams(
        ids,
        order=order,
        vocab_size=tokenizer.vocab_size,
        bos=tokenizer.bos,
        progress=progress,
    )
    threads = min(torch.get_num_threads(), max(1, _MAX_TOKENS_AT_ONCE // max(1, len(ids))))
    whole, *models = NgramModel.cross_fitted(
        counts,
        min(_FOLDS, len(ids)),
        max_ngrams=most_ngrams,
        threads=threads,
        progress=progress,
    )
    if len(ids) < len(split) or memory < MEMORY:
        found = sum(len(level.counts) for level in counts.levels)
        logger.warning(
            "the n-gram prior counts the last %s of %s training tokens and keeps %s of their %s n-grams "
            "(--prior-memory %dMB)",
            *(f"{number:,}" for number in (len(ids), len(split), whole.num_ngrams, found)),
            memory // 1_000_000,
        )
    return whole, CrossFit(models=tuple(models), first=len(split) - len(ids), size=len(ids))


class NgramPrior(nn.Module):
    """Log-probabilities of an n-gram model, times order weights, to be added to a network's logits.

    The log-probabilities are those of the model itself and of up to two lower-order models inside it. The weight of
    each order is one number per step: a_j = w_j h + b_jk, where h is the output of the last layer and k is the length
    of the longest context that the n-gram model has seen.
    """

    def __init__(self, order: int, hidden_size: int) -> None:
        super().__init__()
        self.order = order
        self.orders = tuple(sorted({min(lower, order) for lower in _LOWER_ORDERS} | {order}))
        """The J orders that are mixed, ascending."""
        self.weight = nn.Parameter(torch.empty(len(self.orders), hidden_size))  # (J, H)
        self.bias = nn.Parameter(torch.empty(len(self.orders), order))  # (J, n)
        self.ngram: NgramModel | None = None
        """Set by `LanguageModel.build_on`."""
        self.cross_fit: CrossFit | None = None
        """Set for training only."""

    @torch.no_grad()
    def initialise(self) -> None:
        """Weight the highest order by 1 and the others by 0, so that training starts from the n-gram model."""
        self.weight.zero_()
        self.bias.zero_()
        self.bias[-1] = 1.0

    def initial_state(self, batch: int) -> State:
        """The state before the first token, with B = `batch`: no known contexts, -1, (B, n - 1)."""
        return (torch.full((batch, self.order - 1), -1, dtype=torch.int32),)

    def advance(self, ids: Tensor, state: State) -> Nodes:
        """The states after each of the tokens (T, B): (T, B, n - 1), given the state before the first, (B, n - 1)."""
        assert self.ngram is not None
        return self.ngram.advance(state[0].cpu().numpy(), ids.cpu().numpy())

    def forward(
        self,
        states: Nodes,
        hidden: Tensor,
        lookups: Lookups | None = None,
        *,
        some: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """What to add to the logits, (T, B, V).

        Args:
            states: the states after each token, (T, B, n - 1); see `advance`.
            hidden: outputs of the last layer, (T, B, H).
            lookups: what is known of the window already; for training at least `starts`.
            some: N places of the window, as indices of its T B steps, and K tokens, to which the result is limited:
                (N, K).
        """
        steps, rows, _ = states.shape
        lookups = lookups or Lookups()
        if some is None and lookups.known is not None and lookups.log_p is not None:
            known, log_p = (part.to(hidden.device, non_blocking=True) for part in (lookups.known, lookups.log_p))
            order_weights = F.linear(hidden.flatten(0, 1), self.weight) + F.embedding(known, self.bias.T)
            return torch.bmm(order_weights.unsqueeze(1), log_p).view(steps, rows, -1)
        flat, places, tokens = hidden.flatten(0, 1), None, None
        if some is not None:
            places, tokens = some[0].cpu().numpy(), some[1].cpu().numpy()
            flat = flat[some[0]]
        query = self.query(states, lookups.starts, places)
        known = torch.from_numpy(query.known_contexts()).to(hidden.device)
        order_weights = F.linear(flat, self.weight) + F.embedding(known, self.bias.T)  # (T B, J)
        logits: Tensor = _Mixture.apply(order_weights, query, self.orders, tokens)  # type: ignore[no-untyped-call]
        return logits.view(steps, rows, -1) if some is None else logits

    def query(
        self, states: Nodes, starts: NDArray[np.int64] | None = None, places: NDArray[np.int64] | None = None
    ) -> NgramQuery:
        """The n-gram models' predictions after each of the T B tokens, or after those at `places`.

        `states` are as in `forward`, `starts` as in `Lookups`.
        """
        assert self.ngram is not None
        steps, rows, _ = states.shape
        flat = states.reshape(steps * rows, self.order - 1)
        models, which = [self.ngram], np.zeros(steps * rows, dtype=np.int64)
        if starts is not None and self.cross_fit is not None:
            models += self.cross_fit.models
            which = 1 + self.cross_fit.fold_of(starts + 1 + np.arange(steps)[:, None]).ravel()
        if places is not None:
            flat, which = flat[places], which[places]
        return NgramQuery(flat, models, which)


class _Mixture(torch.autograd.Function):
    """`NgramQuery.mixture` with order weights (N, J), for autograd: (N, V), or (N, K) for K tokens."""

    @staticmethod
    def forward(
        ctx: Any,
        order_weights: Tensor,
        query: NgramQuery,
        orders: tuple[int, ...],
        tokens: NDArray[np.int64] | None,
    ) -> Tensor:
        """Mix the log-probabilities of the orders, and keep them if the order weights need a gradient."""
        weights, keep = order_weights.detach().cpu().numpy(), ctx.needs_input_grad[0]
        mixed, log_p = query.mixture(orders, weights, tokens=tokens, keep=keep)
        if log_p is not None:
            ctx.save_for_backward(torch.from_numpy(log_p).to(order_weights))
        return torch.from_numpy(mixed).to(order_weights)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the order weights: for each order the sum of log p times the gradient of the logits."""
        (log_p,) = ctx.saved_tensors
        return torch.bmm(log_p, upstream[0].unsqueeze(-1)).squeeze(-1), None, None, None
