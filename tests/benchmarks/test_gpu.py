"""The benchmark of a GPU, run on the CPU."""

from pathlib import Path

import gpu
import pytest


def test_it_runs_on_the_cpu_and_keeps_no_figures(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], one_thread: None
) -> None:
    results = tmp_path / "results"
    gpu.main([str(text), "--device", "cpu", "--quick", "--cells", "lstm", "--results", str(results)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[:2] for line in lines if line.startswith("| `")] == [
        ["| `lstm`", "16"],
        ["| `lstm`", "32"],
    ]
    assert "nats per token on the validation split" in lines[-1]
    assert not results.exists()


def test_a_text_may_be_a_named_corpus(tmp_path: Path) -> None:
    assert gpu.sample_of("dishes", str(tmp_path)).read_text(encoding="utf-8").count("\n") > 10
