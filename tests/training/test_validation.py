from pathlib import Path

import pytest

from charlm.storage.resume_file import load_resume_file
from charlm.training import validation


@pytest.mark.parametrize(("share", "expected"), [(0.01, 64), (0.3, 384), (10.0, 640)])
def test_validations_score_a_share_of_what_is_trained_on(
    train_run, monkeypatch: pytest.MonkeyPatch, share: float, expected: int
) -> None:
    """Between two of five validations lie 20 steps of 64 tokens."""
    monkeypatch.setattr(validation, "_TOKENS", (64, 640))
    monkeypatch.setattr(validation, "_SHARE", share)
    train_run(steps=100)
    _, state = load_resume_file(Path("runs/a/resume.safetensors"))
    assert state.values["validation_tokens"] == pytest.approx(expected, rel=0.05)
