from types import SimpleNamespace

import pytest

from charlm.config import ModelConfig
from charlm.training.autotune import settings_for
from charlm.training.events import Event, StepEvent
from charlm.training.forecast import PassesCheck


def event(progress: float, epoch: float) -> StepEvent:
    """A step of a run."""
    return StepEvent(
        step=round(1000 * progress),
        epoch=epoch,
        progress=progress,
        tokens=1,
        seconds=1.0,
        loss=1.0,
        gradient_norm=1.0,
        clipped_norm=1.0,
        learning_rate=1e-3,
    )


def warnings_of(expected: float, pace: float, caplog: pytest.LogCaptureFixture, *given: str) -> list[str]:
    """The warnings of a run that reads the text `pace` times per whole progress, from a tenth of its time on."""
    facts = SimpleNamespace(tokens=10**6, characters=10**6)
    dataset = SimpleNamespace(train=SimpleNamespace(facts=facts))
    selected = settings_for(tokens=10**6, passes=expected).without(given)
    seen: list[Event] = []
    check = PassesCheck(selected, dataset, ModelConfig(vocab_size=9), seen.append)
    events = [event(progress, pace * (progress - 0.1)) for progress in (0.11, 0.15, 0.25, 0.5, 1.0)]
    for one in events:
        check(one)
    assert seen == events
    return [record.getMessage() for record in caplog.records]


def test_a_forecast_that_holds_needs_no_word(caplog: pytest.LogCaptureFixture) -> None:
    assert warnings_of(expected=9, pace=12, caplog=caplog) == []


@pytest.mark.parametrize(
    ("expected", "pace", "better"),
    [
        (1.3, 5.5, ""),
        (7.2, 3, "; such a run would have --dropout 0.1 --averaging 0.05"),
        (3, 30, "; such a run would have --dropout 0.2 --averaging 0.2"),
    ],
)
def test_a_forecast_that_is_far_off_is_corrected_once(
    expected: float, pace: float, better: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert warnings_of(expected, pace, caplog) == [
        f"at its present speed the run will read the training split about {0.9 * pace:.1f} times, not {expected:.1f} "
        f"times as expected{better}"
    ]


def test_what_the_user_has_set_is_not_corrected(caplog: pytest.LogCaptureFixture) -> None:
    (warning,) = warnings_of(7.2, 3, caplog, "dropout")
    assert warning.endswith("; such a run would have --averaging 0.05")
