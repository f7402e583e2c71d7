"""What every network promises, whatever is inside: the state is all that it remembers."""

import pytest
import torch
from torch.nn import functional as F

from charlm.errors import ConfigError
from charlm.model.encoder import BidirectionalEncoder
from charlm.model.language_model import NETWORKS

SHAPES = {
    "recurrent": {},
    "transformer": {"num_layers": 2, "heads": 2, "attention_span": 6},
    "convolution": {"num_layers": 2, "kernel_size": 3},
}
networks = pytest.mark.parametrize("kind", NETWORKS)


@pytest.fixture
def make(network):
    """Make a network of a kind in float64."""
    return lambda kind, **shape: network(network=kind, **SHAPES[kind] | shape).double()


@pytest.fixture
def ids() -> torch.Tensor:
    return torch.randint(11, (200, 3), generator=torch.Generator().manual_seed(2))


@networks
def test_a_text_read_in_windows_is_one_long_window(make, ids, kind: str) -> None:
    net = make(kind)
    whole, after = net(ids)
    parts, state = [], None
    for first, last in ((0, 4), (4, 5), (5, 6), (6, 100), (100, 200)):
        logits, state = net(ids[first:last], state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts), whole)
    torch.testing.assert_close(state, after)


@networks
def test_its_state_has_a_constant_size(make, ids, kind: str) -> None:
    net = make(kind)
    sizes = [
        [tuple(part.shape) for layer in states for part in layer] for states in (net.initial_state(3), net(ids)[1])
    ]
    assert sizes[0] == sizes[1]


@networks
def test_the_future_does_not_leak(make, ids, kind: str) -> None:
    net, changed = make(kind), ids.clone()
    changed[70:] = (changed[70:] + 1) % 11
    before, after = net(ids)[0], net(changed)[0]
    assert torch.equal(before[:70], after[:70])
    assert not torch.equal(before[70], after[70])


@networks
def test_rows_do_not_see_each_other(make, ids, kind: str) -> None:
    """Nor does a row see that another's text began earlier."""
    net = make(kind)
    states = tuple(
        tuple(torch.cat(parts) for parts in zip(*layers, strict=True))
        for layers in zip(*(net(ids[:length, :1])[1] for length in (1, 4, 30)), strict=True)
    )
    together, _ = net(ids, states)
    for row, length in enumerate((1, 4, 30)):
        alone, _ = net(ids[:, row : row + 1], net(ids[:length, :1])[1])
        torch.testing.assert_close(together[:, row : row + 1], alone)


@networks
def test_the_initial_state_is_that_of_no_text(make, ids, kind: str) -> None:
    """Whatever a masked part of a state holds does not matter, and the first token is read as after nothing."""
    net = make(kind)
    torch.testing.assert_close(net(ids, net.initial_state(3))[0], net(ids)[0])


@networks
def test_gradients_are_those_of_finite_differences(make, kind: str) -> None:
    net, ids = make(kind, hidden_size=4, embedding_size=3), torch.tensor([[1, 4], [2, 2], [3, 0]])
    _, states = net(ids)
    names = [name for name, _ in net.named_parameters()]
    states = tuple(tuple(part.detach() for part in layer) for layer in states)

    def loss(*weights: torch.Tensor) -> torch.Tensor:
        logits, _ = torch.func.functional_call(net, dict(zip(names, weights, strict=True)), (ids, states))
        return F.cross_entropy(logits.flatten(0, 1), ids.flatten())

    assert torch.autograd.gradcheck(loss, tuple(weight.detach().requires_grad_() for weight in net.parameters()))


@networks
def test_gradients_are_moderate_from_a_token_whose_embedding_begins_at_zero(make, kind: str) -> None:
    net = make(kind)
    net.initialise(torch.Generator().manual_seed(1), zero_tokens=(0,))
    logits, _ = net(torch.tensor([[0], [1], [2]]))
    logits.square().mean().backward()
    assert all(weight.grad.abs().max() < 100 for weight in net.parameters() if weight.grad is not None)


@networks
def test_dropout_is_for_training_and_follows_its_generator(make, ids, kind: str) -> None:
    net, plain = make(kind, dropout=0.5), make(kind)
    assert torch.equal(net.eval()(ids)[0], plain(ids)[0])
    first, again = (net.train()(ids, generator=torch.Generator().manual_seed(1))[0] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, plain(ids)[0])


@networks
def test_in_bfloat16_the_state_and_the_outputs_keep_their_precision(network, ids, kind: str) -> None:
    net = network(network=kind, **SHAPES[kind])
    expected, states = net(ids)
    with torch.autocast("cpu", torch.bfloat16):
        logits, after = net(ids)
    assert {part.dtype for state in after for part in state} == {part.dtype for state in states for part in state}
    torch.testing.assert_close(logits, expected, rtol=0.1, atol=0.1)
    assert not torch.equal(logits, expected)
    F.cross_entropy(logits.flatten(0, 1), ids.flatten()).backward()
    assert all(weight.grad.isfinite().all() for weight in net.parameters())


@networks
def test_dividing_the_embeddings_and_multiplying_what_reads_them_changes_nothing(make, ids, kind: str) -> None:
    net = make(kind)
    before = net(ids)[0]
    with torch.no_grad():
        net.embedding.div_(4)
        net.network.input_weights.mul_(4)
    torch.testing.assert_close(net(ids)[0], before)


@networks
def test_the_kind_is_the_first_part_of_its_weights_names(make, kind: str) -> None:
    names = {name.split(".")[0] for name, _ in make(kind).named_parameters()}
    assert names == {kind, "embedding", "output", "output_bias"}


@pytest.mark.parametrize("kind", ["transformer", "convolution"])
def test_only_recurrent_layers_have_units_to_look_at(make, kind: str) -> None:
    net = make(kind)
    with pytest.raises(ConfigError, match=f"the network of this model is a {kind}, which has no recurrent units"):
        net.recurrent  # noqa: B018
    with pytest.raises(ConfigError, match=f"a {kind} can't read in both directions"):
        BidirectionalEncoder(net.config)
