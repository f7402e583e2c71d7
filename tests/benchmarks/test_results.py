"""A measurement is kept with all that it depends on."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import results
from results import ROOT, SOURCES, Results, read

SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))
MEASURING = [path for path in SCRIPTS if re.search(r"\bResults\(", path.read_text()) and path.stem != "results"]
NOT_MEASURING = {
    "columns",
    "advice",  # its file, which is not rendered, has runs that the advice is fitted to
    "english_text",
    "peer_networks",
    "plot",
    "pretrain",
    "quality_tables",
    "render",
    "results",
    "reviews",
    "runs",
    "sampling_programs",
    "speed_tables",
    "tables",
    "writing_tables",
}
NOT_COUNTED = {"api", "config", "errors", "files", "loading", "storage", "text_model"}
"""Modules of charlm that a script may import though its figures don't depend on them."""


def test_a_line_has_everything_that_the_figures_depend_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = ROOT / "benchmarks" / "ngram.py"
    monkeypatch.setattr(sys, "argv", [str(script), "a b.txt", "--orders", "5"])
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    for name in ("CC", "CHARLM_NATIVE", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    Results("ngram", tmp_path, threads=3).add({"order": 5}, {"loss": 1 / 3, "curve": [(1, 2 / 3)]}, seed=7)
    (line,) = read(tmp_path / "ngram.jsonl")
    assert re.fullmatch(r"[0-9a-f]{16}", line["code"])
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$", line["date"])
    assert line["machine"].keys() == {"model", "cores", "instructions", "threads"} and line["machine"]["threads"] == 3
    assert line["versions"].keys() == {"charlm", "Python", "torch", "numpy", "C compiler"}
    assert line["command"] == "OMP_NUM_THREADS=3 python benchmarks/ngram.py 'a b.txt' --orders 5"
    assert (line["seed"], line["settings"]) == (7, {"order": 5})
    assert line["figures"] == {"loss": 0.3333333, "curve": [[1, 0.6666667]]}
    assert "commit" in line


def test_a_number_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        Results("ngram", tmp_path, threads=1).add({}, {"loss": float("nan")})
    assert not (tmp_path / "ngram.jsonl").exists()


def test_a_measurement_is_found_only_in_the_state_in_which_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Results("ngram", tmp_path, threads=1)
    kept.add({"order": 5}, {"loss": 2.0}, seed=1)
    kept.add({"order": 5}, {"loss": 3.0}, seed=1)
    assert kept.find({"order": 5}, seed=1) == {"loss": 3.0}
    assert kept.find({"order": 5}, seed=2) is None
    assert kept.find({"order": 6}, seed=1) is None
    assert Results("ngram", tmp_path, threads=2).find({"order": 5}, seed=1) is None
    assert Results("ngram", tmp_path, threads=1, instructions="none").find({"order": 5}, seed=1) is None
    monkeypatch.setattr(results, "code", lambda name: "another")
    assert Results("ngram", tmp_path, threads=1).find({"order": 5}, seed=1) is None


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    kept, losses = Results("ngram", tmp_path, threads=1), iter((2.0, 3.0))
    for settings in ({"order": 5}, {"order": 5}, {"order": 6}):
        kept.get(settings, lambda: {"loss": next(losses)}, seed=1)
    assert [line["figures"]["loss"] for line in read(tmp_path / "ngram.jsonl")] == [2.0, 3.0]
    assert kept.get({"order": 5}, dict, seed=1) == {"loss": 2.0}


def test_the_hash_changes_only_with_the_sources_of_a_benchmark(tmp_path: Path) -> None:
    for name in ("ngram/model.py", "native/loop.h", "cli/app.py", "ngram/__pycache__/model.pyc"):
        (tmp_path / "charlm" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "charlm" / name).write_text("before")
    before = results.code("ngram", tmp_path)
    for name in ("cli/app.py", "ngram/__pycache__/model.pyc"):
        (tmp_path / "charlm" / name).write_text("after")
        assert results.code("ngram", tmp_path) == before
    (tmp_path / "charlm/native/loop.h").rename(tmp_path / "charlm/native/other.h")
    renamed = results.code("ngram", tmp_path)
    (tmp_path / "charlm/native/other.h").write_text("after")
    assert len({before, renamed, results.code("ngram", tmp_path)}) == 3


@pytest.mark.parametrize("name", SOURCES)
def test_the_sources_exist(name: str) -> None:
    assert all((ROOT / "charlm" / source).exists() for source in SOURCES[name])


def test_every_benchmark_keeps_its_results() -> None:
    assert {path.stem for path in SCRIPTS} - {path.stem for path in MEASURING} == NOT_MEASURING
    assert all("add_option(parser)" in path.read_text() for path in MEASURING)
    assert {path.stem for path in MEASURING} <= SOURCES.keys()


def imported(path: Path) -> Iterator[str]:
    """The modules of charlm that a script imports, as paths below charlm/."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("charlm."):
            yield node.module.removeprefix("charlm.").replace(".", "/")


@pytest.mark.parametrize("path", MEASURING, ids=lambda path: path.stem)
def test_what_a_script_imports_is_among_its_sources(path: Path) -> None:
    programs = path.with_name(f"{path.stem}_programs.py")
    modules = {*imported(path), *(imported(programs) if programs.exists() else ())}
    sources = {source.removesuffix(".py") for source in SOURCES[path.stem]}
    missing = {one for one in modules if not any(f"{one}/".startswith(f"{source}/") for source in sources)}
    assert {one for one in missing if one.partition("/")[0] not in NOT_COUNTED} == set()
