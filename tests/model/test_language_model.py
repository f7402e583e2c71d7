import pytest
import torch

from charlm.cells import CELLS
from charlm.data.windows import keep_rows
from charlm.errors import ConfigError
from charlm.model import layers

cells = pytest.mark.parametrize("cell", CELLS)


@cells
@pytest.mark.parametrize("layers", [1, 3])
def test_the_state_is_all_that_a_model_remembers(network, cell: str, layers: int) -> None:
    net = network(cell=cell, num_layers=layers).double()
    ids = torch.randint(11, (9, 2), generator=torch.Generator().manual_seed(2))
    whole, after = net(ids)
    first, state = net(ids[:4])
    second, state = net(ids[4:], state)
    torch.testing.assert_close(torch.cat((first, second)), whole)
    torch.testing.assert_close(state, after)


@cells
def test_without_kernels_a_model_is_slow_and_the_same(network, cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = network(cell=cell, num_layers=2).double()
    ids = torch.randint(11, (6, 3), generator=torch.Generator().manual_seed(2))
    fast, _ = net(ids)
    monkeypatch.setattr(layers, "KERNELS", {})
    monkeypatch.setattr(layers, "TORCH_LAYERS", {})
    slow, _ = net(ids)
    torch.testing.assert_close(slow, fast)


@cells
def test_a_row_knows_nothing_of_its_neighbours(network, cell: str) -> None:
    net = network(cell=cell).double()
    ids = torch.randint(11, (6, 4), generator=torch.Generator().manual_seed(2))
    logits, state = net(ids)
    alone, _ = net(ids[:, 2:3])
    torch.testing.assert_close(logits[:, 2:3], alone)
    on, _ = net(ids[:, :2], keep_rows(state, 2))
    again, _ = net(ids[:, :2], keep_rows(net(ids[:, :2])[1], 2))
    torch.testing.assert_close(on, again)


def test_every_weight_gets_a_value_and_the_seed_decides_it(network) -> None:
    for cell in CELLS:
        first, second, third = (network(cell=cell, num_layers=2, seed=seed) for seed in (1, 1, 2))
        for (name, one), same, other in zip(
            first.named_parameters(), second.parameters(), third.parameters(), strict=True
        ):
            assert torch.isfinite(one).all(), name
            assert torch.equal(one, same), name
            drawn = name in ("embedding", "output") or name.endswith(".input")  # of others some begin at fixed values
            assert not drawn or not torch.equal(one, other), name


def test_a_silent_token_moves_the_state_no_more_than_the_biases_do(network) -> None:
    net = network(cell="rnn")
    net.initialise(torch.Generator().manual_seed(1), zero_tokens=(0, 2))
    assert (net.embedding[[0, 2]] == 0).all() and (net.embedding[[1, 3]] != 0).all()
    _, ((after,),) = net(torch.tensor([[0]]))
    assert (after == 0).all()


def test_a_language_model_refuses_to_look_right(network) -> None:
    with pytest.raises(ConfigError, match="predicts, and writes, what comes next"):
        network(bidirectional=True)


def test_tied_weights_are_one_matrix(network) -> None:
    net = network(embedding_size=8, tie_weights=True)
    assert net.output is None
    assert net.num_parameters() == 11 * 8 + 11 + 4 * 8 * (8 + 8 + 1)
    logits, _ = net(torch.zeros(2, 1, dtype=torch.int64))
    logits.sum().backward()
    assert net.embedding.grad is not None and (net.embedding.grad[1:] != 0).any()


def test_dropout_acts_in_training_only(network) -> None:
    net = network(dropout=0.5)
    ids = torch.zeros(3, 2, dtype=torch.int64)
    net.eval()
    assert torch.equal(net(ids)[0], net(ids)[0])
    net.train()
    generator = torch.Generator().manual_seed(1)
    assert not torch.equal(net(ids, generator=generator)[0], net(ids, generator=generator)[0])
