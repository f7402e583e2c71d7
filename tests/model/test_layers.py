import pytest
import torch

from charlm.cells import CELLS
from charlm.model.networks.base import dropout


def test_recurrent_weights_are_orthogonal_gate_by_gate(network) -> None:
    layer = network(cell="lstm").recurrent.layers[0]
    for gate in layer.recurrent.detach().split(8):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-5, rtol=0)


def test_initialisations_are_as_named(network) -> None:
    layer = network(cell="lstm", recurrent_init="identity", input_init="uniform", forget_bias=2.5).recurrent.layers[0]
    assert torch.equal(layer.recurrent.detach(), torch.eye(8).repeat(4, 1))
    assert layer.input.abs().max() <= 8**-0.5
    torch.testing.assert_close(layer.bias.detach(), torch.tensor([0.0, 2.5, 0.0, 0.0]).repeat_interleave(8))
    xavier = network(cell="rnn", recurrent_init="xavier").recurrent.layers[0]
    assert 0 < xavier.recurrent.abs().max() <= (6 / 16) ** 0.5
    uniform = network(cell="rnn", recurrent_init="uniform").recurrent.layers[0]
    assert 0 < uniform.recurrent.abs().max() <= 8**-0.5


def test_the_identity_recurrent_network_begins_with_it(network) -> None:
    assert torch.equal(network(cell="irnn").recurrent.layers[0].recurrent.detach(), 0.9 * torch.eye(8))
    exact = network(cell="irnn", recurrent_init="identity").recurrent.layers[0].recurrent.detach()
    assert torch.equal(exact, torch.eye(8))
    turned = network(cell="irnn", recurrent_init="orthogonal").recurrent.layers[0].recurrent.detach()
    assert not torch.equal(turned, torch.eye(8))
    torch.testing.assert_close(turned @ turned.T, torch.eye(8), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("cell", "expected"), [("gru", [0, 3, 0]), ("mut2", [0, -3, 0]), ("mut1", [-3, 0]), ("mingru", [-3, 0])]
)
def test_the_gate_that_keeps_the_state_begins_as_told(network, cell: str, expected: list[float]) -> None:
    bias = network(cell=cell, update_bias=3.0).recurrent.layers[0].bias.detach()
    torch.testing.assert_close(bias, torch.tensor(expected, dtype=torch.float32).repeat_interleave(8))


@pytest.mark.parametrize("cell", CELLS)
def test_folding_the_embedding_into_the_first_layer_changes_nothing(network, cell: str) -> None:
    """With more tokens than the vocabulary holds the projection is a look-up; gradients reach both factors."""
    net = network(cell=cell).double()
    ids = torch.randint(11, (16, 2), generator=torch.Generator().manual_seed(2))
    layer = net.recurrent.layers[0]
    past = net.initial_state(2)[0]
    wanted, _ = layer(torch.nn.functional.embedding(ids, net.embedding), past)
    found, _ = layer.read_tokens(ids, net.embedding, past)
    torch.testing.assert_close(found, wanted)
    leaves = [net.embedding, layer.input, layer.bias]
    for one, other in zip(
        torch.autograd.grad((found**2).sum(), leaves), torch.autograd.grad((wanted**2).sum(), leaves), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_residual_connections_add_what_went_in(network) -> None:
    plain, residual = network(num_layers=3).double(), network(num_layers=3, skip="residual").double()
    ids = torch.randint(11, (6, 2), generator=torch.Generator().manual_seed(2))
    assert not torch.allclose(plain(ids)[0], residual(ids)[0])
    with torch.no_grad():
        for layer in residual.recurrent.layers[1:]:
            for parameter in layer.parameters():
                parameter.zero_()  # an LSTM of zeros puts out 0
    first, _ = residual.recurrent.layers[0](residual.embedding[ids], residual.initial_state(2)[0])
    torch.testing.assert_close(residual(ids)[0], first @ residual.output.T + residual.output_bias)


def test_dropout_keeps_the_mean_and_follows_its_generator() -> None:
    x = torch.ones(3, 200, 500)
    dropped = dropout(x, 0.3, torch.Generator().manual_seed(1))
    assert torch.equal(dropped[0], dropped[2])  # one mask for all steps
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(dropped, dropout(x, 0.3, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("cell", ["lstm", "gru", "mlstm", "mingru"])
def test_weights_are_dropped_in_training_only(network, cell: str) -> None:
    """As if the matrix from state to state had been dropped by hand, for the whole window."""
    net, plain = (network(cell=cell, weight_dropout=rate) for rate in (0.4, 0.0))
    plain.load_state_dict(net.state_dict())
    ids = torch.arange(10).view(5, 2) % 11
    net.eval()
    assert torch.equal(net(ids)[0], plain.eval()(ids)[0])
    net.train()
    found, _ = net(ids, generator=torch.Generator().manual_seed(3))
    weights = dict(plain.recurrent.layers[0].named_parameters())
    if "recurrent" in weights:
        with torch.no_grad():
            matrix = weights["recurrent"]
            dropped = dropout(matrix.unsqueeze(0), 0.4, torch.Generator().manual_seed(3))[0]
            assert (dropped == 0).any()
            assert not torch.equal(found, plain(ids)[0])
            matrix.copy_(dropped)
    torch.testing.assert_close(found, plain(ids)[0])
