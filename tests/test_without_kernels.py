"""charlm without its kernels and its C code, and with a cell that has no Program: slower, and correct."""

import shutil
import subprocess
import sys
from pathlib import Path

import charlm

SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path

import torch

import charlm
from charlm import cells
from charlm.analysis.units.activations import follow
from charlm.cells import CELLS, rnn
from charlm.cells.lstm import lstm_step

without_kernels = sys.argv[1] == "without kernels"
root = Path(charlm.__file__).parent
assert (root / "kernels").exists() is (root / "native").exists() is not without_kernels
torch.set_num_threads(1)
text = Path("text.txt")
text.write_text("".join(f"{k} and a cat, {k % 7} of them.\\n" for k in range(60)))

names = ["lstm", "mingru"]
if not without_kernels:  # a cell of one's own: one file in cells/, and no Program
    CELLS["own"] = replace(CELLS["lstm"], name="own", step=lambda x, state, weights: lstm_step(x, state, weights))
    names = ["own"]
for name in names:
    shape = {"cell": name, "hidden_size": 8, "embedding_size": 4, "num_layers": 2, "ngram_order": 3}
    model = charlm.train(text, steps=12, run=f"runs/{name}", model=shape, auto=False)
    assert len(model.sample("1 and ", charlm.SampleConfig(length=20), seed=1)) <= 26
    assert [one.text for one in model.generate_many(seed=1, num=3, batch=3)]
    assert 0 < model.evaluate(split="valid").bits_per_character < 20
    held, _ = model.model.record_states(torch.zeros(3, 1, dtype=torch.long))
    assert held[1]["h"].shape == (3, 1, 8)
    layers, _ = follow(model.model, torch.zeros(3, 1, dtype=torch.long), model.model.initial_state(1))
    assert layers[0].gates
    archive = charlm.compress(b"1 and a cat\\xff", model)
    assert charlm.decompress(archive, model) == b"1 and a cat\\xff"
    again = charlm.resume(f"runs/{name}", steps=16)
    assert again.checkpoint.training.step >= 12
print("done")
"""


def run(package: Path, folder: Path, what: str) -> None:
    """Run the script with a copy of charlm; it must come to its end."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, what],
        cwd=folder,
        env={"PYTHONPATH": str(package), "CHARLM_CACHE": str(folder / "cache"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def copied(folder: Path) -> Path:
    """A copy of the package and of the corpora beside it."""
    root = Path(charlm.__file__).parent
    shutil.copytree(root, folder / "charlm", ignore=shutil.ignore_patterns("__pycache__", "pretrained"))
    if (root.parent / "corpora").is_dir():
        shutil.copytree(root.parent / "corpora", folder / "corpora")
    return folder


def test_with_kernels_and_native_deleted_the_rest_works(tmp_path: Path) -> None:
    package = copied(tmp_path / "package")
    shutil.rmtree(package / "charlm" / "kernels")
    shutil.rmtree(package / "charlm" / "native")
    work = tmp_path / "work folder"
    work.mkdir()
    run(package, work, "without kernels")
    info = subprocess.run(
        [sys.executable, "-m", "charlm", "info", "--system"],
        env={"PYTHONPATH": str(package), "CHARLM_CACHE": str(work / "cache"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "torch" in info.stdout


def test_a_cell_without_a_program_trains_samples_and_can_be_looked_into(tmp_path: Path) -> None:
    package = copied(tmp_path / "package")
    work = tmp_path / "work folder"
    work.mkdir()
    run(package, work, "with kernels")
