"""What the tokens of training windows are looked up to, apart from the network: prepared ahead of a step by other
threads, so that a GPU doesn't wait for it.

The states of the n-gram model and of the match follow from the text alone, so they can be computed before the network
has read it. The C code that does so lets other threads run.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from charlm.ahead import map_ahead, read_ahead
from charlm.cells import LayerStates, State
from charlm.data.windows import Window, keep_rows
from charlm.model.additions.additions import AdditionStates
from charlm.model.additions.lookups import Lookups
from charlm.model.language_model import LanguageModel

_MOST_BYTES = 1 << 28
"""Of the log-probabilities of a window. With a larger vocabulary a step mixes them on the CPU, as without look-ups."""


def looks_ahead(model: LanguageModel) -> bool:
    """Whether training makes look-ups ahead: on a GPU, since on the CPU a step uses all its cores."""
    return model.output_bias.device.type != "cpu"


def looked_up(
    model: LanguageModel,
    windows: Iterator[Window],
    states: LayerStates | None,
    *,
    every_token: bool,
    ahead: bool = True,
) -> Iterator[tuple[Window, Lookups]]:
    """The windows in their order, each with its look-ups. The tensors are in pinned memory if the model is on CUDA.

    Args:
        model: the model that is trained.
        windows: training windows, read by another thread.
        states: the states of the model before the first window; None are the initial ones.
        every_token: whether a step uses the probabilities of all tokens.
        ahead: whether to prepare them in other threads; else each is prepared when it is used, with the same result.
    """
    followed, complete = _followed(model, windows, states), partial(_complete, model, every_token=every_token)
    return map_ahead(complete, read_ahead(followed)) if ahead else map(complete, followed)


def _followed(
    model: LanguageModel, windows: Iterator[Window], states: LayerStates | None
) -> Iterator[tuple[Window, Lookups]]:
    """The windows with what depends on the windows before them."""
    before = AdditionStates() if states is None else model.split_states(states)[1]
    prior, match = before.prior, before.match
    for window in windows:
        count, nodes, predictions = window.ids.shape[1], None, None
        if model.prior is not None:
            prior = model.prior.initial_state(count) if window.fresh or prior is None else _rows(prior, count)
            nodes = model.prior.advance(window.ids, prior)
            prior = (torch.from_numpy(nodes[-1]),)
        if model.match is not None:
            past = model.match.state_before(window) if window.fresh or match is None else _rows(match, count)
            predictions, match = model.match.advance(window.ids, past or model.match.initial_state(count))
        yield window, Lookups(starts=window.starts, nodes=nodes, predictions=predictions, match=match)


def _rows(state: State, count: int) -> State:
    return keep_rows((state,), count)[0]


def _complete(model: LanguageModel, followed: tuple[Window, Lookups], *, every_token: bool) -> tuple[Window, Lookups]:
    """The window and its look-ups with everything that depends on this window alone."""
    window, lookups = followed
    pins = model.output_bias.device.type == "cuda"

    def moved(tensor: Tensor) -> Tensor:
        return tensor.pin_memory() if pins else tensor

    window = replace(window, ids=moved(window.ids), targets=moved(window.targets))
    if model.prior is None or lookups.nodes is None:
        return window, lookups
    nodes, orders, log_p = lookups.nodes, model.prior.orders, None
    query = model.prior.query(nodes, lookups.starts)
    number = nodes.shape[0] * nodes.shape[1]
    if every_token and 4 * number * len(orders) * model.config.vocab_size <= _MOST_BYTES:
        _, kept = query.mixture(orders, np.ones((number, len(orders)), np.float32), keep=True)
        assert kept is not None
        log_p = moved(torch.from_numpy(kept))
    rows = None if model.contexts is None else moved(torch.from_numpy(model.contexts.rows_of(nodes)))
    known = moved(torch.from_numpy(query.known_contexts()))
    return window, replace(lookups, rows=rows, known=known, log_p=log_p)
