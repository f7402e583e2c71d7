"""Streams that are closed, broken or of another encoding, and terminals that go away: for real, in a process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TEXT

SHORT = "--hidden 16 --batch-size 4 --seq-len 16 --threads 1"


def shell(line: str, **settings) -> subprocess.CompletedProcess[bytes]:
    """Run a line in which `charlm` is this charlm."""
    line = line.replace("charlm", f"{sys.executable} -m charlm")
    return subprocess.run(["bash", "-c", line], capture_output=True, **settings)


@pytest.fixture
def text(write) -> Path:
    return write(TEXT)


@pytest.fixture
def heard_hang_ups() -> Iterator[None]:
    """SIGHUP does in a child what it does by itself, even where the tests are run by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_training_goes_on_when_nobody_reads_what_it_shows(text: Path) -> None:
    line = f"set -o pipefail; charlm train {text} --run a --steps 300 --validations 50 {SHORT} 2>&1 | head -2"
    done = shell(line)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2
    records = [json.loads(line) for line in Path("runs/a/metrics.jsonl").read_text().splitlines()]
    assert records[-1]["step"] == 300
    assert Path("runs/a/model.safetensors").is_file()


def test_an_error_that_nobody_reads_is_still_an_error() -> None:
    assert shell("charlm train nowhere.txt 2>/dev/full").returncode == 1


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
@pytest.mark.usefixtures("heard_hang_ups")
@pytest.mark.parametrize("ignored", [False, True], ids=["hang-up", "nohup"])
def test_a_terminal_that_goes_away_saves_the_run(text: Path, ignored: bool) -> None:
    arguments = [sys.executable, "-m", "charlm", "train", str(text), "--run", "a", "--steps", "1000000", *SHORT.split()]
    if ignored:
        arguments = ["bash", "-c", 'trap "" HUP; exec "$@"', "bash", *arguments]
    metrics = Path("runs/a/metrics.jsonl")
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        while not metrics.exists() or not metrics.stat().st_size:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        for _ in range(2):  # the shell and the terminal both send it
            process.send_signal(signal.SIGHUP)
        if ignored:
            before = metrics.stat().st_size
            while metrics.stat().st_size < before + 1000:
                assert process.poll() is None, "ended by a signal that it was told to ignore"
                time.sleep(0.05)
            process.terminate()
        _, stderr = process.communicate()
    assert process.returncode == 130 and "saved at step" in stderr and "Traceback" not in stderr
    assert Path("runs/a/model.safetensors").is_file()


def test_closed_streams_are_no_tracebacks(text: Path) -> None:
    done = shell("charlm train - <&-")
    assert done.returncode == 1 and done.stderr.startswith(b"error: - is standard input, and it is closed")
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        done = shell(f"charlm train {text} --run a --overwrite --steps 3 {SHORT} --json {closed}")
        assert done.returncode == 0 and b"Traceback" not in done.stderr
    assert shell("charlm sample >&-").returncode == 0


def test_what_stdout_can_not_write_becomes_a_question_mark(write) -> None:
    text = write("привет, мир\n" * 200)
    assert shell(f"charlm train {text} --run a --steps 3 {SHORT}").returncode == 0
    done = shell("charlm sample --prefix привет --length 9", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and done.stdout.startswith(b"??????"), done.stderr


def test_a_file_name_need_not_be_utf8(write) -> None:
    write(TEXT, os.fsdecode(b"caf\xe9.txt"))
    line = f"charlm train ../caf*.txt --steps 3 {SHORT} --json && charlm train --resume --steps 5 && charlm eval"
    done = shell(f"{line} && charlm eval --json && charlm info && charlm info --json && charlm sample")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["run"] == "runs/caf_"
    done = shell(f"charlm train ../caf*.txt --run $'caf\\xe9' --steps 3 {SHORT}")
    assert done.returncode == 1 and b"is not UTF-8, as the name of a run must be" in done.stderr


def test_tables_are_whole_lines_where_there_is_no_terminal(text: Path) -> None:
    assert shell(f"charlm train {text} --run a --steps 3 {SHORT}").returncode == 0
    for command in ("corpora", "info", "eval", "cells", "trace --steps 1", f"diagnose {text} --steps 1 --lags 2"):
        lines = shell(f"charlm {command}").stdout.decode().splitlines()
        assert lines and all(line == line.rstrip() for line in lines), command
        if command == "corpora":
            assert all(len(line.split()) > 3 for line in lines)
            assert max(map(len, lines)) > 100
