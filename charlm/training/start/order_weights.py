"""The first weights of an n-gram prior that is added to a network which predicts text already."""

import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.data.token_split import TokenSplit
from charlm.data.windows import IGNORE, sample_windows
from charlm.model.language_model import LanguageModel

_TOKENS = 4_096
_LOGITS = 1 << 19  # most logits, so fewer tokens with a large vocabulary
_ROWS, _WIDTH = 64, 128
_FIRST_WEIGHT = 0.25
_RATE, _STEPS = 0.05, 60

_Sample = tuple[Tensor, Tensor, Tensor, Tensor]


def fit_order_weights(model: LanguageModel, split: TokenSplit) -> None:
    """Set the weights b_jk of the prior (see `NgramPrior`) to those that are best for the network as it is.

    A new network starts from the n-gram model, whose weight is 1. One that has learnt from another text predicts much
    of what the n-gram model does, and with that weight both would be counted. The weights are fitted by gradient
    descent (Adam) on a sample of the training split, which the cross-fitted models predict.
    """
    prior = model.prior
    assert prior is not None
    with torch.no_grad():
        prior.weight.zero_()
        prior.bias.zero_()
        prior.bias[-1] = _FIRST_WEIGHT
        logits, log_p, known, targets = _sample(model, split)
    optimizer = torch.optim.Adam([prior.bias], lr=_RATE)
    with torch.enable_grad():
        for _ in range(_STEPS):
            weights = F.embedding(known, prior.bias.T)  # (N, J)
            mixed = logits + torch.bmm(weights[:, None], log_p)[:, 0]  # (N, V)
            optimizer.zero_grad()
            F.cross_entropy(mixed, targets).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    optimizer.zero_grad()


def _sample(model: LanguageModel, split: TokenSplit) -> _Sample:
    """What is known of N targets of the split: the logits of the network alone (N, V), the log-probabilities of the
    orders (N, J, V), the length of the longest known context (N,), and the targets (N,)."""
    prior, contexts = model.prior, model.contexts
    assert prior is not None
    tokens = min(_TOKENS, _LOGITS // model.config.vocab_size)
    samples = list[_Sample]()
    was_training = model.training
    model.prior = model.contexts = None  # leaves the network
    model.eval()
    try:
        states, counted = None, None
        for window in sample_windows(split, tokens=tokens, batch_size=_ROWS, seq_len=_WIDTH):
            states = model.carry(states, window)
            outputs = model.read_network(window.ids, states)
            logits, states = model.logits_without_match(outputs), outputs.states
            rows = window.ids.shape[1]
            before = prior.initial_state(rows) if window.fresh or counted is None else (counted[:rows],)
            nodes = prior.advance(window.ids, before)
            counted = torch.from_numpy(nodes[-1])
            query = prior.query(nodes, window.starts)
            weights = logits.new_zeros(window.ids.numel(), len(prior.orders))
            _, kept = query.mixture(prior.orders, weights.numpy(), keep=True)
            assert kept is not None
            log_p, known, targets = (
                torch.from_numpy(kept),
                torch.from_numpy(query.known_contexts()),
                window.targets.flatten(),
            )
            scored = targets != IGNORE
            samples.append((logits.flatten(0, 1)[scored], log_p[scored], known[scored], targets[scored]))
    finally:
        model.prior, model.contexts = prior, contexts
        model.train(was_training)
    all_logits, all_log_p, all_known, all_targets = (torch.cat(each) for each in zip(*samples, strict=True))
    return all_logits, all_log_p, all_known, all_targets
