import pytest
from conftest import TEXT
from test_prior import model_for

from charlm.config import TrainConfig
from charlm.model.layers import Recurrent
from charlm.training.warnings import warn_about_run


@pytest.mark.parametrize(
    ("precision", "quick", "warned"), [("bfloat16", False, True), ("bfloat16", True, False), ("auto", False, False)]
)
def test_slow_products_earn_a_note(
    dataset_of, caplog, monkeypatch: pytest.MonkeyPatch, precision: str, quick: bool, warned: bool
) -> None:
    monkeypatch.setattr(Recurrent, "has_bfloat16_kernel", quick)
    dataset = dataset_of(TEXT)
    warn_about_run(dataset, model_for(dataset), TrainConfig(steps=1, precision=precision))
    assert ("many times as long" in caplog.text) == warned
