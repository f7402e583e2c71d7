from types import SimpleNamespace

import pytest
from conftest import TEXT
from small_runs import SMALL

from charlm import api, budget
from charlm.api import Hooks
from charlm.budget import Plan, passes_of, plan, plan_for, rows_of_text, tokens_per_second
from charlm.config import ModelConfig, TrainConfig
from charlm.runs import RunFolder


@pytest.mark.parametrize("tokens", [1, 50_000, 1_000_000, 3_000_000, 10**9])
@pytest.mark.parametrize("passes", [0.001, 0.9, 2, 8, 50, 10_000])
def test_every_plan_is_a_configuration(tokens: int, passes: float) -> None:
    found = plan(tokens=tokens, passes=passes)
    ModelConfig(vocab_size=68, **found.model)
    config = TrainConfig(minutes=1, **found.training)
    assert f"{tokens:,} tokens" in found.why and "\n" not in found.why
    assert 3e-3 <= config.learning_rate <= 5e-3


def test_more_passes_need_more_dropout_and_larger_texts_a_wider_network() -> None:
    dropouts = [plan(tokens=10**6, passes=passes).model["dropout"] for passes in (0.5, 2, 8, 20, 100)]
    assert dropouts == sorted(set(dropouts))
    assert plan(tokens=10**7, passes=60).model["hidden_size"] > plan(tokens=10**5, passes=60).model["hidden_size"]
    assert (
        plan(tokens=10**7, passes=0.1).training["learning_rate"]
        > plan(tokens=10**5, passes=9).training["learning_rate"]
    )


def test_a_wide_network_wants_a_large_text_and_many_tokens_seen() -> None:
    def width(tokens: int, passes: float) -> int:
        return plan(tokens=tokens, passes=passes).model["hidden_size"]

    assert width(10**5, 2000) == width(10**6, 90) == width(3 * 10**6, 9) == width(10**7, 2) == 256
    assert width(3 * 10**6, 12) == width(10**7, 5) == 384
    assert width(5 * 10**5, 300) == width(3 * 10**6, 40) == width(10**7, 7) == 512
    rates = [plan(tokens=10**7, passes=passes).training["learning_rate"] for passes in (2, 5, 7)]
    assert rates == [5e-3, 4e-3, 3e-3]


def test_a_learning_rate_goes_with_the_characters_of_a_text() -> None:
    def rate(**text: int) -> float:
        return plan(passes=2, **text).training["learning_rate"]

    assert rate(tokens=10**6) == 3e-3 < rate(tokens=10**6, characters=14 * 10**5) < rate(tokens=3 * 10**6) == 5e-3


def test_weights_are_dropped_from_the_lstm_only_and_never_in_one_pass() -> None:
    assert plan(tokens=10**5, passes=100).model["weight_dropout"] > 0
    assert plan(tokens=10**5, passes=100, cell="irnn").model["weight_dropout"] == 0
    model = plan(tokens=5 * 10**5, passes=300).model
    assert (model["dropout"], model["weight_dropout"]) == (0.5, 0.5)
    single = plan(tokens=1000, passes=0.9)
    assert (single.model["dropout"], single.model["weight_dropout"]) == (0, 0)
    assert "by heart" not in single.why


def test_a_width_that_is_settled_stays() -> None:
    settled = plan(tokens=10**7, passes=9, width=64)
    assert "hidden_size" not in settled.model and settled.training["seq_len"] == 32
    assert plan(tokens=10**5, passes=9, width=600).training["seq_len"] == 64


TEXT_OF = {"tokens": 5000, "documents": 1, "vocab_size": 9}


