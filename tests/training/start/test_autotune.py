from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from charlm import api
from charlm.api import Callbacks
from charlm.config import DEFAULT_NETWORK, DEFAULT_SHAPES, ModelConfig, TrainConfig
from charlm.storage.runs import RunFolder, find_run
from charlm.training.start import autotune as autotune_module
from charlm.training.start import speed as speed_module
from charlm.training.start.autotune import autotune, context_vectors_for, hidden_size_for, passes_of
from charlm.training.start.settings import AutotunedSettings, TrainingTask, settings_for


def test_a_wide_network_wants_a_large_text_and_many_tokens_seen() -> None:
    assert {hidden_size_for(10**5, 1e9), hidden_size_for(10**6, 60e6), hidden_size_for(3 * 10**6, 19e6)} == {256}
    assert {hidden_size_for(3 * 10**6, 21e6), hidden_size_for(10**7, 39e6)} == {384}
    assert {hidden_size_for(5 * 10**5, 160e6), hidden_size_for(3 * 10**6, 41e6), hidden_size_for(10**7, 41e6)} == {512}
    rates = [
        settings_for(TrainingTask(tokens=10**7, hidden_size=hidden_size), 9).training["learning_rate"]
        for hidden_size in (256, 384, 512)
    ]
    assert rates == [5e-3, 4e-3, 3e-3]


def test_pairs_have_no_dropout_whatever_the_passes() -> None:
    for passes in (0.5, 8, 200):
        found = settings_for(TrainingTask(tokens=10**5, is_pairs=True), passes)
        assert found.model == {"dropout": 0, "weight_dropout": 0}
    assert planned(TrainConfig(epochs=9), documents=10**5, pairs=True).training["batch_size"] == 32
    assert planned(TrainConfig(epochs=9), documents=10**5).training["batch_size"] == 64


def test_fine_tuning_on_a_larger_text_has_a_higher_rate() -> None:
    found = [settings_for(TrainingTask(tokens=tokens, fine_tuning=True), 1) for tokens in (400_000, 800_000, 10**7)]
    assert [one.training["learning_rate"] for one in found] == [5e-4, 1e-3, 1.5e-3]
    assert "forgets less" in found[0].why and "text of this size allows" in found[1].why
    window = planned(TrainConfig(epochs=1), hidden_size=512, fine_tuning=True).training
    assert window["batch_size"] == 64, "a wide network that begins anew reads twice as many"


def test_passes_are_those_of_the_shortest_length() -> None:
    def passes(**lengths) -> float:
        config = TrainConfig(batch_size=4, seq_len=25, **lengths)
        return passes_of(config, split_of(tokens=5000), seconds=10.0, speed=1000.0)

    assert passes(epochs=3) == 3
    assert passes(steps=100) == pytest.approx(100 / 67)  # a pass is 67 windows of at most 4 x 25 tokens
    assert passes(minutes=1) == pytest.approx(50 * 0.8 * 1000 / 5000)
    assert passes(minutes=1, epochs=3, steps=100) == passes(steps=100)
    assert passes(minutes=0.1) == 0


@pytest.mark.parametrize(
    ("documents", "shape"),
    [
        ("file", {"batch_size": 512, "seq_len": 512}),
        ("file", {"batch_size": 16, "seq_len": 300}),
        ("line", {"batch_size": 100, "seq_len": 64}),
        ("line", {"batch_size": 64, "seq_len": 7}),
    ],
)
def test_the_forecast_is_how_often_the_steps_read_the_text(
    text: Path, documents: str, shape: dict[str, int], small_shape: dict
) -> None:
    plans: list[AutotunedSettings] = []
    training = {"steps": 15} | shape
    callbacks = Callbacks(on_settings=plans.append)
    corpus = {"documents": documents}
    trained = api.train_run(
        text, run="runs/a", corpus=corpus, model=small_shape, training=training, callbacks=callbacks
    )
    assert plans[0].passes == pytest.approx(trained.outcome.epoch, rel=0.1)


