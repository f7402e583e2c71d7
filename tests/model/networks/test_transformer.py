"""The transformer against its equations, one number at a time."""

import math

import numpy as np
import pytest
import torch

from charlm.config import ModelConfig
from charlm.errors import ConfigError
from charlm.model.networks import transformer
from charlm.model.networks.transformer import rotate, rotations


def normed(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).mean() + np.finfo(np.float64).eps) * gain


def gelu(x: np.ndarray) -> np.ndarray:
    return np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x])


def turned(x: np.ndarray, position: int) -> np.ndarray:
    """A head's query or key, turned by its position: pairs of units as complex numbers."""
    half = len(x) // 2
    numbers = (x[:half] + 1j * x[half:]) * np.exp(1j * position * 10_000.0 ** (-np.arange(half) / half))
    return np.concatenate((numbers.real, numbers.imag))


def reference(net, ids: list[int]) -> np.ndarray:
    """The outputs for one text, (T, H), by the equations in the docstring of the module, with absolute positions."""
    config, weight = net.config, {name: value.detach().numpy() for name, value in net.network.named_parameters()}
    size, width = config.hidden_size, config.hidden_size // config.heads
    x = [weight["input"] @ net.embedding[token].detach().numpy() for token in ids]
    for index in range(config.num_layers):
        own = {name.split(".")[2]: value for name, value in weight.items() if name.startswith(f"layers.{index}.")}
        parts = [own["query_key_value"] @ normed(one, own["attention_norm"]) for one in x]
        middle = []
        for t in range(len(ids)):
            attended = []
            for head in range(config.heads):
                unit = slice(head * width, (head + 1) * width)
                visible = range(max(0, t - config.attention_span), t + 1)
                query = turned(parts[t][:size][unit], t)
                scores = np.array([query @ turned(parts[j][size : 2 * size][unit], j) for j in visible])
                share = np.exp(scores / math.sqrt(width))
                share /= share.sum()
                attended.append(sum(a * parts[j][2 * size :][unit] for a, j in zip(share, visible, strict=True)))
            middle.append(x[t] + own["attention_output"] @ np.concatenate(attended))
        x = [one + own["inner_output"] @ gelu(own["inner"] @ normed(one, own["inner_norm"])) for one in middle]
    return np.array([normed(one, weight["norm"]) for one in x])


@pytest.mark.parametrize(("layers", "heads", "span"), [(1, 1, 40), (2, 2, 5), (2, 4, 1)])
def test_it_is_the_equations(network, layers: int, heads: int, span: int) -> None:
    net = network(network="transformer", num_layers=layers, heads=heads, attention_span=span).double()
    with torch.no_grad():
        for parameter in net.network.parameters():
            if parameter.ndim == 1:
                parameter.uniform_(0.5, 2, generator=torch.Generator().manual_seed(3))
    ids = torch.randint(11, (20, 2), generator=torch.Generator().manual_seed(2))
    _, hidden, _ = net.read(ids)
    for row in range(2):
        np.testing.assert_allclose(hidden[:, row].detach(), reference(net, ids[:, row].tolist()), atol=1e-10)


def test_each_layer_attends_to_the_span_before_a_token(network) -> None:
    net = network(network="transformer", num_layers=2, attention_span=4).double()
    ids = torch.randint(11, (200, 1), generator=torch.Generator().manual_seed(2))
    changed = ids.clone()
    changed[5] = (changed[5] + 1) % 11
    moved = (net(ids)[0] - net(changed)[0]).abs().amax((1, 2)) > 0
    assert moved.nonzero().flatten().tolist() == list(range(5, 5 + 2 * 4 + 1))


@pytest.mark.parametrize(("rows", "span"), [(1, 8192), (64, 128), (64, 8192), (512, 1024)])
def test_memory_is_bounded_for_many_rows_and_a_long_span(
    network, monkeypatch: pytest.MonkeyPatch, rows: int, span: int
) -> None:
    sizes, make_mask = [], transformer.attention_mask

    def attention_mask(steps: int, span: int, length: torch.Tensor) -> torch.Tensor:
        mask = make_mask(steps, span, length)
        sizes.append(mask.numel())
        return mask

    monkeypatch.setattr(transformer, "attention_mask", attention_mask)
    net = network(network="transformer", attention_span=span, num_layers=1).to("meta")
    with torch.no_grad():
        net(torch.zeros(4000, rows, dtype=torch.int64, device="meta"))
    assert max(sizes) < 1 << 26


def test_positions_are_relative() -> None:
    """The product of a query and a key depends on how far apart they are."""
    query, key = (torch.randn(4, dtype=torch.float64, generator=torch.Generator().manual_seed(n)) for n in (1, 2))
    cosine, sine = rotations(50, 2)
    at = lambda x, t: rotate(x[None], cosine[t : t + 1], sine[t : t + 1])[0]  # noqa: E731
    torch.testing.assert_close(at(query, 9) @ at(key, 2), at(query, 40) @ at(key, 33))
    assert abs(at(query, 9) @ at(key, 2) - at(query, 9) @ at(key, 3)) > 0.01


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ConfigError, match="--hidden is 10 and --heads 4; --hidden must be a multiple of twice --heads"):
        ModelConfig(vocab_size=5, network="transformer", hidden_size=10)
