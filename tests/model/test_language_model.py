import pytest
import torch

from charlm.cells import CELLS as ALL
from charlm.config import ModelConfig
from charlm.data.windows import keep_rows
from charlm.errors import ConfigError
from charlm.model import layers as recurrent
from charlm.model.device import pick_device
from charlm.model.language_model import LanguageModel
from charlm.model.layers import dropout


def model(**settings) -> LanguageModel:
    made = LanguageModel(
        ModelConfig(**{"vocab_size": 11, "hidden_size": 8, "embedding_size": 5, "dropout": 0.0} | settings)
    )
    made.initialise(torch.Generator().manual_seed(1))
    return made


CELLS = pytest.mark.parametrize("cell", ALL)


@CELLS
@pytest.mark.parametrize("layers", [1, 3])
def test_the_state_is_all_that_a_model_remembers(cell: str, layers: int) -> None:
    net = model(cell=cell, num_layers=layers).double()
    ids = torch.randint(11, (9, 2), generator=torch.Generator().manual_seed(2))
    whole, after = net(ids)
    first, state = net(ids[:4])
    second, state = net(ids[4:], state)
    torch.testing.assert_close(torch.cat((first, second)), whole)
    torch.testing.assert_close(state, after)


@CELLS
def test_without_kernels_a_model_is_slow_and_the_same(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = model(cell=cell, num_layers=2).double()
    ids = torch.randint(11, (6, 3), generator=torch.Generator().manual_seed(2))
    fast, _ = net(ids)
    monkeypatch.setattr(recurrent, "KERNELS", {})
    monkeypatch.setattr(recurrent, "LAYERS", {})
    slow, _ = net(ids)
    torch.testing.assert_close(slow, fast)


@CELLS
def test_a_row_knows_nothing_of_its_neighbours(cell: str) -> None:
    net = model(cell=cell).double()
    ids = torch.randint(11, (6, 4), generator=torch.Generator().manual_seed(2))
    logits, state = net(ids)
    alone, _ = net(ids[:, 2:3])
    torch.testing.assert_close(logits[:, 2:3], alone)
    on, _ = net(ids[:, :2], keep_rows(state, 2))
    again, _ = net(ids[:, :2], keep_rows(net(ids[:, :2])[1], 2))
    torch.testing.assert_close(on, again)


def test_every_weight_gets_a_value_and_the_seed_decides_it() -> None:
    for cell in ALL:
        first, second = model(cell=cell, num_layers=2), model(cell=cell, num_layers=2)
        for (name, one), other in zip(first.named_parameters(), second.parameters(), strict=True):
            assert torch.isfinite(one).all(), name
            assert torch.equal(one, other), name


def test_a_silent_token_moves_the_state_no_more_than_the_biases_do() -> None:
    net = model(cell="rnn")
    net.initialise(torch.Generator().manual_seed(1), silent=(0, 2))
    assert (net.embedding[[0, 2]] == 0).all() and (net.embedding[[1, 3]] != 0).all()
    _, ((after,),) = net(torch.tensor([[0]]))
    assert (after == 0).all()


def test_recurrent_weights_are_orthogonal_gate_by_gate() -> None:
    layer = model(cell="lstm").recurrent.layers[0]
    for gate in layer.recurrent.detach().split(8):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-5, rtol=0)


def test_initialisations_are_as_named() -> None:
    layer = model(cell="lstm", recurrent_init="identity", input_init="uniform", forget_bias=2.5).recurrent.layers[0]
    assert torch.equal(layer.recurrent.detach(), torch.eye(8).repeat(4, 1))
    assert layer.input.abs().max() <= 8**-0.5
    torch.testing.assert_close(layer.bias.detach(), torch.tensor([0.0, 2.5, 0.0, 0.0]).repeat_interleave(8))
    xavier = model(cell="rnn", recurrent_init="xavier").recurrent.layers[0]
    assert 0 < xavier.recurrent.abs().max() <= (6 / 16) ** 0.5
    uniform = model(cell="rnn", recurrent_init="uniform").recurrent.layers[0]
    assert 0 < uniform.recurrent.abs().max() <= 8**-0.5


