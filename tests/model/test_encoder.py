import pytest
import torch

from charlm.cells import CELLS
from charlm.config import ModelConfig
from charlm.model.encoder import BidirectionalEncoder


def encoder(**shape) -> BidirectionalEncoder:
    encoder = BidirectionalEncoder(
        ModelConfig(**{"vocab_size": 11, "hidden_size": 6, "embedding_size": 5, "dropout": 0.0} | shape)
    )
    encoder.initialise(torch.Generator().manual_seed(1))
    return encoder.double()


def tokens(steps: int, rows: int) -> torch.Tensor:
    return torch.randint(11, (steps, rows), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_every_position_depends_on_both_sides(cell: str, layers: int) -> None:
    net = encoder(cell=cell, num_layers=layers)
    ids = tokens(7, 1)
    vectors, document = net(ids)
    assert vectors.shape == (7, 1, 12) and document.shape == (1, 12)
    for changed in range(7):
        other = ids.clone()
        other[changed] = (other[changed] + 1) % 11
        moved = (net(other)[0] - vectors).abs().amax(dim=2)[:, 0] > 1e-12
        assert moved.all(), f"token {changed} is not felt everywhere"
        assert (net(other)[1] - document).abs().max() > 1e-12


def test_one_direction_alone_sees_one_side() -> None:
    """With a single layer the first half of a vector reads from the left, the second from the right."""
    net = encoder()
    ids = tokens(7, 1)
    other = ids.clone()
    other[3] = (other[3] + 1) % 11
    moved = (net(other)[0] - net(ids)[0]).abs()[:, 0] > 1e-12
    assert moved[:, :6].any(dim=1).tolist() == [t >= 3 for t in range(7)]
    assert moved[:, 6:].any(dim=1).tolist() == [t <= 3 for t in range(7)]


@pytest.mark.parametrize("layers", [1, 2])
def test_padding_makes_no_difference(layers: int) -> None:
    net = encoder(num_layers=layers, skip="residual" if layers > 1 else "none")
    ids, lengths = tokens(9, 3), torch.tensor([9, 4, 1])
    vectors, documents = net(ids, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone, document = net(ids[:length, row : row + 1])
        torch.testing.assert_close(vectors[:length, row : row + 1], alone)
        torch.testing.assert_close(documents[row : row + 1], document)
        assert (vectors[length:, row] == 0).all()


def test_it_equals_torchs_bidirectional_layer() -> None:
    net = encoder()
    theirs = torch.nn.LSTM(5, 6, bidirectional=True).double()
    with torch.no_grad():
        for layer, suffix in ((net.recurrent.layers[0], ""), (net.recurrent.twins[0], "_reverse")):
            getattr(theirs, f"weight_ih_l0{suffix}").copy_(layer.input)
            getattr(theirs, f"weight_hh_l0{suffix}").copy_(layer.recurrent)
            getattr(theirs, f"bias_ih_l0{suffix}").copy_(layer.bias)
            getattr(theirs, f"bias_hh_l0{suffix}").zero_()
    ids = tokens(7, 3)
    wanted, _ = theirs(net.embedding[ids])
    torch.testing.assert_close(net(ids)[0], wanted)
