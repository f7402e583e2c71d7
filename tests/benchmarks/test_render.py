"""The tables of the docs are what the results say."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import render
from columns import Column, Table, interval, known_or_on, titled, wilson
from results import FOLDER, ROOT, append, read
from tables import TABLES

Add = Callable[..., None]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Append a line to the results of a table `test` with the columns text and loss."""
    columns = (Column("text", "text"), Column("loss", "loss", ".2f"), Column("MB", "memory", ",.0f"))
    monkeypatch.setitem(TABLES, "test", Table(results="test", columns=columns))

    def add(text: str, loss: float | None, *, seed: int | None = 1, **changes: Any) -> None:
        machine = {"model": changes.pop("model", "A"), "cores": 2, "instructions": "AVX2", "threads": 1}
        record = {
            "commit": "abc1234",
            "code": "state1",
            "date": "2030-01-01T00:00:00+00:00",
            "machine": machine,
            "versions": {"charlm": "1", "torch": "2"},
            "seed": seed,
            "command": "python benchmarks/test.py",
            "settings": {"text": text},
            "figures": {"loss": loss},
        }
        append(tmp_path / "test.jsonl", record | changes)

    return add


def shown(folder: Path) -> list[str]:
    """The lines of the table `test`, without the comments and the empty lines."""
    return [line for line in render.block("test", folder).splitlines() if line and not line.startswith("<!--")]