def test_the_identity_recurrent_network_begins_with_it() -> None:
    assert torch.equal(model(cell="irnn").recurrent.layers[0].recurrent.detach(), 0.9 * torch.eye(8))
    exact = model(cell="irnn", recurrent_init="identity").recurrent.layers[0].recurrent.detach()
    assert torch.equal(exact, torch.eye(8))
    turned = model(cell="irnn", recurrent_init="orthogonal").recurrent.layers[0].recurrent.detach()
    assert not torch.equal(turned, torch.eye(8))
    torch.testing.assert_close(turned @ turned.T, torch.eye(8), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("cell", "expected"), [("gru", [0, 3, 0]), ("mut2", [0, -3, 0]), ("mut1", [-3, 0]), ("mingru", [-3, 0])]
)
def test_the_gate_that_keeps_the_state_begins_as_told(cell: str, expected: list[float]) -> None:
    bias = model(cell=cell, update_bias=3.0).recurrent.layers[0].bias.detach()
    torch.testing.assert_close(bias, torch.tensor(expected, dtype=torch.float32).repeat_interleave(8))


@CELLS
def test_folding_the_embedding_into_the_first_layer_changes_nothing(cell: str) -> None:
    """With more tokens than the vocabulary holds the projection is a look-up; gradients reach both factors."""
    net = model(cell=cell).double()
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


def test_residual_connections_add_what_went_in() -> None:
    plain, residual = model(num_layers=3).double(), model(num_layers=3, skip="residual").double()
    ids = torch.randint(11, (6, 2), generator=torch.Generator().manual_seed(2))
    assert not torch.allclose(plain(ids)[0], residual(ids)[0])
    with torch.no_grad():
        for layer in residual.recurrent.layers[1:]:
            for parameter in layer.parameters():
                parameter.zero_()  # an LSTM of zeros puts out 0
    first, _ = residual.recurrent.layers[0](residual.embedding[ids], residual.initial_state(2)[0])
    torch.testing.assert_close(residual(ids)[0], first @ residual.output.T + residual.output_bias)


def test_a_language_model_refuses_to_look_right() -> None:
    with pytest.raises(ConfigError, match="predicts, and writes, what comes next"):
        model(bidirectional=True)


def test_tied_weights_are_one_matrix() -> None:
    net = model(embedding_size=8, tie_weights=True)
    assert net.output is None
    assert net.num_parameters() == 11 * 8 + 11 + 4 * 8 * (8 + 8 + 1)
    logits, _ = net(torch.zeros(2, 1, dtype=torch.int64))
    logits.sum().backward()
    assert net.embedding.grad is not None and (net.embedding.grad[1:] != 0).any()


def test_dropout_keeps_the_mean_and_follows_its_generator() -> None:
    x = torch.ones(3, 200, 500)
    dropped = dropout(x, 0.3, torch.Generator().manual_seed(1))
    assert torch.equal(dropped[0], dropped[2])  # one mask for all steps
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(dropped, dropout(x, 0.3, torch.Generator().manual_seed(1)))


def test_dropout_acts_in_training_only() -> None:
    net = model(dropout=0.5)
    ids = torch.zeros(3, 2, dtype=torch.int64)
    net.eval()
    assert torch.equal(net(ids)[0], net(ids)[0])
    net.train()
    generator = torch.Generator().manual_seed(1)
    assert not torch.equal(net(ids, generator=generator)[0], net(ids, generator=generator)[0])


@pytest.mark.parametrize("cell", ["lstm", "gru", "mlstm", "mingru"])
def test_weights_are_dropped_in_training_only(cell: str) -> None:
    """As if the matrix from state to state had been dropped by hand, for the whole window."""
    net, plain = (model(cell=cell, weight_dropout=rate) for rate in (0.4, 0.0))
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


def test_the_device_is_the_one_asked_for_or_an_error() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    if not torch.cuda.is_available():
        with pytest.raises(Exception, match="--device cuda: torch sees no such device here"):
            pick_device("cuda")