def split_of(tokens: int, documents: int = 1, pairs: bool = False) -> SimpleNamespace:
    """A training split that has no ids."""
    facts = SimpleNamespace(tokens=tokens, documents=documents, characters=tokens)
    starts = np.linspace(0, tokens + documents, documents + 1).astype(np.int64)
    return SimpleNamespace(facts=facts, starts=starts, targets=starts[:-1] + 1 if pairs else None)


def planned(
    config: TrainConfig,
    given=(),
    *,
    tokens=3 * 10**6,
    documents=1,
    vocab_size=68,
    hidden_size=None,
    ngram_order=12,
    pairs=False,
    network=DEFAULT_NETWORK,
    fine_tuning=False,
) -> AutotunedSettings:
    """What is planned for a text that there need not be."""
    train = split_of(tokens, documents, pairs)
    dataset = SimpleNamespace(train=train, tokenizer=SimpleNamespace(vocab_size=vocab_size))
    shape = DEFAULT_SHAPES[network] | ({"hidden_size": hidden_size} if hidden_size else {})
    alone = ModelConfig(vocab_size=vocab_size, network=network, embedding_size=32, **shape)
    known = {
        "fine_tuning": fine_tuning,
        "network": alone,
        "is_width_given": hidden_size is not None,
        "ngram_order": ngram_order,
    }
    return autotune(dataset, config, given, seconds=0, **known)


def test_a_wide_network_reads_twice_as_many_rows_of_a_large_text() -> None:
    def shape(*given: str, **text: int) -> tuple[int, int]:
        training = planned(TrainConfig(epochs=40, batch_size=7), given, hidden_size=512, **text).training
        return training["batch_size"], training["seq_len"]

    assert shape() == (128, 64)
    assert shape(tokens=10**6) == (64, 64)
    assert shape(vocab_size=2000) == (32, 64)
    assert shape(documents=400_000) == (288, 64)  # lines
    assert shape("batch_size") == (7, 64)
    assert planned(TrainConfig(epochs=1), hidden_size=256).training["batch_size"] == 64


def test_what_is_planned_is_for_the_passes_that_the_network_itself_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = {256: 75_000.0, 384: 45_000.0, 512: 30_000.0}
    for module in (speed_module, autotune_module):
        monkeypatch.setattr(module, "tokens_per_second", lambda network, *_: speeds[network.hidden_size])
    seen = {256: ("6.0", "3.7"), 384: ("3.6", "2.6"), 512: ("2.4", "1.9")}  # 500 seconds, of which 0.8 are steps
    for hidden_size, (alone, with_prior) in seen.items():
        text = {"hidden_size": hidden_size, "tokens": 5 * 10**6}
        assert f"about {alone} times" in planned(TrainConfig(minutes=500 / 60), ngram_order=0, **text).why
        assert f"about {with_prior} times" in planned(TrainConfig(minutes=500 / 60), **text).why
    selected = planned(TrainConfig(minutes=500 / 60), tokens=5 * 10**6)
    assert selected.model["hidden_size"] == 384 and "about 2.6 times" in selected.why
    steps = planned(
        TrainConfig(steps=30_000)
    )  # 61 million tokens by the batch of 256 units, by its own four times that
    assert steps.model["hidden_size"] == 512 and "about 81.3 times" in steps.why
    assert "about 3.0 times" in planned(TrainConfig(epochs=3), hidden_size=512).why


@pytest.mark.parametrize("network", ["transformer", "convolution"])
def test_another_network_has_its_own_width_and_window(monkeypatch: pytest.MonkeyPatch, network: str) -> None:
    """As many tokens in a step, in longer rows; nothing that only recurrent layers have; timed as what it is."""
    timed = []
    monkeypatch.setattr(speed_module, "tokens_per_second", lambda one, *_: timed.append(one.network) or 75_000.0)
    plan = planned(TrainConfig(minutes=500 / 60), tokens=5 * 10**6, network=network)
    assert plan.model["hidden_size"] == DEFAULT_SHAPES[network]["hidden_size"]
    assert "weight_dropout" not in plan.model
    assert (plan.training["batch_size"], plan.training["seq_len"]) == (32, 64)
    assert set(timed) == {network}
    assert planned(TrainConfig(epochs=1, seq_len=16), ["seq_len"], network=network).training["batch_size"] == 128


