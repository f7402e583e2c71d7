"""What a GPU changes in the automatic settings, and the error when its memory is too small, without a GPU."""

import pytest
import torch

from charlm.config import ModelConfig, TrainConfig, with_width
from charlm.errors import CharlmError
from charlm.training import steps
from charlm.training.start import gpu_budget
from charlm.training.start.batch import sequences_per_step
from charlm.training.start.gpu_budget import out_of_memory, rows_that_fit, wider

GIB = 2**30
CONFIG = TrainConfig(minutes=30, batch_size=256, seq_len=64)
MODEL = ModelConfig(vocab_size=100, hidden_size=1024, embedding_size=64)


def test_a_step_on_a_gpu_has_more_rows_of_a_large_text() -> None:
    def rows(tokens: int, on_gpu: bool) -> int:
        return sequences_per_step(CONFIG, tokens=tokens, documents=1, vocab_size=100, on_gpu=on_gpu)

    assert rows(10**7, False) == 32 and rows(10**7, True) == 256
    assert rows(10**5, True) == rows(10**5, False) == 8


def test_more_rows_fit_more_memory_and_none_fit_without_room_for_the_weights() -> None:
    few, many = rows_that_fit(MODEL, CONFIG, 4 * GIB), rows_that_fit(MODEL, CONFIG, 8 * GIB)
    assert 0 < few < many
    assert rows_that_fit(MODEL, CONFIG, GIB // 8) == 0


@pytest.mark.parametrize(
    ("tokens", "seconds", "memory", "expected"),
    [
        (10**8, 1e6, 80 * GIB, 4096),
        (10**7, 1e6, 80 * GIB, 2048),
        (10**8, 100, 80 * GIB, 1024),
        (10**8, 1e6, GIB, None),
        (10**6, 1e6, 80 * GIB, None),
        (10**8, 1, 80 * GIB, None),
    ],
)
def test_the_width_follows_from_text_time_and_memory(
    monkeypatch: pytest.MonkeyPatch, tokens: int, seconds: float, memory: int, expected: int | None
) -> None:
    monkeypatch.setattr(gpu_budget, "tokens_per_second", lambda network, *_, **__: 1e9 / network.hidden_size)
    found = wider(with_width(MODEL, 512), CONFIG, tokens=tokens, seconds=seconds, memory=memory)
    assert found == (None if expected is None else (with_width(MODEL, expected), 1e9 / expected))


@pytest.mark.parametrize(
    ("batch_size", "memory", "setting"),
    [
        (256, 80 * GIB, "--batch-size 128"),
        (256, GIB // 2, "--batch-size 88"),
        (256, GIB // 8, "--hidden 512"),
        (1, 80 * GIB, "--seq-len 32"),
        (256, None, "--batch-size 128"),
    ],
)
def test_the_message_names_a_setting_that_fits(batch_size: int, memory: int | None, setting: str) -> None:
    config = TrainConfig(steps=1, batch_size=batch_size, seq_len=64)
    message = out_of_memory(MODEL, config, memory)
    assert message.endswith(f"start the run again with {setting}") and "\n" not in message


def test_a_gpu_out_of_memory_ends_a_run_with_one_line(train_run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has a total capacity of")

    monkeypatch.setattr(steps, "window_loss", fail)
    with pytest.raises(CharlmError) as error:
        train_run()
    assert str(error.value) == (
        "the GPU ran out of its memory with --hidden 16, --batch-size 4 and --seq-len 16; start the run again with "
        "--batch-size 2"
    )
