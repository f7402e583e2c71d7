"""A run folder from a stranger: no link in it is followed, and nothing but regular files is opened."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from charlm import api
from charlm.analysis.runs.curves import read_curves, read_samples
from charlm.errors import CharlmError, RunError
from charlm.files import open_regular
from charlm.storage.append_log import AppendLog
from charlm.storage.direction import make_direction_folder
from charlm.storage.run_file import check_run_file, open_run_file, read_run_file
from charlm.storage.runs import RunFolder, newest_models

OLD = Path(__file__).parents[1] / "data" / "v0.1"
NAMES = [".lock", "config.json", "metrics.jsonl", "samples.txt", "model.safetensors", "resume.safetensors"]

pytestmark = [pytest.mark.skipif(os.name == "nt", reason="links and pipes"), pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def run() -> Path:
    """A run that was stopped, in runs/."""
    run = Path("runs/foreign")
    shutil.copytree(OLD / "stopped", run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"text": [str(OLD / "text.txt")]}))
    return run


def link(path: Path) -> Path:
    """Move a file elsewhere, or make one, and leave a link to it."""
    elsewhere = Path("elsewhere").absolute()
    if path.exists():
        path.rename(elsewhere)
    else:
        elsewhere.write_text("precious")
    path.symlink_to(elsewhere)
    return elsewhere


def dangle(path: Path) -> Path:
    path.unlink(missing_ok=True)
    path.symlink_to(Path("elsewhere").absolute())
    return Path("elsewhere")


def pipe(path: Path) -> Path:
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


def folder(path: Path) -> Path:
    path.unlink(missing_ok=True)
    path.mkdir()
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("replace", [link, dangle, pipe, folder])
def test_a_run_with_a_file_that_is_not_regular_is_refused(
    run: Path, name: str, replace: Callable[[Path], Path]
) -> None:
    target = replace(run / name)
    before = target.read_bytes() if target.is_file() else None
    others = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file() and path.name != ".lock"}
    for attempt in (
        lambda: api.resume_run(run),
        lambda: api.train_run(OLD / "text.txt", run=run, training={"steps": 1}, auto=False, overwrite=True),
    ):
        with pytest.raises(RunError, match=r"is a symbolic link|is not a regular file|no run in") as error:
            attempt()
        assert "\n" not in str(error.value)
    assert (target.read_bytes() if target.is_file() else None) == before
    for other, content in others.items():
        assert (run / other).read_bytes() == content


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.txt"])
def test_a_link_is_not_read(run: Path, name: str) -> None:
    link(run / name)
    with pytest.raises(RunError, match=f"{name} is a symbolic link"):
        read_curves(RunFolder(run))
        read_samples(RunFolder(run))


def test_a_model_that_is_a_link_is_used_only_by_its_own_name(run: Path) -> None:
    link(run / "model.safetensors")
    for name in (None, "foreign", "runs/foreign"):
        with pytest.raises(RunError, match=r"model.safetensors is a symbolic link"):
            api.load(name)
    assert newest_models() == []
    assert api.load(run / "model.safetensors").tokenizer.vocab_size > 2


def test_a_run_folder_may_be_a_link(run: Path) -> None:
    run.rename("elsewhere")
    run.symlink_to(Path("elsewhere").absolute())
    assert read_curves(RunFolder(run)).curves and api.load("foreign")


def test_a_link_that_appears_between_check_and_opening_is_not_followed(tmp_path: Path, monkeypatch) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "metrics.jsonl").symlink_to(target)
    monkeypatch.setattr("charlm.files.require_regular", lambda path: None)
    with pytest.raises(OSError):
        open_regular(tmp_path / "metrics.jsonl", os.O_WRONLY | os.O_APPEND)
    with pytest.raises(RunError, match="can't write to"):
        AppendLog(tmp_path / "metrics.jsonl", 0)
    pipe(tmp_path / "pipe")
    with pytest.raises(RunError, match="is not a regular file"):
        open_run_file(tmp_path / "pipe", os.O_RDWR)
    assert target.read_text() == "precious"


def test_regular_files_are_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    check_run_file(path)
    os.close(open_run_file(path, os.O_WRONLY | os.O_CREAT))
    path.write_text("hä")
    assert read_run_file(path) == "hä"
    with pytest.raises(FileNotFoundError):
        read_run_file(tmp_path / "none")


def test_directions_are_not_saved_through_a_link(run: Path) -> None:
    Path("elsewhere").mkdir()
    (run / "directions").symlink_to(Path("elsewhere").absolute())
    with pytest.raises(CharlmError, match="directions is a symbolic link"):
        make_direction_folder(api.load("foreign").path)
