"""Training by several processes that share each batch, and scoring by several that share the documents."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from charlm.errors import ProcessError
from charlm.processes import launch

ONE_THREAD = ["--threads", "1"]
SMALL = ["--hidden", "16", "--batch-size", "5", "--seq-len", "16", "--validations", "2", *ONE_THREAD]
SLOW_START = 200
"""Seconds that new processes may take to import torch on a busy machine."""
KINDS = {
    "one document": ["--ngram-order", "4", "--context-vectors", "20", "--match", "--averaging", "0.3"],
    "lines": ["--documents", "line", "--ngram-order", "0", "--layers", "2", "--no-match"],
    "transformer": ["--network", "transformer", "--attention-span", "20", "--ngram-order", "4", "--match"],
}


def exact(kind: str) -> list[str]:
    """The options of a kind of run, without random numbers in its steps."""
    weights = [] if kind == "transformer" else ["--weight-dropout", "0"]
    return [*KINDS[kind], "--dropout", "0", *weights, "--precision", "float32"]


def losses(records: list[dict]) -> list[float]:
    """The losses of a run: of training, and of validation."""
    return [record.get("loss", record.get("nats_per_token")) for record in records if record["kind"] != "sample"]


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_have_the_losses_of_one(text: Path, charlm, start_together, records_of, kind: str) -> None:
    command = ["train", text, "--steps", "50", *SMALL, *exact(kind), "--run"]
    charlm(*command, "one")
    first, second = start_together([*command, "two"])
    assert (first.wait(), second.wait()) == (0, 0), first.stderr
    assert (second.stdout, second.stderr) == ("", "")
    one, two = (records_of(f"runs/{run}") for run in ("one", "two"))
    assert len(losses(one)) > 6 and losses(two) == pytest.approx(losses(one), abs=1e-4)
    assert [record["epoch"] for record in one if "epoch" in record] == [
        record["epoch"] for record in two if "epoch" in record
    ]


@pytest.mark.parametrize(
    ("kind", "before", "after"), [("one document", 2, 1), ("one document", 1, 3), ("transformer", 2, 1)]
)
def test_a_run_goes_on_with_another_number_of_processes(
    text: Path, charlm, start_together, records_of, kind: str, before: int, after: int
) -> None:
    begin = ["train", text, "--steps", "20", *SMALL, *exact(kind), "--run"]
    resume = ["train", "--resume", "--steps", "50", "--run"]
    charlm(*begin, "one")
    charlm(*resume, "one")
    for command, size in ((begin, before), (resume, after)):
        if size == 1:
            charlm(*command, "other")
        else:
            assert [child.wait() for child in start_together([*command, "other"], size=size)] == [0] * size
    one, other = (losses(records_of(f"runs/{run}")) for run in ("one", "other"))
    assert len(one) > 6 and other == pytest.approx(one, abs=1e-4)


def test_a_signal_to_one_saves_and_ends_all(text: Path, start_together, weights_of, same_weights) -> None:
    command = ["train", text, "--steps", "80", "--dropout", "0.3", *SMALL, *KINDS["lines"], "--run"]
    children = start_together([*command, "broken"])
    metrics = Path("runs/broken/metrics.jsonl")
    children[0].wait_for(lambda: metrics.exists() and metrics.stat().st_size > 500)
    children[1].send(signal.SIGTERM)
    assert [child.wait() for child in children] == [130, 130]
    assert "saved at step" in children[0].stderr and "continue with: charlm train --resume" in children[0].stderr
    assert children[1].stderr == ""
    assert [child.wait() for child in start_together(["train", "--resume", "--run", "broken"])] == [0, 0]
    assert [child.wait() for child in start_together([*command, "whole"])] == [0, 0]
    for name in ("model.safetensors", "resume.safetensors"):
        assert same_weights(weights_of("runs/broken", name), weights_of("runs/whole", name))


@pytest.mark.parametrize("killed", [0, 1])
def test_a_process_that_is_killed_ends_all_and_a_restart_goes_on(
    text: Path, start_together, records_of, killed: int
) -> None:
    command = ["train", text, "--steps", "80", *SMALL, *KINDS["lines"], "--run", "killed"]
    children = start_together(command)
    metrics = Path("runs/killed/metrics.jsonl")
    children[0].wait_for(lambda: metrics.exists() and metrics.stat().st_size > 500)
    children[killed].send(signal.SIGKILL)
    status = [child.wait() for child in children]
    assert (status[killed], status[1 - killed]) == (-signal.SIGKILL, 1)
    last = children[1 - killed].stderr.splitlines()[-1]
    assert last.startswith("error: another of the processes has ended") and "--resume" in last
    if killed == 0:  # the process that writes the files
        assert [child.wait() for child in start_together(command, restarts=1)] == [0, 0]
        assert records_of("runs/killed", "step")[-1]["step"] == 80


def test_one_process_reports_what_is_wrong_with_any(text: Path, write, start_together) -> None:
    other = write("another text, " * 200, "other/text.txt")
    options = ["--steps", "5", *SMALL, "--run", "wrong"]

    def error(*commands: list[object]) -> str:
        children = start_together(*commands)
        assert [child.wait() for child in children] == [1, 1]
        lines = [line for child in children for line in child.stderr.splitlines() if "error" in line.lower()]
        assert len(lines) == 1, lines
        return lines[0]

    train = ["train", text, *options]
    assert error(train, ["train", other, *options]) == (
        "error: the text of process 1 differs from that of process 0; give all processes the same"
    )
    assert "no file or folder 'missing.txt'" in error(train, ["train", "missing.txt", *options])


def test_options_that_several_processes_cannot_have(text: Path, failed, monkeypatch) -> None:
    assert "--processes is 0; it must be at least 1" in failed("train", text, "--processes", "0")
    assert "--seeds trains with a single process" in failed("train", text, "--processes", "2", "--seeds", "2")
    assert "can't read standard input" in failed("train", "-", "--processes", "2")
    assert "no file or folder 'missing.txt'" in failed("train", "missing.txt", "--processes", "2")
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "2")
    assert "--max-restarts needs --run" in failed("train", text)
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert "leave it out in a command that torchrun starts" in failed("train", text, "--processes", "2")


def test_processes_on_this_machine(text: Path, start, records_of) -> None:
    options = [*SMALL, *KINDS["lines"], "--steps", "100000"]
    child = start("train", text, "--run", "many", *options, "--processes", "2")
    metrics = Path("runs/many/metrics.jsonl")
    child.wait_for(lambda: metrics.exists() and metrics.stat().st_size > 500, seconds=SLOW_START)
    child.send(signal.SIGINT)
    assert child.wait() == 130
    assert "continue with: charlm train --resume --run runs/many --processes 2" in child.stderr.splitlines()[-1]
    lines, size = len(child.stderr.splitlines()), metrics.stat().st_size
    assert lines < 8, child.stderr
    child = start("train", "--resume", "--run", "many", "--processes", "2")
    child.wait_for(lambda: metrics.stat().st_size > size + 500, seconds=SLOW_START)
    workers = subprocess.run(["pgrep", "-P", str(child.pid)], capture_output=True, text=True, check=True).stdout.split()
    os.kill(int(workers[-1]), signal.SIGKILL)
    assert child.wait() == 1
    assert re.match("error: process . of 2 was ended by SIGKILL.*--resume", child.stderr.splitlines()[-1])


def test_two_processes_print_the_scores_of_one(run: str, text: Path, charlm, start_together) -> None:
    options = ["--documents", "line", *ONE_THREAD]
    for command in (["eval", run, text, "--json", "--no-baselines"], ["score", run, text, "--by", "word", "--csv"]):
        expected = charlm(*command, *options).stdout
        first, second = start_together([*command, *options])
        assert (first.wait(), second.wait()) == (0, 0), first.stderr
        assert (first.stdout, second.stdout, second.stderr) == (expected, "", "")


def test_a_process_that_is_killed_ends_the_scoring(run: str, write, sentences: str, start_together) -> None:
    large = write(sentences * 300, "large.txt")
    children = start_together(["score", run, large, "--documents", "line", "--jsonl", *ONE_THREAD])
    children[0].wait_for(lambda: children[0].stdout != "")
    children[1].send(signal.SIGKILL)
    assert [child.wait() for child in children] == [1, -signal.SIGKILL]
    (error,) = children[0].stderr.splitlines()
    assert error.startswith("error: another of the processes has ended") and "run the command again" in error


def test_scoring_that_processes_cannot_share(run: str, text: Path, write, sentences: str, start_together) -> None:
    other = write(sentences.replace("cat", "dog"), "other/text.txt")

    def error(*commands: list[object]) -> str:
        children = start_together(*([*command, *ONE_THREAD] for command in commands))
        assert [child.wait() for child in children] == [1, 1]
        assert [child.stdout for child in children] == ["", ""]
        (line,) = (line for child in children for line in child.stderr.splitlines())
        return line

    assert "error: 2 processes can't share a single document, " in error(["eval", run, text, "--documents=file"])
    assert error(*(["score", run, one, "--documents", "line"] for one in (text, other))) == (
        "error: the text of process 1 differs from that of process 0; give all processes the same"
    )


def test_scoring_by_processes_that_charlm_starts(run: str, text: Path, charlm, failed, monkeypatch) -> None:
    launched = []
    monkeypatch.setattr(launch, "launch", lambda arguments, **options: launched.append((arguments, options)) or 0)
    options = ["--documents", "line", "--threads", "1", "--processes", "2"]
    charlm("eval", run, text, "--cache", *options)
    charlm("score", run, text, "--by", "word", *options)
    for words, option in zip(launched, (["--cache"], ["--by=word"]), strict=True):
        arguments, settings = words
        assert {*arguments[1:-3]} == {*option, "--documents=line", "--threads=1"}
        assert arguments[-3:] == ["--", run, str(text)] and settings == {"processes": 2, "threads": 1}
    assert "--dynamic learns from each part" in failed("eval", run, "--dynamic", "--processes", "2")
    assert "can't read standard input" in failed("score", run, "-", "--processes", "2")
    assert "--processes is 0" in failed("eval", run, "--processes", "0")

    def lose(*_: object, **__: object) -> int:
        raise ProcessError("process 1 of 2 was ended by SIGKILL")

    monkeypatch.setattr(launch, "launch", lose)
    assert failed("eval", run, "--processes", "2").endswith(
        "the other processes have ended, too; run the command again"
    )
