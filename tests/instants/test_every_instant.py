"""A run that dies at any instant can be continued, and ends as one that was never interrupted, bit for bit.

The instants are enumerated: before every operation on a file of the run folder, in the middle of every write, and after
every step, validation and calibration. At each of them a process can be killed (its files stay as they are), an
exception can pass (its handlers still write), and the disk can be full. `make test` takes a sample of them;
CHARLM_ALL_INSTANTS=1 takes all.

Equal are the weights and all values of the model file and the resume file, the records and the samples; the seconds
that it took, and what depends on them, are not compared.
"""

import contextlib
import errno
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from file_operations import OPERATIONS, watched
from small_runs import KINDS, RUN, Kind, assert_as_unbroken, begin, begin_older, content, go_on, outcome, saving, text

from charlm.errors import CharlmError

PROGRAM = Path(__file__).with_name("killed_processes.py")
ALL = os.environ.get("CHARLM_ALL_INSTANTS") == "1"


class Killed(BaseException):
    """The process is killed, or something happens that nothing in charlm expects."""


def sample(instants: list[Any], few: int) -> list[Any]:
    """All instants, or a few of them: the first, the last and some in between."""
    if ALL or len(instants) <= few:
        return instants
    between = random.Random(len(instants)).sample(instants[1:-1], few - 2)
    return [instants[0], *between, instants[-1]]


@dataclass(kw_only=True)
class Unbroken:
    """A run that nothing interrupts."""

    kind: Kind
    source: Path
    before: dict[str, bytes] | None
    """The folder when it begins."""
    states: list[tuple[str, dict[str, bytes] | None]]
    """The distinct states of the folder, each with the instant at which it was seen first."""
    instants: list[str]
    outcome: dict[str, Any]

    def set_folder(self, files: dict[str, bytes] | None) -> None:
        shutil.rmtree(RUN.parent, ignore_errors=True)
        if files is not None:
            RUN.mkdir(parents=True)
            for name, data in files.items():
                (RUN / name).write_bytes(data)


@pytest.fixture(params=KINDS)
def unbroken(request: pytest.FixtureRequest, write, one_thread: None) -> Iterator[Unbroken]:
    kind, source = KINDS[request.param], write(text())
    states: list[tuple[str, dict[str, bytes] | None]] = []
    instants: list[str] = []

    def look(name: str) -> None:
        instants.append(name)
        state = content(RUN)
        if not states or state != states[-1][1]:
            states.append((f"instant {len(instants)}, {name}", state))

    with saving(kind):
        begin_older(kind, source)
        before = content(RUN)
        with watched(look):
            begin(kind, source, look)
        yield Unbroken(
            kind=kind,
            source=source,
            before=before,
            states=states,
            instants=instants,
            outcome=outcome(RUN),
        )


def test_a_run_killed_at_any_instant_ends_as_one_that_was_not(unbroken: Unbroken) -> None:
    missing = OPERATIONS - {*unbroken.instants}
    assert missing <= ({"mkdir"} if unbroken.kind.replaces else {"unlink"})
    assert unbroken.outcome["model.safetensors"]["training"].temperature is not None
    for instant, files in sample(unbroken.states, 8):
        unbroken.set_folder(files)
        go_on(unbroken.kind, unbroken.source)
        assert_as_unbroken(RUN, unbroken.outcome, instant)


@pytest.mark.parametrize("fault", ["an exception", "a full disk"])
def test_a_run_that_fails_at_any_instant_ends_as_one_that_did_not(unbroken: Unbroken, fault: str) -> None:
    """The handlers of the failure still run, and what they write does no harm."""

    def fail_at(number: int) -> Callable[[str], None]:
        left = iter(range(number))

        def fail(name: str) -> None:
            if next(left, None) is None and not failed:
                failed.append(name)
                raise Killed if fault == "an exception" else OSError(errno.ENOSPC, "No space left on device")

        return fail

    numbers = [number for number, name in enumerate(unbroken.instants) if fault == "an exception" or name in OPERATIONS]
    for number in sample(numbers, 3):
        unbroken.set_folder(unbroken.before)
        failed: list[str] = []
        fail = fail_at(number)
        with watched(fail), contextlib.suppress(Killed, CharlmError):
            begin(unbroken.kind, unbroken.source, fail)
        assert failed == [unbroken.instants[number]]
        go_on(unbroken.kind, unbroken.source)
        assert_as_unbroken(RUN, unbroken.outcome, f"instant {number + 1}, {failed[0]}")


def test_a_process_that_is_killed_twice_ends_as_one_that_was_not(write) -> None:
    """By SIGKILL: first at an instant of the enumeration, then at a moment by the clock."""
    rounds = 13 if ALL else 2
    command = [sys.executable, str(PROGRAM), str(write(text())), str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    at_instants, by_clock = map(int, done.stdout.split())
    assert at_instants == rounds * len(KINDS)
    assert by_clock >= 1, "every process ended before its moment by the clock"  # how many depends on the machine
    for name in KINDS:
        unbroken = outcome(Path("ended", name, "unbroken"))
        for number in range(rounds):
            assert_as_unbroken(Path("ended", name, str(number)), unbroken, f"the kills of {name} {number}")
