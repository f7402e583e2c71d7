"""The convolutions against their equation, one number at a time."""

import numpy as np
import pytest
import torch


def reference(net, ids: list[int]) -> np.ndarray:
    """The outputs of the last layer for one text, (T, H), by the equation in the docstring of the module."""
    stack = net.network
    weight = {name: value.detach().numpy() for name, value in stack.named_parameters()}
    x = [weight["input"] @ net.embedding[token].detach().numpy() for token in ids]
    size = len(x[0])
    for index in range(net.config.num_layers):
        taps, bias = weight[f"layers.{index}.weight"], weight[f"layers.{index}.bias"]
        dilation, outputs = net.config.kernel_size**index, []
        for t in range(len(ids)):
            total = bias.copy()
            for tap in range(net.config.kernel_size):
                if t - tap * dilation >= 0:
                    total += taps[:, tap * size : (tap + 1) * size] @ x[t - tap * dilation]
            outputs.append(x[t] + total[:size] / (1 + np.exp(-total[size:])))
        x = outputs
    return np.array(x)


@pytest.mark.parametrize(("kernel_size", "layers"), [(2, 4), (3, 3), (4, 1)])
def test_it_is_the_equation(network, kernel_size: int, layers: int) -> None:
    net = network(network="convolution", kernel_size=kernel_size, num_layers=layers).double()
    with torch.no_grad():
        for layer in net.network.layers:
            layer.bias.normal_(generator=torch.Generator().manual_seed(3))
    ids = torch.randint(11, (30, 2), generator=torch.Generator().manual_seed(2))
    _, hidden, _ = net.read(ids)
    for row in range(2):
        np.testing.assert_allclose(hidden[:, row].detach(), reference(net, ids[:, row].tolist()), atol=1e-12)


def test_it_reads_k_to_the_power_of_l_tokens(network) -> None:
    net = network(network="convolution", kernel_size=3, num_layers=3).double()
    ids = torch.randint(11, (40, 1), generator=torch.Generator().manual_seed(2))
    changed = ids.clone()
    changed[5] = (changed[5] + 1) % 11
    moved = (net(ids)[0] - net(changed)[0]).abs().amax((1, 2)) > 0
    assert moved.nonzero().flatten().tolist() == list(range(5, 5 + 27))


def test_its_weights_begin_as_described(network) -> None:
    net = network(network="convolution", num_layers=2)
    for layer in net.network.layers:
        assert not layer.bias.any()
        assert 0 < layer.weight.abs().max() <= (6 / sum(layer.weight.shape)) ** 0.5
