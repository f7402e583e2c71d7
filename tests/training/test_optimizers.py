"""What takes the steps."""

import numpy as np
import pytest
import torch

from charlm.config import LabelColumn, ModelConfig, TrainConfig
from charlm.model.language_model import LanguageModel
from charlm.training.optimizers import Muon, Optimizers, orthogonal

KIND = LabelColumn(name="kind", values=("three", "five"), documents=(1, 1))


def a_model(**settings) -> LanguageModel:
    model = LanguageModel(
        ModelConfig(**({"vocab_size": 11, "hidden_size": 24, "num_layers": 2, "dropout": 0.0} | settings))
    )
    model.initialise(torch.Generator().manual_seed(1))
    return model


def learn(model: LanguageModel, optimizers: Optimizers, steps: int = 1, rate: float = 0.01) -> None:
    ids = torch.arange(66).view(6, 11) % 11
    for _ in range(steps):
        logits, _ = model(ids)
        optimizers.zero_grad()
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), (ids.flatten() + 1) % 11).backward()
        optimizers.step(rate)


def learn_labels(model: LanguageModel, optimizers: Optimizers, steps: int = 1, rate: float = 0.01) -> None:
    """Train on texts that repeat the token 3 or 5, as their label says."""
    codes = np.tile(np.array([[1], [2]], np.uint16), (4, 1))
    texts = torch.tensor([3, 5] * 4).repeat(6, 1)
    ids = torch.cat((torch.zeros_like(texts[:1]), texts[1:]))
    for _ in range(steps):
        logits, _ = model(ids, model.initial_state(8, codes))
        optimizers.zero_grad()
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), texts.flatten()).backward()
        optimizers.step(rate)


