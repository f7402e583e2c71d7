import json
from pathlib import Path

import numpy as np
import pytest
import torch

from charlm.api import load
from charlm.config import ModelConfig
from charlm.data.windows import document_windows, sample_windows
from charlm.errors import ConfigError
from charlm.evaluation.nats import window_nats
from charlm.evaluation.score import evaluate
from charlm.model.additions.match import SCALE, Match


def random_gate(module: Match) -> Match:
    """The module with a gate, and weights for the network's output, that are not zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.05, generator=generator)
    return module


@pytest.fixture
def network_with_match(network):
    """Make a network whose match has a random gate; `silent` sets the output layer to zero."""

    def network_with_match(dataset, *, silent: bool = False, **shape):
        model = network(vocab_size=dataset.tokenizer.vocab_size, match=True, **shape).eval()
        random_gate(model.match)
        if silent:
            with torch.no_grad():
                model.output.zero_()
        return model

    return network_with_match


def test_the_log_odds_of_the_predicted_token_are_mixed_and_the_others_share_the_rest() -> None:
    module = random_gate(Match(7))
    logits = torch.randn(4, 3, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    predictions = np.zeros((4, 3, 1, 2), dtype=np.int32)
    predictions[..., 0, 0] = np.arange(-1, 11).reshape(4, 3)  # -1 is none, and from 7 on there is no such token
    predictions[..., 1] = 37
    changed = module.double()(logits, predictions, torch.zeros(4, 3, 5))
    before, after = torch.softmax(logits, -1), torch.softmax(changed, -1)
    assert after.sum(-1).tolist() == pytest.approx(np.ones((4, 3)))
    slope, offset = (SCALE * module.gate[37]).tolist()
    for step, row in np.ndindex(4, 3):
        token = predictions[step, row, 0, 0]
        p, q = before[step, row], after[step, row]
        if not 0 <= token < 7:
            assert torch.equal(logits[step, row], changed[step, row])
            continue
        odds = torch.logit(p[token])
        assert torch.logit(q[token]).item() == pytest.approx((odds + slope * odds + offset).item())
        others = torch.arange(7) != token
        torch.testing.assert_close(q[others] / (1 - q[token]), p[others] / (1 - p[token]))


def test_each_prediction_adds_to_the_logit_of_its_token() -> None:
    module = random_gate(Match(7, 3, recent=True)).double()
    logits, hidden = torch.randn(2, 1, 1, 7, dtype=torch.float64), torch.randn(1, 1, 3, dtype=torch.float64)
    logits = logits[0]
    predictions = np.array([[[(2, 9), (-1, 80), (4, 95), (2, 110), (7, 122), (2, 140)]]], dtype=np.int32)
    added = (module(logits, predictions, hidden) - logits)[0, 0]
    assert module.weight is not None
    for token in range(7):
        odds = torch.logit(torch.softmax(logits, -1)[0, 0, token])
        expected = torch.zeros((), dtype=torch.float64)
        for prediction, (predicted, bucket) in enumerate(predictions[0, 0].tolist()):
            if predicted == token:
                slope, offset = SCALE * module.gate[bucket] + module.weight[prediction] @ hidden[0, 0]
                expected = expected + slope * odds + offset
        torch.testing.assert_close(added[token], expected)


@pytest.mark.parametrize("recent", [False, True])
def test_gradients_agree_with_finite_differences(recent: bool) -> None:
    module = random_gate(Match(5, 4, recent=recent)).double()
    generator = torch.Generator().manual_seed(3)
    logits, hidden = (
        torch.randn(6, 2, size, dtype=torch.float64, generator=generator, requires_grad=True) for size in (5, 4)
    )
    rng, shape = np.random.default_rng(3), (6, 2, module.lengths.predictions)
    predictions = np.stack((rng.integers(-1, 5, shape), rng.integers(0, module.lengths.buckets, shape)), -1).astype(
        np.int32
    )
    names = [name for name, _ in module.named_parameters()]

    def forward(logits, hidden, *weights):
        return torch.func.functional_call(module, dict(zip(names, weights, strict=True)), (logits, predictions, hidden))

    weights = (weight.detach().clone().requires_grad_() for weight in module.parameters())
    assert torch.autograd.gradcheck(forward, (logits, hidden, *weights))


@pytest.mark.parametrize("certain", [0.0, 40.0, 200.0, -200.0])
def test_a_certain_network_gives_finite_numbers(certain: float) -> None:
    module = random_gate(Match(3))
    logits = torch.tensor([[[certain, 0.0, 0.0]]], requires_grad=True)
    changed = module(logits, np.array([[[[0, 9]]]], dtype=np.int32), torch.zeros(1, 1, 2))
    torch.log_softmax(changed, -1).sum().backward()
    assert changed.isfinite().all() and logits.grad.isfinite().all() and module.gate.grad.isfinite().all()


@pytest.mark.parametrize("recent", [False, True])
def test_a_new_match_changes_nothing(dataset, network, recent: bool) -> None:
    shape = {"vocab_size": dataset.tokenizer.vocab_size}
    model, plain = network(match=True, recent=recent, **shape).eval(), network(**shape).eval()
    ids = torch.from_numpy(dataset.train.ids[:400].astype(np.int64))[:, None]
    assert torch.equal(model(ids)[0], plain(ids)[0])


@pytest.mark.parametrize("recent", [False, True])
def test_the_future_changes_no_prediction(dataset, network_with_match, recent: bool) -> None:
    model = network_with_match(dataset, recent=recent)
    ids = torch.from_numpy(dataset.train.ids[:600].astype(np.int64))[:, None]
    other = ids.clone()
    other[400:] = 5
    assert torch.equal(model(ids)[0][:400], model(other)[0][:400])


@pytest.mark.parametrize("documents", ["file", "line"])
def test_a_score_does_not_depend_on_the_windows(dataset_of, sentences: str, network_with_match, documents: str) -> None:
    dataset = dataset_of(sentences, documents=documents)
    model = network_with_match(dataset, recent=True)
    expected = evaluate(model, dataset.tokenizer, dataset.valid).nats
    for width in (7, 64):
        windows = document_windows(dataset.valid, batch_size=5, seq_len=width)
        assert sum(float(nats.double().sum()) for nats in window_nats(model, windows)) == pytest.approx(
            expected, rel=1e-5
        )


def test_a_passage_knows_the_document_before_it(dataset_of, network_with_match) -> None:
    """A sample of the split is scored as in the whole document, though only the match has read all before it."""
    verse = "all the colours of the rainbow and of the sea, "
    dataset = dataset_of("".join(f"{verse}{n:04}. " for n in range(800)), splits=(50, 50, 0))
    model = network_with_match(dataset, silent=True)
    windows = [*sample_windows(dataset.valid, tokens=1500, batch_size=4, seq_len=50)]
    assert sum(window.tokens for window in windows) < len(dataset.valid) / 2
    ids = torch.from_numpy(dataset.valid.ids.astype(np.int64))[:, None]
    with torch.inference_mode():
        whole = torch.nn.functional.cross_entropy(model(ids[:-1])[0][:, 0], ids[1:, 0], reduction="none")
    for window, nats in zip(windows, window_nats(model, windows), strict=True):
        for row, start in enumerate(window.starts.tolist()):
            counted = window.mask[:, row]
            expected = whole[start : start + len(counted)]
            torch.testing.assert_close(nats[counted, row], expected[counted[: len(expected)]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("native", [True, False])
def test_what_only_the_training_text_says_helps_no_match(
    dataset_of, network_with_match, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of the training text in the held-out one is as new as any other, until that says it twice."""
    if not native:
        monkeypatch.setattr("charlm.ngram.match.native_library", lambda: None)
    page = "the quick brown fox jumps over a lazy dog; "
    dataset = dataset_of(page * 20, splits=(50, 50, 0))
    model = network_with_match(dataset, silent=True, recent=True)
    ids = torch.from_numpy(dataset.valid.ids.astype(np.int64))[:, None]
    with torch.inference_mode():
        logits = model(ids)[0][:, 0]
    seen = ids[:, 0].tolist()
    first = next(step for step in range(1, len(seen)) if seen[step] in seen[:step])  # a character that is said twice
    assert torch.equal(logits[:first], logits[:1].expand(first, -1))
    assert not torch.equal(logits[first], logits[0])