def test_passes_are_those_of_the_shortest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "tokens_per_second", lambda vocab_size, config, across: 1000.0)

    def passes(**lengths) -> float:
        return passes_of(TrainConfig(batch_size=10, seq_len=10, **lengths), seconds=10.0, **TEXT_OF)

    assert passes(epochs=3) == 3
    assert passes(steps=100) == 2
    assert passes(minutes=1) == pytest.approx(50 * 0.85 * 1000 / 5000)
    assert passes(minutes=1, epochs=3, steps=100) == 2
    assert passes(minutes=0.1) == 0
    lines = TEXT_OF | {"documents": 2500}  # rows of two tokens, not of ten
    assert passes_of(TrainConfig(batch_size=10, seq_len=10, steps=100), seconds=10.0, **lines) == 0.4


def test_a_step_has_as_many_rows_as_make_two_thousand_tokens() -> None:
    def rows(seq_len: int = 32, **text: int) -> int:
        return rows_of_text(TrainConfig(steps=1, seq_len=seq_len), **({"documents": 1, "vocab_size": 68} | text))

    assert rows(tokens=10**6) == 64
    assert rows(tokens=10**6, seq_len=128) == 16
    assert rows(tokens=210_000, documents=30_000) == 288  # names
    assert rows(tokens=45_000) == 8  # a hundred steps a pass and more
    assert rows(tokens=10**6, vocab_size=2000) == 32
    assert rows(tokens=10**6, vocab_size=50_000) == 8  # 16 million logits at most
    assert rows(tokens=3) == 8


@pytest.mark.parametrize(
    ("tokens", "vocab_size", "passes", "rows"),
    [(3 * 10**6, 68, 40, 128), (3 * 10**6, 68, 9, 64), (10**6, 68, 200, 64), (3 * 10**6, 2000, 40, 32)],
)
def test_a_wide_network_reads_twice_as_many_rows_of_a_large_text(
    monkeypatch: pytest.MonkeyPatch, tokens: int, vocab_size: int, passes: float, rows: int
) -> None:
    monkeypatch.setattr(budget, "passes_of", lambda config, **text: passes)
    facts = SimpleNamespace(tokens=tokens, documents=1, characters=tokens)
    dataset = SimpleNamespace(train=SimpleNamespace(facts=facts), tokenizer=SimpleNamespace(vocab_size=vocab_size))
    found = plan_for(dataset, TrainConfig(minutes=1), (), seconds=0, width=None, cell="lstm")
    assert found.training["batch_size"] == rows


def test_the_speed_is_that_of_this_machine() -> None:
    assert 100 < tokens_per_second(20, TrainConfig(steps=1, batch_size=2), 8) < 1e8


def test_what_is_given_goes_before_what_is_chosen(write) -> None:
    plans: list[Plan] = []
    api.train(
        write(TEXT),
        run="runs/a",
        model={"hidden_size": 8, "ngram_order": 0},
        training={"steps": 20, "learning_rate": 0.02},
        hooks=Hooks(planned=plans.append),
    )
    (found,) = plans
    config = RunFolder(api.find_run("runs/a")).read_config()
    vectors = {"embedding_size": 32, "tie_weights": False}
    assert config.model == found.model | vectors | {"hidden_size": 8, "ngram_order": 0}
    assert config.training == TrainConfig(**({"steps": 20} | found.training | {"learning_rate": 0.02}))


def test_a_configuration_that_is_whole_is_taken_as_it_is(write) -> None:
    plans: list[Plan] = []
    settings = TrainConfig(steps=20)
    api.train(write(TEXT), run="runs/a", model=SMALL, training=settings, hooks=Hooks(planned=plans.append))
    config = RunFolder(api.find_run("runs/a")).read_config()
    assert (plans, config.model, config.training) == ([], SMALL | {"tie_weights": False}, settings)


def test_without_a_network_of_ones_own_order_it_is_chosen_by_the_text(write) -> None:
    api.train(write(TEXT), run="runs/a", model={"hidden_size": 8}, training={"steps": 5})
    model = api.load("runs/a").checkpoint.model
    assert model.config.ngram_order == model.prior.ngram.order > 1
