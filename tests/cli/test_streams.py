"""Streams that are closed, broken or of another encoding, and terminals that go away: for real, in a process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from charlm import load

SHORT = ["--hidden", "16", "--batch-size", "4", "--seq-len", "16", "--threads", "1", "--ngram-order", "0"]


def shell(line: str, **settings) -> subprocess.CompletedProcess[bytes]:
    """Run a line in which `charlm` is this charlm."""
    line = line.replace("charlm", f"{sys.executable} -m charlm")
    return subprocess.run(["bash", "-c", line], capture_output=True, **settings)


def in_turn(*commands: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run commands of charlm one after another in one fresh process, until one fails."""
    code = (
        "import json, sys\n"
        "from charlm.__main__ import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    sys.argv = ['charlm', *words]\n"
        "    try: main()\n"
        "    except SystemExit as end:\n"
        "        if end.code: raise\n"
    )
    return subprocess.run([sys.executable, "-c", code, json.dumps(commands)], capture_output=True)


def test_training_continues_when_nobody_reads_its_output(text: Path, records_of) -> None:
    line = f"set -o pipefail; charlm train {text} --run a --steps 100 --validations 20 {' '.join(SHORT)} 2>&1 | head -2"
    done = shell(line)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2
    assert records_of("runs/a")[-1]["step"] == 100
    assert load("runs/a").checkpoint.training.step > 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("words", ["--help", "--version", "sample --length 9", "corpora", "cells --json"])
def test_a_full_disk_is_one_line(words: str) -> None:
    done = shell(f"charlm {words} >/dev/full")
    lines = [line for line in done.stderr.decode().splitlines() if not line.startswith("no run in")]
    assert done.returncode == 1
    assert lines == [
        "error: can't write to standard output: No space left on device; free some disk space or redirect the output "
        "elsewhere"
    ]


def test_an_error_that_nobody_reads_is_still_an_error() -> None:
    assert shell("charlm train nowhere.txt 2>/dev/full").returncode == 1


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
@pytest.mark.parametrize("nohup", [False, True], ids=["hang-up", "nohup"])
def test_a_terminal_that_goes_away_saves_the_run(text: Path, start, nohup: bool) -> None:
    metrics = Path("runs/a/metrics.jsonl")
    child = start("train", text, "--run", "a", "--steps", 1_000_000, *SHORT, nohup=nohup)
    child.wait_for(lambda: metrics.exists() and metrics.stat().st_size > 0)
    for _ in range(2):  # the shell and the terminal both send it
        child.send(signal.SIGHUP)
    if nohup:
        before = metrics.stat().st_size
        child.wait_for(lambda: metrics.stat().st_size > before + 1000)  # it goes on
        child.send(signal.SIGTERM)
    assert child.wait() == 130
    assert "saved at step" in child.stderr and "Traceback" not in child.stderr
    assert load("runs/a").checkpoint.training.step > 0


def test_closed_streams_are_no_tracebacks(text: Path) -> None:
    done = shell("charlm train - <&-")
    assert done.returncode == 1 and done.stderr.startswith(b"error: - is standard input, and it is closed")
    done = shell(f"charlm train {text} --run a --steps 3 {' '.join(SHORT)} --json >&-")
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    assert shell("charlm sample <&- >&- 2>&-").returncode == 0


@pytest.mark.parametrize(
    ("settings", "written", "noted"),
    [
        ({"PYTHONIOENCODING": "ascii"}, b"??????", 1),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "привет".encode(), 0),
    ],
    ids=["asked for", "the locale's"],
)
def test_output_is_utf8_or_says_once_that_characters_are_lost(
    train_run, write, settings: dict[str, str], written: bytes, noted: int
) -> None:
    train_run(source=write("привет, мир\n" * 200), steps=3)
    prefix = write("привет", "prefix.txt")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"} | settings
    done = shell(f"charlm sample --prefix-file {prefix} --length 9", env=environment)
    assert done.returncode == 0 and done.stdout.startswith(written), done.stderr
    assert done.stderr.count(b"note: the output encoding is") == noted
    assert (
        not noted or rb"can't represent '\u043f' and possibly other characters; these are written as ?" in done.stderr
    )


def test_a_file_name_need_not_be_utf8(sentences: str, write) -> None:
    path = write(sentences, os.fsdecode(b"caf\xe9.txt"))
    done = in_turn(
        ["train", str(path), "--steps", "3", *SHORT, "--json"],
        ["train", "--resume", "--steps", "5"],
        ["eval"],
        ["eval", "--json"],
        ["info"],
        ["info", "--json"],
        ["sample", "--length", "30"],
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["run"] == "runs/caf_"
    done = in_turn(["train", str(path), "--run", os.fsdecode(b"caf\xe9"), "--steps", "3", *SHORT])
    assert done.returncode == 1 and b"is not UTF-8; a run needs a UTF-8 name" in done.stderr


@pytest.mark.usefixtures("run")
def test_tables_are_whole_lines_where_there_is_no_terminal(charlm, text: Path) -> None:
    commands = (["corpora"], ["info"], ["eval"], ["cells"], ["trace", "--steps", 1])
    for words in (*commands, ["diagnose", text, "--steps", 1, "--lags", 2, "--cells", "rnn,lstm"]):
        lines = charlm(*words).stdout.splitlines()
        assert lines and all(line == line.rstrip() for line in lines), words
        if words == ["corpora"]:
            assert all(len(line.split()) > 3 for line in lines)
            assert max(map(len, lines)) > 100
    lines = shell("charlm corpora").stdout.decode().splitlines()
    assert lines == charlm("corpora").stdout.splitlines()


def test_a_table_whose_reader_has_gone_ends_as_other_output_does(text: Path) -> None:
    done = shell(f"charlm score reviews {text} --by word | true; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 141 and b"Traceback" not in done.stderr


def test_an_archive_is_not_written_to_a_closed_stream(text: Path) -> None:
    done = shell(f"charlm compress {text} --model reviews -o - >&-")
    assert done.returncode == 1
    assert done.stderr == b"error: the result goes to standard output, which is closed; give a file with -o\n"
