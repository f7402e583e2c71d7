import json
from dataclasses import replace
from pathlib import Path

import pytest

from charlm.analysis.runs.advice import Advice, advise
from charlm.analysis.runs.metrics import Metrics, StepRecord, ValidationRecord
from charlm.config import TrainConfig

RESULTS = Path(__file__).parents[3] / "docs/results/advice.jsonl"
TEN_MINUTES = TrainConfig(minutes=10)
FALLING = [2.0, 1.9, 1.8, 1.7, 1.6, 1.55, 1.5, 1.48]


def step(number: int, loss: float | None, epoch: float) -> StepRecord:
    """The record of a step, whose other figures don't matter."""
    unused = {"progress": 0.0, "tokens": 0, "seconds": 0.0, "learning_rate": 0.0}
    return StepRecord(step=number, loss=loss, epoch=epoch, gradient_norm=None, clipped_norm=None, **unused)


def validation(number: int, nats: float, seconds: float = 1.0) -> ValidationRecord:
    """The record of a validation."""
    return ValidationRecord(
        step=number, seconds=seconds, nats_per_token=nats, bits_per_character=None, tokens=0, best=False
    )


def metrics(validations: list[float], training: list[float], epochs: float = 5.0) -> Metrics:
    """A run of ten minutes whose validations are evenly spaced, ten steps apart."""
    count = max(1, len(validations))
    return Metrics(
        steps=tuple(step(10 * place, loss, epochs * place / count) for place, loss in enumerate(training, 1)),
        validations=tuple(
            validation(10 * place, nats, 600 * place / count) for place, nats in enumerate(validations, 1)
        ),
    )


def advice(
    validations: list[float], training: list[float], epochs: float = 5.0, length: TrainConfig = TEN_MINUTES
) -> Advice | None:
    return advise(metrics(validations, training, epochs), hidden_size=64, training=length)


def test_an_overfitted_run() -> None:
    found = advice([2.0, 1.8, 1.6, 1.65, 1.7, 1.8, 1.9, 2.0], [2.0, 1.7, 1.5, 1.3, 1.1, 0.9, 0.7, 0.5])
    assert found == Advice(
        kind="overfitted",
        sentence="overfitted: the validation loss was lowest at step 30 (1.6000) and is 2.0000 at the end, while the "
        "training loss fell from 1.5000 to 0.5000; the model of step 30 is kept, and training twice as long would "
        "probably gain less than 0.5%",
        options=None,
        gain=(-1.0, 0.005),
    )


@pytest.mark.parametrize(
    ("last", "training"),
    [
        (1.608, 0.5),  # a rise of half a per cent
        (1.7, 1.6),  # beside a training loss that rose, too
    ],
)
def test_a_run_past_its_lowest_validation_has_no_forecast(last: float, training: float) -> None:
    found = advice([2.0, 1.8, 1.6, 1.603, 1.604, 1.605, 1.606, last], [2.0, 1.7, 1.5, 1.3, 1.1, 0.9, 0.7, training])
    assert found is not None and (found.kind, found.options, found.gain) == ("level", None, None)
    assert found.sentence == (
        f"the validation loss was lowest at step 30 (1.6000) and is {last:.4f} at the end; the model of step 30 is kept"
    )


def test_a_run_that_ends_at_its_lowest_validation_still_improves() -> None:
    found = advice(FALLING, [2.0, 1.85, 1.75, 1.65, 1.5, 1.4, 1.3, 1.2], 0.4)
    assert found is not None and (found.kind, found.options) == ("improving", "--minutes 20")
    assert found.sentence == (
        "still improving: the validation loss is lowest at the end, and fell by 12.9% in the second half of "
        "the run; training twice as long would probably lower it by another 1.6% to 30.5%"
    )
    assert found.gain == pytest.approx((0.0159, 0.3051), abs=1e-4)


