import json
from typing import Any

import pytest

from charlm.config import ModelConfig, TrainConfig
from charlm.training.start.settings import AutotunedSettings, TrainingTask, settings_for


@pytest.mark.parametrize("tokens", [1, 50_000, 1_000_000, 3_000_000, 10**9])
@pytest.mark.parametrize("passes", [0.001, 0.9, 2, 8, 50, 10_000])
def test_every_plan_is_a_configuration(tokens: int, passes: float) -> None:
    found = settings_for(TrainingTask(tokens=tokens), passes)
    ModelConfig(vocab_size=68, **found.model)
    config = TrainConfig(minutes=1, **found.training)
    assert found.why.startswith("1 token will" if tokens == 1 else f"{tokens:,} tokens will") and "\n" not in found.why
    assert 3e-3 <= config.learning_rate <= 5e-3


@pytest.mark.parametrize(
    ("hidden_size", "wanted"),
    [(256, [0, 0, 0, 0.15, 0.2, 0.2, 0.2, 0.4]), (512, [0, 0, 0, 0.15, 0.2, 0.5, 0.5, 0.5])],
)
def test_more_passes_need_more_dropout(hidden_size: int, wanted: list[float]) -> None:
    passes = (0.5, 1.2, 2, 8, 20, 50, 100, 200)
    assert [
        settings_for(TrainingTask(tokens=10**6, hidden_size=hidden_size), each).model["dropout"] for each in passes
    ] == wanted


@pytest.mark.parametrize("hidden_size", [256, 512])
def test_fine_tuning_is_gentle(hidden_size: int) -> None:
    for passes in (0.5, 8, 200):
        found = settings_for(TrainingTask(tokens=10**5, hidden_size=hidden_size, fine_tuning=True), passes)
        assert (found.training["optimizer"], found.training["learning_rate"]) == ("adamw", 5e-4)
        assert found.model["dropout"] <= 0.2 and found.model["weight_dropout"] == 0
        assert "forgets less" in found.why


def test_a_learning_rate_goes_with_the_characters_of_a_text() -> None:
    def rate(**text: int) -> float:
        return settings_for(TrainingTask(**text), 2).training["learning_rate"]

    assert rate(tokens=10**6) == 3e-3 < rate(tokens=10**6, characters=14 * 10**5) < rate(tokens=3 * 10**6) == 5e-3


def test_an_lstm_alone_has_a_higher_learning_rate() -> None:
    def rate(**settings: Any) -> float:
        return settings_for(TrainingTask(tokens=10**6, has_prior=False, **settings), 2).training["learning_rate"]

    assert rate() == 5 * 3e-3
    assert rate(cell="gru") == rate(is_pairs=True) == 3e-3
    assert rate(network="transformer") == 3e-3
    assert rate(fine_tuning=True) == 1.3e-3


def test_five_passes_need_no_dropout_or_two_of_fine_tuning() -> None:
    def dropout(passes: float, **settings: bool) -> float:
        return settings_for(TrainingTask(tokens=10**5, **settings), passes).model["dropout"]

    assert dropout(5) == 0 < dropout(5.1)
    assert dropout(2, fine_tuning=True) == 0 < dropout(2.1, fine_tuning=True)


def test_weights_are_dropped_from_the_lstm_only_and_never_in_one_pass() -> None:
    assert settings_for(TrainingTask(tokens=10**6), 50).model["weight_dropout"] == 0
    assert settings_for(TrainingTask(tokens=10**6), 100).model["weight_dropout"] == 0.2
    assert settings_for(TrainingTask(tokens=10**5), 100).model["weight_dropout"] == 0.4
    assert settings_for(TrainingTask(tokens=10**5, cell="irnn"), 100).model["weight_dropout"] == 0
    model = settings_for(TrainingTask(tokens=5 * 10**5, hidden_size=512), 300).model
    assert (model["dropout"], model["weight_dropout"]) == (0.5, 0.5)
    single = settings_for(TrainingTask(tokens=1000), 0.9)
    assert (single.model["dropout"], single.model["weight_dropout"]) == (0, 0)
    assert "less than once" in single.why and "by heart" not in single.why
    assert "1,000 tokens will be seen about 3.0 times" in settings_for(TrainingTask(tokens=1000), 3).why


def test_a_reason_is_given_for_what_is_chosen_only() -> None:
    found = settings_for(TrainingTask(tokens=10**6), 20)
    assert "learning rate" in found.why and found.why.endswith("; dropout of 0.2 keeps the text from being memorised")
    assert "heart" not in found.without({"dropout"}).why and "learning rate" in found.without({"dropout"}).why
    assert found.without({"dropout", "learning_rate"}).why == "1,000,000 tokens will be seen about 20.0 times"


def test_what_one_process_has_chosen_arrives_in_the_others() -> None:
    found = settings_for(TrainingTask(tokens=10**6, cell="gru", fine_tuning=True), 20)
    assert AutotunedSettings.from_json(json.loads(json.dumps(found.to_json()))) == found
