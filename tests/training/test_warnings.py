import pytest

from charlm.config import TrainConfig
from charlm.model.layers import Recurrent
from charlm.training.events import StepEvent
from charlm.training.warnings import GradientMonitor, warn_about_run


def step(norm: float, clip: float = 1.0) -> StepEvent:
    return StepEvent(
        step=1,
        epoch=0.0,
        progress=0.0,
        tokens=1,
        seconds=0.0,
        loss=1.0,
        gradient_norm=norm,
        clipped_norm=min(norm, clip),
        learning_rate=0.001,
    )


def warnings(norms: list[float]) -> list[str]:
    monitor = GradientMonitor()
    return [warning for norm in norms if (warning := monitor(step(norm))) is not None]


@pytest.mark.parametrize(("clipped", "told"), [(50, 0), (51, 1), (100, 1)])
def test_clipping_in_more_than_half_of_the_steps_is_told_once(clipped: int, told: int) -> None:
    norms = [2.0] * clipped + [0.5] * (100 - clipped)
    found = warnings(norms * 5)
    assert len(found) == told
    assert all(f"clipped in {clipped}% of the last 100 steps" in warning for warning in found)


def test_a_norm_that_grows_without_bound_is_told_once() -> None:
    found = warnings([1e-6 * 4**block for block in range(8) for _ in range(100)])
    assert found == [
        "the gradient norm grows without bound: 1e-06 to 6.4e-05 in 300 steps; lower --learning-rate or use another "
        "--recurrent-init"
    ]


def test_a_norm_that_settles_is_no_cause_for_alarm() -> None:
    assert warnings([0.9, 0.1, 0.5, 0.3] * 500) == []
    assert warnings([0.01] * 100 + [0.9] * 1000) == []


@pytest.mark.parametrize(
    ("precision", "quick", "warned"), [("bfloat16", False, True), ("bfloat16", True, False), ("auto", False, False)]
)
def test_slow_products_earn_a_warning(
    dataset, network_with_prior, caplog, monkeypatch: pytest.MonkeyPatch, precision: str, quick: bool, warned: bool
) -> None:
    monkeypatch.setattr(Recurrent, "has_bfloat16_kernel", quick)
    warn_about_run(dataset, network_with_prior(dataset), TrainConfig(steps=1, precision=precision))
    assert ("many times as long" in caplog.text) == warned