def test_the_pages_show_what_the_results_say() -> None:
    assert list(render.differences()) == []


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the pages, the results and the plots."""
    for name in (*render.PAGES, *(plot for plot in render.PLOTS if (ROOT / plot).exists())):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "docs/results", tmp_path / "docs/results")
    assert list(render.differences(tmp_path)) == []
    return tmp_path


MEASURED = [name for name, table in TABLES.items() if table.select(read(FOLDER / f"{table.results}.jsonl"))]


@pytest.mark.parametrize("name", MEASURED)
def test_a_digit_changed_in_a_table_is_noticed(copied: Path, name: str) -> None:
    for page in (copied / page for page in render.PAGES):
        content = page.read_text()
        changed = re.sub(
            rf"(<!-- results: {name}, .*?\n\| .*?\n\|[- |]*\n.*?)(\d)", _next_digit, content, flags=re.DOTALL
        )
        page.write_text(changed)
    (found,) = render.differences(copied)
    assert f"the table {name} isn't" in found


def _next_digit(match: re.Match[str]) -> str:
    return f"{match[1]}{(int(match[2]) + 1) % 10}"


@pytest.mark.parametrize("name", sorted({TABLES[name].results for name in MEASURED}))
def test_any_digit_changed_in_a_row_is_noticed(copied: Path, name: str) -> None:
    path = copied / "docs/results" / f"{name}.jsonl"
    line = json.loads(path.read_text().splitlines()[0])
    line["date"] = line["date"].replace("00:00", "01:00")  # shown nowhere
    path.write_text("\n".join([json.dumps(line, ensure_ascii=False), *path.read_text().splitlines()[1:], ""]))
    assert all(f"docs/results/{name}.jsonl" in one for one in render.differences(copied))
    assert list(render.differences(copied))


def test_a_table_that_no_page_shows_is_noticed(copied: Path) -> None:
    page = copied / "docs/benchmarks.md"
    page.write_text(re.sub(r"<!-- results: cells,.*?<!-- end of results -->\n", "", page.read_text(), flags=re.DOTALL))
    assert list(render.differences(copied)) == ["the table cells is in no page"]


def test_seeds_become_a_mean_and_a_range(add: Add, tmp_path: Path) -> None:
    for seed, loss in ((1, 1.0), (2, 1.2), (3, 1.4)):
        add("a", loss, seed=seed)
    add("b", 2.0)
    assert shown(tmp_path) == [
        "**A, AVX2, 2 cores, 1 thread, torch 2.** Commit `abc1234`, 2030-01-01. Command: `python benchmarks/test.py`.",
        "| text | loss | seeds |",
        "| --- | --- | --- |",
        "| a | 1.20 (1.00 to 1.40) | 1, 2, 3 |",
        "| b | 2.00 | 1 |",
    ]


def test_seeds_stand_in_order(add: Add, tmp_path: Path) -> None:
    for seed in (3, 1, 2):
        add("poem", 2.0, seed=seed)
    assert shown(tmp_path)[-1] == "| poem | 2.00 | 1, 2, 3 |"


def test_a_default_of_1_and_an_option_of_1_are_one_row(add: Add, tmp_path: Path) -> None:
    add("poem", 3.0, settings={"text": "poem", "minutes": 1}, code="state0", date="2029-01-01T00:00:00+00:00")
    add("poem", 2.0, settings={"text": "poem", "minutes": 1.0})
    add("poem", 1.0, settings={"text": "poem", "minutes": 1.5})
    assert shown(tmp_path)[-2:] == ["| poem | 2.00 |", "| poem | 1.00 |"]


def test_a_figure_that_rounds_to_zero_has_no_sign(add: Add, tmp_path: Path) -> None:
    for text, loss in (("a", -0.004), ("b", -0.006), ("c", 0.0)):
        add(text, loss)
    assert [line.split(" | ")[1] for line in shown(tmp_path)[3:]] == ["0.00 |", "-0.01 |", "0.00 |"]


def test_a_run_that_diverged_is_counted(add: Add, tmp_path: Path) -> None:
    add("a", 1.0, seed=1)
    add("a", None, seed=2)
    assert "| a | 1.00, 1 of 2 diverged | 1, 2 |" in shown(tmp_path)


def test_every_machine_has_its_own_table_and_the_newest_comes_first(add: Add, tmp_path: Path) -> None:
    add("a", 1.0, model="A")
    add("b", 2.0, model="B", date="2030-01-02T00:00:00+00:00", code="state2", commit="def5678")
    lines = shown(tmp_path)
    assert [line.split(",")[0] for line in lines if line.startswith("**")] == ["**B", "**A"]
    assert "An older state of charlm: commit `abc1234`, 2030-01-01." in lines[4]
    assert "older" not in lines[0]


def test_a_row_of_an_older_state_is_left_out_on_every_machine(add: Add, tmp_path: Path) -> None:
    add("a", 1.0, model="A")
    add("a", 2.0, model="B", date="2030-01-02T00:00:00+00:00", code="state2", commit="def5678")
    assert [line for line in shown(tmp_path) if line.startswith("| a")] == ["| a | 2.00 |"]
    add("a", 3.0, model="A", date="2030-01-03T00:00:00+00:00", code="state2", commit="def5678")
    assert [line for line in shown(tmp_path) if line.startswith("| a")] == ["| a | 3.00 |", "| a | 2.00 |"]


def test_the_command_stands_above_a_table_only_if_all_rows_have_it(add: Add, tmp_path: Path) -> None:
    add("a", 1.0)
    add("b", 2.0)
    assert shown(tmp_path)[0].endswith(" Seed 1. Command: `python benchmarks/test.py`.")
    add("c", 3.0, command="python benchmarks/test.py c")
    assert shown(tmp_path)[0].endswith(" Seed 1.")


def test_only_the_newest_state_of_a_row_is_shown_and_rows_of_several_states_name_theirs(
    add: Add, tmp_path: Path
) -> None:
    add("a", 1.0)
    add("b", 2.0)
    add("a", 3.0, date="2030-01-02T00:00:00+00:00", code="state2", commit="def5678")
    assert shown(tmp_path)[1:] == [
        "| text | loss | commit |",
        "| --- | --- | --- |",
        "| a | 3.00 | `def5678`, 2030-01-02 |",
        "| b | 2.00 | `abc1234`, 2030-01-01 |",
    ]


def test_rows_of_unknown_states_name_the_commits_that_recorded_them(add: Add, tmp_path: Path) -> None:
    add("a", 1.0, code=None)
    assert (
        " Recorded in `abc1234`, 2030-01-01, measured on an earlier state that wasn't recorded." in shown(tmp_path)[0]
    )
    add("b", 2.0, date="2030-01-02T00:00:00+00:00", code=None, commit="def5678")
    assert shown(tmp_path)[1:] == [
        "| text | loss | commit |",
        "| --- | --- | --- |",
        "| a | 1.00 | recorded in `abc1234`, 2030-01-01 |",
        "| b | 2.00 | recorded in `def5678`, 2030-01-02 |",
    ]


def test_unknown_states_are_left_out_once_a_known_one_is_measured(add: Add, tmp_path: Path) -> None:
    add("a", 1.0, code=None, model="B")
    add("b", 2.0)
    assert shown(tmp_path)[1:] == ["| text | loss |", "| --- | --- |", "| b | 2.00 |"]


def test_unknown_states_are_shown_of_the_named_machines_only(add: Add, tmp_path: Path) -> None:
    for model, code in (("A", None), ("B", None), ("C", "state1")):
        add("a", 1.0, model=model, code=code)
    records = read(tmp_path / "test.jsonl")
    assert [one["machine"]["model"] for one in known_or_on("B")(records)] == ["B", "C"]
    assert [one["machine"]["model"] for one in known_or_on()(records)] == ["C"]


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"), [(0, 10, 0.0, 0.2775), (20, 200, 0.0657, 0.1495), (5, 10, 0.2366, 0.7634)]
)
def test_the_interval_of_a_share_is_wilsons(hits: int, count: int, low: float, high: float) -> None:
    assert wilson(hits / count, count) == pytest.approx((low, high), abs=1e-4)


def test_a_recorded_interval_is_shown_as_it_is() -> None:
    record = {"settings": {"texts": 10}, "figures": {"figure": 0.5, "low": 0.1, "high": 0.9}}
    assert interval(record) == "0.100 to 0.900"
    assert interval({"settings": {"texts": 10}, "figures": {"figure": 0.5}}) == "0.237 to 0.763"
    assert interval({"settings": {}, "figures": {"figure": 0.5}}) is None


def test_the_commit_of_nanogpt_stands_with_its_name() -> None:
    record = {"settings": {"program": "nanoGPT"}, "figures": {"nanogpt_commit": "abc1234"}}
    assert titled(record) == "nanoGPT, `abc1234`"


def test_values_of_a_setting_can_be_side_by_side(add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = (Column("cell", "cell"), Column("loss", "loss", ".1f"))
    monkeypatch.setitem(TABLES, "test", Table(results="test", columns=columns, across="text"))
    for cell, text, loss in (("gru", "a", 1.0), ("gru", "b", 2.0), ("rnn", "b", 3.0)):
        add(text, loss, settings={"cell": cell, "text": text})
    assert shown(tmp_path)[1:] == [
        "| cell | loss, a | loss, b |",
        "| --- | --- | --- |",
        "| gru | 1.0 | 2.0 |",
        "| rnn | | 3.0 |",
    ]


def test_a_table_without_results_is_not_shown_until_there_are_some(add: Add, tmp_path: Path) -> None:
    empty = render.block("test", tmp_path)
    assert render.BLOCK.fullmatch(empty) and empty.count("\n") == 2
    add("a", 1.0)
    assert "| a | 1.00 |" in render.rendered(empty, tmp_path)
    (tmp_path / "test.jsonl").unlink()
    assert render.rendered(empty, tmp_path) == empty


def test_the_plot_belongs_to_the_curves(add: Add, tmp_path: Path) -> None:
    import plot

    settings = {"program": "charlm", "text": "a"}
    add("", 1.0, settings=settings, figures={"nats_per_character": 1.4, "command": "a", "curve": [[1, 2.0], [2, 1.4]]})
    (tmp_path / "test.jsonl").rename(tmp_path / "peers.jsonl")
    paths = [tmp_path / "light.svg", tmp_path / "dark.svg"]
    found = render.curves(tmp_path)
    assert not any(render.plot_is_right(path, tmp_path) for path in paths)
    plot.draw(found, render.curve_hash(found), *paths)
    assert all(render.plot_is_right(path, tmp_path) for path in paths)
    assert "peers-dark.svg" in render.block("peers", tmp_path)
    assert "was started: charlm" in render.block("peers", tmp_path)
    assert [plot.label(one) for one in found] == ["charlm (seed 1)"]
    content = (tmp_path / "peers.jsonl").read_text()
    (tmp_path / "peers.jsonl").write_text(content.replace("[2, 1.4]", "[2, 1.5]"))
    assert not any(render.plot_is_right(path, tmp_path) for path in paths)
    plot.draw([], "", *paths)
    assert not any(path.exists() for path in paths)


def test_checking_needs_neither_torch_nor_charlm() -> None:
    code = "import sys; sys.path.insert(0, 'benchmarks'); import render; list(render.differences())"
    code += "; assert not {'torch', 'numpy', 'charlm', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