def test_a_cosine_that_ends_flat_is_not_called_settled() -> None:
    found = advice([2.0, 1.7, 1.6, 1.502, 1.501, 1.5005, 1.5005, 1.5], [2.0, 1.6, 1.5, 1.4, 1.35, 1.33, 1.32, 1.31])
    assert found is not None and (found.kind, found.options) == ("improving", "--minutes 20")
    assert "by another 0.3% to 1.1%" in found.sentence


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
    found = advice(FALLING, FALLING, 0.4, TrainConfig(**length))
    assert found is not None and found.options == twice


@pytest.mark.parametrize(
    ("training", "epochs", "length", "kind", "options"),
    [
        (1.47, 5.0, {"steps": 80}, "small", "--hidden 128 --steps 160"),
        (1.47, 5.0, {"minutes": 10}, "improving", "--minutes 20"),  # fewer steps of a wider network fit into the time
        (1.47, 0.9, {"steps": 80}, "improving", "--steps 160"),
        (1.40, 5.0, {"steps": 80}, "improving", "--steps 160"),
        (1.60, 5.0, {"steps": 80}, "improving", "--steps 160"),
    ],
)
def test_a_network_that_is_too_small(training: float, epochs: float, length: dict, kind: str, options: str) -> None:
    found = advice(FALLING, [*FALLING[:-1], training], epochs, TrainConfig(**length))
    assert found is not None and (found.kind, found.options) == (kind, options)
    if kind == "small":
        assert found.sentence.endswith(
            "; doubling the width as well would probably lower it further, since the training loss (1.4700) is close "
            "to the validation loss"
        )


@pytest.mark.parametrize("hidden_size", [None, 256])
def test_no_wider_network_is_suggested_where_none_was_measured(hidden_size: int | None) -> None:
    found = advise(metrics(FALLING, FALLING), hidden_size=hidden_size, training=TrainConfig(steps=80))
    assert found is not None and found.options == "--steps 160"


@pytest.mark.parametrize("count", [0, 1, 5])
def test_too_few_validations_tell_nothing(count: int) -> None:
    assert advice([1.5] * count, [1.5] * max(1, count)) is None


def test_what_is_not_finite_is_left_out() -> None:
    whole = metrics([2.0, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4], [2.0, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4])
    steps, validations = [*whole.steps], [*whole.validations]
    validations[3] = replace(validations[3], nats_per_token=None)
    steps[2] = replace(steps[2], loss=None)
    broken = Metrics(steps=tuple(steps), validations=tuple(validations))
    assert advise(whole, hidden_size=8, training=TEN_MINUTES) is not None
    assert advise(broken, hidden_size=8, training=TEN_MINUTES) is None


def measured() -> list[tuple[Advice, float, float | None]]:
    """The advice for each measured run, what twice its length gained, and that with a network twice as wide."""
    lines = [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines()]
    runs = {(line["group"], line["change"], line["steps"]): line for line in lines}
    found = []
    for (group, change, steps), run in runs.items():
        twice, wide = (runs.get((group, name, 2 * steps)) for name in ("none", "wide"))
        if change != "none" or twice is None:
            continue
        curves = Metrics(
            steps=tuple(step(number, loss, run["epochs"] * number / steps) for number, _, loss in run["curve"]),
            validations=tuple(validation(number, nats) for number, nats, _ in run["curve"]),
        )
        given = advise(curves, hidden_size=run["hidden"], training=TrainConfig(steps=steps))
        if given is not None:
            wider = None if wide is None else 1 - wide["whole"] / run["whole"]
            found.append((given, 1 - twice["whole"] / run["whole"], wider))
    return found


def test_what_is_forecast_came_true_in_eight_of_ten_measured_runs() -> None:
    forecasts = {kind: [] for kind in ("improving", "small", "overfitted")}
    for given, gain, wider in measured():
        if given.gain is not None:
            as_said = given.gain[0] <= gain <= given.gain[1]
            forecasts[given.kind].append(as_said and (given.kind != "small" or (wider is not None and wider > gain)))
    assert all(len(each) >= 20 and sum(each) >= 0.8 * len(each) for each in forecasts.values())
