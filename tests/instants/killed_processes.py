"""A program that kills its processes by SIGKILL, so that none of their handlers runs."""

import contextlib
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
from file_operations import watched
from small_runs import KINDS, RUN, Kind, begin, begin_older, go_on, saving

COUNTED = Path("instants")
"""A file with a character for each instant of a process."""


def run_killed_processes(source: Path, rounds: int) -> None:
    """Begin runs of each kind, kill them, continue them, kill that, and continue them to their end; print the kills at
    instants and those by the clock.

    The runs are moved to ended/KIND/NUMBER, those that are not killed to ended/KIND/unbroken.
    """
    chance, at_instants, by_clock = random.Random(1), 0, 0
    torch.use_deterministic_algorithms(True)  # as in the tests
    torch.set_num_threads(1)
    for name, kind in KINDS.items():
        Path("ended", name).mkdir(parents=True)
        COUNTED.write_text("")
        run_process(begin_older, kind, source)
        started = time.monotonic()
        run_process(begin, kind, source, count)
        seconds = time.monotonic() - started
        RUN.rename(f"ended/{name}/unbroken")
        instants = len(COUNTED.read_text())
        for number in range(rounds):
            run_process(begin_older, kind, source)
            instant = (number * instants + chance.randrange(instants)) // rounds
            at_instants += run_process(begin, kind, source, kill_at(instant))
            by_clock += run_process(go_on, kind, source, seconds=chance.uniform(0, 0.5 * seconds))
            assert run_process(go_on, kind, source) == 0
            RUN.rename(f"ended/{name}/{number}")
    print(at_instants, by_clock)


def run_process(
    command: Callable[..., None],
    kind: Kind,
    source: Path,
    on_instant: Callable[[str], None] | None = None,
    seconds: float | None = None,
) -> int:
    """Run a command in a process, and kill it after some seconds; 1 if it was killed by that or at an instant.

    The process is forked, since importing torch takes longer than all of it.
    """
    child = os.fork()
    if child == 0:
        try:
            with saving(kind), watched(on_instant) if on_instant else contextlib.nullcontext():
                command(kind, source, *([on_instant] if on_instant else []))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return int(code != 0)


def kill_at(number: int) -> Callable[[str], None]:
    """What kills the process at the instant of this number, from 0."""
    left = iter(range(number))

    def kill(name: str) -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


def count(name: str) -> None:
    """Count an instant of a process."""
    with COUNTED.open("a") as file:
        file.write(".")


if __name__ == "__main__":
    run_killed_processes(Path(sys.argv[1]), int(sys.argv[2]))
