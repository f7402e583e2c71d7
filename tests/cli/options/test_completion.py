import os
import subprocess
import sys

import pytest

from charlm.cells import CELLS
from charlm.cli.options import completion


def test_runs_bundled_models_and_files_are_completed(trained_run, write, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_run("runs/alpha")
    trained_run("runs/beta")
    monkeypatch.chdir(write("x", "room/alone.txt").parent)
    assert completion.complete_model("re") == ["reviews"]
    assert completion.complete_model("al") == ["alone.txt"]


def test_names_of_runs_come_first(trained_run) -> None:
    trained_run("runs/alpha")
    assert completion.complete_run("") == ["alpha"]
    assert completion.complete_model("a") == ["alpha"]
    assert completion.complete_model("r") == ["reviews", "runs/"]
    assert completion.complete_model("runs/") == ["runs/alpha/"]
    assert completion.complete_text("tinys") == ["tinyshakespeare"]
    assert completion.complete_model_or_text("no/such/") == []


def test_cells_and_directions_are_completed() -> None:
    assert tuple(CELLS) == completion.CELLS
    assert completion.complete_cell("lstm-") == ["lstm-1997", "lstm-f", "lstm-i", "lstm-o"]
    assert completion.complete_cells("rnn,gru") == ["rnn,gru", "rnn,gru-reset-after"]
    assert completion.complete_direction("sent") == ["sentiment"]
    assert completion.complete_steer("sentiment=") == ["sentiment=+1", "sentiment=-1"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("charlm sample rev", "reviews"),
        ("charlm train --cell minge", ""),
        ("charlm train --cell ming", "mingru"),
        ("charlm corpora --js", "--json"),
        ("charlm sample --compare-steer s", "sentiment"),
    ],
)
def test_the_shell_asks_and_torch_is_not_imported(line: str, expected: str) -> None:
    code = (
        "import sys; sys.argv = ['charlm']\n"
        "from charlm.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules\n"
    )
    environment = {"_CHARLM_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment, check=True
    )
    assert done.stdout.strip() == expected
