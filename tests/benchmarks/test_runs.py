"""What the scripts of benchmarks/ share."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from results import ROOT
from runs import call, content_of, divided, name_of, records_of, run_charlm, start, training_speed

from charlm.errors import ConfigError

SCRIPTS = [path for path in (ROOT / "benchmarks").glob("*.py") if "\ndef main(" in path.read_text(encoding="utf-8")]


def test_a_mistake_of_the_user_is_one_line() -> None:
    def main() -> None:
        raise ConfigError("--cell has no cell x")

    with pytest.raises(SystemExit, match=r"^error: --cell has no cell x$"):
        start(main)


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), 130), (subprocess.CalledProcessError(3, ["charlm"]), 3)]
)
def test_a_stop_and_a_failed_command_end_a_script_without_a_traceback(error: BaseException, status: int) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as raised:
        start(main)
    assert raised.value.code == status


def test_other_errors_keep_their_traceback() -> None:
    def main() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        start(main)


def test_every_script_is_started_so() -> None:
    ends = {path.stem: path.read_text(encoding="utf-8").splitlines()[-1].strip() for path in SCRIPTS}
    assert ends.pop("render") == "main()"  # it needs neither torch nor charlm
    assert set(ends.values()) == {"start(main)"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_usage_in_a_docstring_names_the_options_that_there_are(path: Path) -> None:
    script = path.read_text(encoding="utf-8")
    usage = "\n".join(line for line in script.split('"""')[1].splitlines() if line.startswith("    "))
    hidden = r'add_argument\(\s*"(--[a-z0-9-]+)"[^\n]*SUPPRESS'
    options = {*re.findall(r'add_argument\(\s*"(--[a-z0-9-]+)"', script)} - {*re.findall(hidden, script)}
    assert {*re.findall(r"--[a-z][a-z0-9-]*", usage)} - {"--results"} == options - {"--results"}


@pytest.mark.parametrize(
    ("text", "name", "parts"),
    [
        ("names", "names", ("names", {})),
        ("texts/poems.zh.txt", "poems.zh", ("texts/poems.zh.txt", {})),
        ("texts/a log.txt:line", "a log", ("texts/a log.txt", {"documents": "line"})),
    ],
)
def test_a_text_may_have_its_documents_after_it(text: str, name: str, parts: tuple[str, dict[str, str]]) -> None:
    assert (name_of(text), divided(text)) == (name, parts)


def test_the_content_of_a_text_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("é\r\n".encode())
    assert content_of(str(tmp_path / "a.txt")) == "é\r\n".encode()
    assert content_of("dishes") == (ROOT / "corpora" / "dishes.txt").read_bytes()


def test_a_command_that_fails_ends_the_script_with_its_message() -> None:
    script = "import sys; print('half'); sys.exit('no such text')"
    with pytest.raises(SystemExit, match="failed:\nno such text"):
        call([sys.executable, "-c", script])
    assert call([sys.executable, "-c", "import os; print(os.environ['A'])"], {"A": "1"}) == "1\n"


def test_a_command_of_charlm_gives_what_it_prints() -> None:
    assert '"lstm"' in run_charlm("cells", "--json")


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[[int], Path]:
    """Write a run whose steps took 2 seconds for 10 tokens, after a slow beginning, with a validation at the end."""

    def write(steps: int) -> Path:
        records = [
            {"kind": "step", "step": 10 * i, "tokens": 10 * i, "seconds": 50 + 2 * i} for i in range(1, steps + 1)
        ]
        records.append({"kind": "validation", "step": 10 * steps, "tokens": 7, "seconds": 999})
        (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
        return tmp_path

    return write


def test_a_speed_leaves_out_the_beginning_and_the_validation(write_run: Callable[[int], Path]) -> None:
    run = write_run(3)
    assert training_speed(run) == 5.0
    assert [record["seconds"] for record in records_of(run)] == [52, 54, 56]
    assert [record["tokens"] for record in records_of(run, "validation")] == [7]


def test_a_run_of_ten_steps_has_no_speed(write_run: Callable[[int], Path]) -> None:
    with pytest.raises(SystemExit, match="more than ten steps"):
        training_speed(write_run(1))
