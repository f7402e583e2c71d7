from pathlib import Path

import pytest

from charlm.storage.resume_file import load_resume_file

TINY = {"hidden_size": 4, "embedding_size": 4, "dropout": 0.0, "ngram_order": 0}


@pytest.mark.parametrize(("validations", "expected"), [(20, 4096), (3, 0.15 * 20 * 4096), (1, 32_768)])
def test_validations_score_a_share_of_what_is_trained_on(
    train_run, write, sentences: str, validations: int, expected: float
) -> None:
    """A run reads 60 times about 4,096 tokens; the share has a lower and an upper bound."""
    source = write(30 * sentences, "long.txt")
    train_run(source=source, model=TINY, batch_size=64, seq_len=64, validations=validations)
    _, state = load_resume_file(Path("runs/a/resume.safetensors"))
    assert state.values["validation_tokens"] == pytest.approx(expected, rel=0.05)