def test_a_text_of_repeats_is_learnt_with_a_match(train_run, write) -> None:
    """Each line is random and stands twice: only who looks back can know the second half of them."""
    rng = np.random.default_rng(5)
    lines = ("".join(rng.choice([*"abcdefghij"], 60)) + "\n" for _ in range(120))
    source = write("".join(line * 2 for line in lines), "repeats.txt")
    losses = {}
    for own in (True, False):
        run = f"runs/{own}"
        train_run(run, source=source, model={"match": own, "hidden_size": 16, "embedding_size": 16}, steps=150)
        losses[own] = load(run).evaluate(split="test").nats_per_token
    assert losses[True] < 0.75 * losses[False]


def test_a_document_that_has_its_own_words_is_learnt_with_recent_contexts(train_run, write) -> None:
    """In each document a random token follows each letter: only who reads what the document has said can know it."""
    rng = np.random.default_rng(6)
    documents = []
    for _ in range(60):
        table = dict(zip("abcdefgh", rng.choice([*"ijklmnop"], 8), strict=True))
        documents.append("".join(letter + table[letter] for letter in rng.choice([*"abcdefgh"], 60)))
    source = write("\n\n".join(documents), "tables.txt")
    losses = {}
    for own in (True, False):
        run = f"runs/{own}"
        shape = {"match": True, "recent": own, "hidden_size": 16, "embedding_size": 16}
        train_run(run, source=source, model=shape, corpus={"documents": "paragraph"}, steps=150)
        losses[own] = load(run).evaluate(split="test").nats_per_token
    assert losses[True] < 0.85 * losses[False]


def test_the_model_file_says_whether_there_is_a_match(train_run, small_shape: dict) -> None:
    train_run("runs/with", model=small_shape | {"match": True})
    train_run("runs/without", model=small_shape)
    assert load("runs/with").model.match is not None and load("runs/without").model.match is None
    assert json.loads(Path("runs/with/config.json").read_text())["model"]["match"] is True
    assert load("runs/with").model.match.weight is None


def test_recent_contexts_need_a_match() -> None:
    with pytest.raises(ConfigError, match=r"^--recent needs a match; add --match, or leave --recent out$"):
        ModelConfig(vocab_size=5, recent=True)