def test_large_texts_have_more_context_vectors() -> None:
    def number(tokens: int) -> int:
        return planned(TrainConfig(epochs=1), tokens=tokens).model["context_vectors"]

    assert number(10**6) == 5000
    assert number(10**7) == 16_384
    assert context_vectors_for(10**6, ngram_order=3) == 5000
    assert context_vectors_for(10**6, ngram_order=2) == 0


def test_a_network_without_n_grams_is_alone() -> None:
    model = planned(TrainConfig(epochs=1), ngram_order=0).model
    assert model["match"] is model["recent"] is False


@pytest.mark.parametrize(
    ("documents", "vocab_size", "match"),
    [(1, 68, True), (120_000, 68, True), (120_001, 68, False), (1, 512, True), (1, 513, False)],
)
def test_long_documents_of_a_small_vocabulary_have_a_match(
    monkeypatch: pytest.MonkeyPatch, documents: int, vocab_size: int, match: bool
) -> None:
    monkeypatch.setattr(autotune_module, "native_library", lambda: object())
    model = planned(TrainConfig(epochs=1), documents=documents, vocab_size=vocab_size).model
    assert model["match"] is model["recent"] is match


def test_without_compiled_code_there_is_no_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune_module, "native_library", lambda: None)
    settings = planned(TrainConfig(epochs=1))
    assert settings.model["match"] is False
    assert "a match would take too long without a C compiler" in settings.why
    short_documents = planned(TrainConfig(epochs=1), documents=10**6)
    assert "match" not in short_documents.why


@pytest.mark.parametrize(
    ("speeds", "given", "chosen"),
    [
        ({4: 1000, 2: 1100, 1: 5000}, None, None),  # two are not much faster than four, so one is not tried
        ({4: 1000, 2: 2000, 1: 2100}, None, 2),
        ({4: 100, 2: 300, 1: 9000}, None, 1),
        ({4: 100, 2: 300, 1: 9000}, 4, 4),
    ],
)
def test_fewer_threads_are_chosen_where_more_wait_for_each_other(
    speeds: dict[int, float], given: int | None, chosen: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(4)
    monkeypatch.setattr(speed_module, "tokens_per_second", lambda *_: speeds[torch.get_num_threads()])
    plan = planned(TrainConfig(minutes=1, threads=given))
    assert plan.training.get("threads") == chosen
    assert torch.get_num_threads() == (chosen or 4)
    assert ("threads" in plan.reasons) == (given is None and chosen is not None)


def test_what_is_given_goes_before_what_is_chosen(text: Path) -> None:
    plans: list[AutotunedSettings] = []
    api.train_run(
        text,
        run="runs/a",
        model={"hidden_size": 8, "ngram_order": 0},
        training={"steps": 20, "learning_rate": 0.02},
        callbacks=Callbacks(on_settings=plans.append),
    )
    (found,) = plans
    config = RunFolder(find_run("runs/a")).read_config()
    vectors = {"num_layers": 1, "embedding_size": 32, "tie_weights": False}
    assert config.model == found.model | vectors | {"hidden_size": 8, "ngram_order": 0}
    assert config.training == TrainConfig(**({"steps": 20} | found.training | {"learning_rate": 0.02}))


def test_without_auto_the_defaults_are_taken(text: Path, small_shape: dict) -> None:
    plans: list[AutotunedSettings] = []
    callbacks = Callbacks(on_settings=plans.append)
    api.train_run(text, run="runs/a", model=small_shape, training={"steps": 20}, auto=False, callbacks=callbacks)
    config = RunFolder(find_run("runs/a")).read_config()
    assert (plans, config.model, config.training) == ([], small_shape | {"tie_weights": False}, TrainConfig(steps=20))


def test_without_a_network_of_ones_own_order_it_is_chosen_by_the_text(text: Path) -> None:
    api.train_run(text, run="runs/a", model={"hidden_size": 8}, training={"steps": 5})
    model = api.load("runs/a").checkpoint.model
    assert model.config.ngram_order == model.prior.ngram.order > 1
