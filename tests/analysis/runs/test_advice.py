import pytest

from charlm.analysis.runs.advice import Advice, advise
from charlm.config import TrainConfig

TEN_MINUTES = TrainConfig(minutes=10)


def records(validations: list[float], training: list[float], epochs: float = 5.0) -> dict[str, list[dict]]:
    """A run of ten minutes whose validations are evenly spaced, ten steps apart."""
    count = max(1, len(validations))
    return {
        "step": [
            {"step": 10 * (index + 1), "loss": loss, "epoch": epochs * (index + 1) / count}
            for index, loss in enumerate(training)
        ],
        "validation": [
            {"step": 10 * (index + 1), "seconds": 600 * (index + 1) / count, "nats_per_token": nats}
            for index, nats in enumerate(validations)
        ],
    }


def advice(validations: list[float], training: list[float], epochs: float = 5.0) -> Advice | None:
    return advise(records(validations, training, epochs), hidden_size=128, dropout=0.1, training=TEN_MINUTES)


def test_an_overfitted_run() -> None:
    found = advice([2.0, 1.8, 1.6, 1.65, 1.7, 1.8, 1.9, 2.0], [2.0, 1.7, 1.5, 1.3, 1.1, 0.9, 0.7, 0.5])
    assert found == Advice(
        kind="overfitted",
        sentence="overfitted since step 30: validation rose from 1.6000 to 2.0000 while training loss fell "
        "from 1.5000 to 0.5000; the model of step 30 is kept",
        options="--dropout 0.4 --weight-dropout 0.4",
    )


def test_a_run_that_is_slightly_overfitted_is_not_given_a_cure() -> None:
    found = advice([2.0, 1.8, 1.6, 1.603, 1.604, 1.605, 1.606, 1.608], [2.0, 1.7, 1.5, 1.3, 1.1, 0.9, 0.7, 0.5])
    assert found is not None and (found.kind, found.options) == ("overfitted", None)
    assert found.sentence.startswith("slightly overfitted since step 30: validation rose from 1.6000 to 1.6080")


def test_a_rise_beside_a_training_loss_that_is_no_lower_is_no_overfitting() -> None:
    found = advice([2.0, 1.8, 1.6, 1.55, 1.52, 1.49, 1.5, 1.5], [2.0, 1.8, 1.6, 1.54, 1.51, 1.51, 1.5, 1.5])
    assert found is not None and (found.kind, found.options) == ("falling", "--minutes 20")


def test_a_run_that_still_learns() -> None:
    found = advice([2.0, 1.9, 1.8, 1.7, 1.6, 1.55, 1.5, 1.48], [2.0, 1.85, 1.75, 1.65, 1.5, 1.45, 1.4, 1.35], 0.4)
    assert found is not None and found.kind == "falling"
    assert "by 0.2200 in the second half of the run, to 1.4800, and training loss by 0.3000" in found.sentence
    assert found.options == "--minutes 20"
    assert found.sentence.endswith("; falling as much again, twice the time would give 1.260")


def test_a_training_loss_that_rose_is_not_told_of() -> None:
    found = advice([2.0, 1.9, 1.8, 1.7, 1.6, 1.55, 1.5, 1.48], [2.0, 1.9, 1.8, 1.45, 1.6, 1.55, 1.5, 1.46], 0.4)
    assert found is not None
    assert found.sentence.endswith(
        "in the second half of the run, to 1.4800; falling as much again, twice the time would give 1.260"
    )


@pytest.mark.parametrize(
    ("length", "twice"),
    [
        ({"steps": 80}, "--steps 160"),
        ({"epochs": 0.4}, "--epochs 0.8"),
        ({"minutes": 5, "epochs": 20}, "--minutes 10"),
        ({"minutes": 60, "epochs": 0.4}, "--epochs 0.8"),
    ],
)
def test_twice_the_length_is_told_in_its_own_unit(length: dict, twice: str) -> None:
    curves = records([2.0, 1.9, 1.8, 1.7, 1.6, 1.55, 1.5, 1.48], [2.0, 1.85, 1.75, 1.65, 1.5, 1.45, 1.4, 1.35], 0.4)
    found = advise(curves, hidden_size=128, dropout=0.1, training=TrainConfig(**length))
    assert found is not None and found.options == twice


def test_a_network_that_is_too_small() -> None:
    found = advice([2.0, 1.9, 1.82, 1.801, 1.8005, 1.8003, 1.8002, 1.8], [2.0, 1.9, 1.82, 1.8, 1.8, 1.8, 1.8, 1.79])
    assert found is not None and found.kind == "small"
    assert (
        "after 5.0 epochs validation (1.8000) no longer falls and training loss (1.7900) is not much lower"
        in found.sentence
    )
    assert found.options == "--hidden 256 --minutes 20"


def test_with_much_dropout_training_loss_tells_nothing_of_the_size() -> None:
    curves = records([2.0, 1.9, 1.82, 1.801, 1.8005, 1.8003, 1.8002, 1.8], [1.8] * 8)
    kinds = [advise(curves, hidden_size=8, dropout=dropout, training=TEN_MINUTES).kind for dropout in (0.1, 0.3)]
    assert kinds == ["small", "settled"]


def test_a_run_that_has_settled() -> None:
    found = advice([2.0, 1.7, 1.6, 1.502, 1.501, 1.5005, 1.5005, 1.5], [2.0, 1.6, 1.5, 1.4, 1.35, 1.33, 1.32, 1.31])
    assert found is not None and (found.kind, found.options) == ("settled", None)
    assert "fell by only 0.0020 in the second half of the run, to 1.5000" in found.sentence


def test_a_run_that_falls_no_more_in_its_last_quarter_has_settled() -> None:
    found = advice([2.0, 1.7, 1.6, 1.51, 1.505, 1.5, 1.502, 1.501], [2.0, 1.6, 1.5, 1.4, 1.35, 1.33, 1.32, 1.31])
    assert found is not None and (found.kind, found.options) == ("settled", None)
    assert "was lowest at step 60 (1.5000) and is 1.5010 at the end" in found.sentence


@pytest.mark.parametrize("count", [0, 1, 5])
def test_too_few_validations_tell_nothing(count: int) -> None:
    assert (
        advise(records([1.5] * count, [1.5] * max(1, count)), hidden_size=8, dropout=0.1, training=TEN_MINUTES) is None
    )


def test_what_is_not_finite_is_left_out() -> None:
    broken = records([2.0, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4], [2.0, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4])
    broken["validation"][3]["nats_per_token"] = None
    broken["step"][2]["loss"] = None
    assert advise(broken, hidden_size=8, dropout=0.1, training=TEN_MINUTES) is None
