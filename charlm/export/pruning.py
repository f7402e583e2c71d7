"""Prunes an n-gram model by what the loss of each n-gram costs in bits.

An n-gram h w that is dropped gives its weight to the backoff of h, so probabilities still sum to 1:

    p(w | h) = weight(h w) + backoff(h) p(w | h')    becomes    p'(w | h) = (backoff(h) + weight(h w)) p(w | h')

and the other tokens after h gain a share of that weight. Its cost is P(h) times the relative entropy between p and p',
where P(h) is the probability that the model gives to the tokens of h. The shares of the other tokens that were seen
after h are taken to first order, and those of all that were not seen exactly.

Source: Stolcke 1998, "Entropy-based Pruning of Backoff Language Models" (arXiv cs/0006025), for interpolated models.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.ngram.kneser_ney import Estimates, Floats
from charlm.ngram.model import NgramModel, build_trie

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PruningCosts:
    """What it costs to drop each n-gram of a model."""

    model: NgramModel
    levels: tuple[slice, ...]
    """The n-grams of each length from 2 to n, as indices of `Trie.keys`."""
    parents: Ints
    """The node of the first tokens of each n-gram."""
    nats: Floats
    """The cost of each n-gram in nats per token; infinite for those that the network needs."""

    def kept(self, least: float) -> NDArray[np.bool_]:
        """Which n-grams remain if those that cost less than `least` are dropped, and stay contexts of others that
        remain."""
        kept = self.nats >= least
        vocab_size = self.model.vocab_size
        for level in reversed(self.levels[1:]):
            kept[self.parents[level][kept[level]] - vocab_size] = True
        return kept


def pruning_costs(model: NgramModel, needed: NDArray[Any]) -> PruningCosts:
    """Compute the cost of each n-gram.

    Args:
        model: the model to prune.
        needed: nodes of n-grams of two tokens or more that must remain.
    """
    vocab_size, keys = model.vocab_size, model.trie.keys
    unigrams, weights, backoffs = (table.astype(np.float64) for table in model.estimates)
    children = np.diff(model.trie.first)
    parents = np.repeat(np.arange(len(children)), children)
    tokens = keys - parents * vocab_size
    levels, end = [], 0
    begin_node, end_node = 0, vocab_size  # of the contexts
    for _ in range(model.order - 1):
        start, end = end, end + int(children[begin_node:end_node].sum())
        levels.append(slice(start, end))
        begin_node, end_node = end_node, end_node + end - start
    lower = np.zeros(len(keys))  # p(w | h')
    probability = np.concatenate((unigrams, np.zeros(len(keys))))  # p(last token | those before), of each node
    joint = np.concatenate((unigrams, np.zeros(len(keys))))  # P(all tokens), of each node
    joint[model.bos] = unigrams[unigrams > 0].min()  # a document begins about as often as the rarest token occurs
    suffixes = np.full(vocab_size + len(keys), -1, dtype=np.int64)  # the node without its first token; -1: none
    for level in levels:
        parent, token = parents[level], tokens[level]
        shorter = suffixes[parent]
        node = np.where(shorter < 0, token, model.children(shorter, token))
        lower[level] = _probability_after(model, backoffs, probability, suffixes, shorter, token, node)
        nodes = slice(vocab_size + level.start, vocab_size + level.stop)
        suffixes[nodes] = node
        probability[nodes] = weights[level] + backoffs[parent] * lower[level]
        joint[nodes] = joint[parent] * probability[nodes]
    own = probability[vocab_size:]
    unseen = 1 - np.bincount(parents, lower, minlength=len(children))
    backoff = np.maximum(backoffs[parents], 1e-12)
    after = (backoff + weights) * lower
    nats = own * np.log(np.maximum(own, 1e-12) / np.maximum(after, 1e-12))
    nats -= weights * (1 - np.clip(unseen[parents], 0, 1) - lower)
    nats -= backoff * np.clip(unseen[parents], 0, 1) * np.log((backoff + weights) / backoff)
    nats = np.maximum(nats, 0) * joint[parents]
    nats[needed - vocab_size] = np.inf
    return PruningCosts(model, tuple(levels), parents, nats)


def _probability_after(
    model: NgramModel,
    backoffs: Floats,
    probability: Floats,
    suffixes: Ints,
    contexts: Ints,
    tokens: Ints,
    nodes: Ints,
) -> Floats:
    """p(token | context) for N contexts and tokens; `nodes` are the contexts with their token, -1 if there is none."""
    result = np.where(nodes >= 0, probability[np.maximum(nodes, 0)], 0.0)
    missing = np.flatnonzero(nodes < 0)
    share, context = np.ones(len(missing)), contexts[missing]
    while len(missing):
        share = share * backoffs[context]
        context = suffixes[context]
        node = np.where(context < 0, tokens[missing], model.children(context, tokens[missing]))
        known = node >= 0
        result[missing[known]] = share[known] * probability[node[known]]
        missing, share, context = missing[~known], share[~known], context[~known]
    return result


def pruned(costs: PruningCosts, least: float) -> NgramModel:
    """The model without the n-grams that cost less than `least` nats per token; the frequent ones keep their order."""
    model, kept = costs.model, costs.kept(least)
    vocab_size = model.vocab_size
    new_nodes = np.concatenate((np.arange(vocab_size), vocab_size + np.cumsum(kept) - 1))
    parents, weights = costs.parents, model.estimates.weights
    dropped = np.bincount(parents[~kept], weights[~kept], minlength=len(model.estimates.backoffs))
    left = np.bincount(parents[kept], minlength=len(dropped))
    backoffs = np.where(left > 0, np.minimum(model.estimates.backoffs + dropped, 1), 1).astype(np.float32)
    contexts = np.concatenate((np.ones(vocab_size, bool), kept[: len(backoffs) - vocab_size]))
    tokens = model.trie.keys - parents * vocab_size
    keys = (new_nodes[parents] * vocab_size + tokens)[kept]
    is_kept = np.concatenate((np.ones(vocab_size, bool), kept))
    frequent = model.frequent[is_kept[model.frequent]]
    return NgramModel(
        trie=build_trie(keys, vocab_size, model.order, int(contexts.sum())),
        bos=model.bos,
        estimates=Estimates(model.estimates.unigrams, weights[kept], backoffs[contexts]),
        frequent=new_nodes[frequent].astype(np.int32),
    )