def test_muon_moves_the_inner_matrices_equally_in_all_directions() -> None:
    """Twice as many rows as columns scale the step by the root of the quotient, as torch's Muon does it."""
    model = a_model()
    before = {name: value.clone() for name, value in model.named_parameters()}
    learn(model, Optimizers(model, TrainConfig(steps=1, optimizer="muon", weight_decay=0.0)))
    for name, value in model.named_parameters():
        moved = (value - before[name]).detach()
        assert moved.abs().max().item() > 0, name
        if value.ndim == 2 and name.startswith("recurrent.") and name != "recurrent.layers.0.input":
            lengths = torch.linalg.svdvals(moved) / (6.5 * 0.01 * 2)
            assert lengths.max().item() < 1.3, name
            assert lengths.median().item() > 0.6, name
        elif value.ndim == 2:  # AdamW's first step moves every weight that has a gradient as far as the others
            moves = moved.abs()[moved != 0]
            assert moves.max().item() == pytest.approx(0.01, rel=0.01), name


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has Muon from 2.9 on")
@pytest.mark.parametrize("shape", [(12, 12), (48, 12), (12, 30)])
def test_muon_is_torchs(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    ours, theirs = (torch.nn.Parameter(torch.ones(shape)) for _ in range(2))
    optimizer = torch.optim.Muon([theirs], lr=0.05, weight_decay=0.3)
    muon = Muon([ours], weight_decay=0.3, dtype=torch.bfloat16)
    muon.param_groups[0]["lr"] = 0.05
    for _ in range(3):
        ours.grad = torch.randn(shape, generator=generator)
        theirs.grad = ours.grad.clone()
        muon.step()
        optimizer.step()
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_orthogonal_keeps_directions_and_evens_lengths(dtype: torch.dtype) -> None:
    matrix = torch.randn(40, 10, generator=torch.Generator().manual_seed(1))
    found = orthogonal(matrix, dtype)
    assert found.dtype == torch.float32
    lengths = torch.linalg.svdvals(found)
    assert lengths.min().item() > 0.6 and lengths.max().item() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    turned = u.T @ found @ v.T
    assert (turned - turned.diag().diag()).abs().max().item() < 0.05


@pytest.mark.parametrize("shape", [(12, 12), (48, 12), (12, 30)])
def test_the_short_way_to_orthogonal_is_the_iteration(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = matrix / matrix.norm()
    for _ in range(5):
        square = expected @ expected.T
        expected = 3.4445 * expected + (-4.7750 * square + 2.0315 * square @ square) @ expected
    torch.testing.assert_close(orthogonal(matrix, torch.float64), expected)
    torch.testing.assert_close(orthogonal(matrix.float(), torch.float32).double(), expected, rtol=1e-3, atol=1e-3)


def test_adamw_alone_is_torchs() -> None:
    ours, theirs = a_model(), a_model()
    config = TrainConfig(steps=1, weight_decay=0.0)
    optimizer = torch.optim.AdamW(theirs.parameters(), betas=(0.9, 0.99), weight_decay=0.0)
    learn(ours, Optimizers(ours, config), steps=3, rate=0.02)

    class Plain:
        def zero_grad(self) -> None:
            optimizer.zero_grad()

        def step(self, rate: float) -> None:
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()

    learn(theirs, Plain(), steps=3, rate=0.02)  # type: ignore[arg-type]
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize(("rate", "label_rate"), [(0.0005, 0.015), (0.015, 0.09)])
@pytest.mark.parametrize(("shape", "std"), [({}, 1), ({"tie_weights": True, "embedding_size": 24}, 24**-0.5)])
def test_labels_learn_faster_than_tokens(
    optimizer: str, rate: float, label_rate: float, shape: dict, std: float
) -> None:
    model = a_model(labels=(KIND,), **shape)
    before = {name: value.clone() for name, value in model.named_parameters()}
    config = TrainConfig(steps=1, optimizer=optimizer, learning_rate=rate, weight_decay=0.0)
    learn_labels(model, Optimizers(model, config), rate=rate)
    for name, expected in (("labels.vectors", label_rate * std), ("embedding", rate)):
        moves = (model.get_parameter(name) - before[name]).detach().abs()
        assert moves[moves != 0].median().item() == pytest.approx(expected, rel=0.02), name


def test_a_label_is_learnt_within_a_few_steps() -> None:
    """What it tells is only in the first token of a text, and other weights have hardly moved by then."""
    model = a_model(labels=(KIND,))
    learn_labels(model, Optimizers(model, TrainConfig(steps=1, weight_decay=0.0)), steps=40, rate=0.003)
    first = torch.zeros((1, 2), dtype=torch.long)
    found = torch.softmax(model(first, model.initial_state(2, np.array([[1], [2]], np.uint16)))[0][0], -1)
    assert found[0, 3] > 2 * found[0, 5] and found[1, 5] > 2 * found[1, 3]


def test_gates_of_an_ngram_prior_and_biases_do_not_decay() -> None:
    model = a_model(ngram_order=3)
    optimizers = Optimizers(model, TrainConfig(steps=1, optimizer="muon", weight_decay=0.5))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    optimizers.step(0.01)
    for name, parameter in model.named_parameters():
        decays = parameter.ndim > 1 and not name.startswith("prior.")
        assert bool((parameter < 1).all()) == decays, name


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_moments_go_through_a_file(optimizer: str) -> None:
    config = TrainConfig(steps=1, optimizer=optimizer)
    whole, broken = a_model(), a_model()
    first = Optimizers(whole, config)
    assert first.moments() == {}
    learn(whole, first, steps=2)
    broken.load_state_dict(whole.state_dict())
    second = Optimizers(broken, config)
    second.restore({name: value.clone() for name, value in first.moments().items()})
    learn(whole, first, steps=2)
    learn(broken, second, steps=2)
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), broken.parameters(), strict=True))

    with pytest.raises(KeyError):
        second.restore({})
    wrong = {name: value.flatten()[:1] if value.ndim else value for name, value in first.moments().items()}
    with pytest.raises(ValueError, match="has a wrong shape or type"):
        second.restore(wrong)
    for change in (torch.Tensor.double, lambda value: value + float("nan")):
        with pytest.raises(ValueError, match="has a wrong shape or type"):
            second.restore({name: change(value) for name, value in first.moments().items()})
