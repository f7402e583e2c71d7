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


def run_killed_processes(source: str, rounds: str) -> None:
    """Begin runs of each kind, kill them, continue them, kill that, and continue them to their end; print the kills at
    instants and those by the clock.

    The runs are moved to ended/KIND/NUMBER, those that are not killed to ended/KIND/unbroken. The processes are forked,
    since importing torch takes longer than all of them.
    """
    chance, at_instants, by_clock, counted = random.Random(1), 0, 0, Path("instants")
    torch.use_deterministic_algorithms(True)  # as in the tests
    torch.set_num_threads(1)

    def kill_at(number: int) -> Callable[[str], None]:
        left = iter(range(number))

        def kill(name: str) -> None:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        return kill

    def count(name: str) -> None:
        with counted.open("a") as file:
            file.write(".")

    def process(
        kind: Kind,
        command: Callable[..., None],
        on_instant: Callable[[str], None] | None = None,
        seconds: float | None = None,
    ) -> int:
        """Run a command in a process, and kill it after some seconds; 1 if it was killed by that or at an instant."""
        child = os.fork()
        if child == 0:
            try:
                with saving(kind), watched(on_instant) if on_instant else contextlib.nullcontext():
                    command(kind, Path(source), *([on_instant] if on_instant else []))
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

    for name, kind in KINDS.items():
        Path("ended", name).mkdir(parents=True)
        counted.write_text("")
        process(kind, begin_older)
        started = time.monotonic()
        process(kind, begin, count)
        seconds = time.monotonic() - started
        RUN.rename(f"ended/{name}/unbroken")
        instants = len(counted.read_text())
        for number in range(int(rounds)):
            process(kind, begin_older)
            instant = (number * instants + chance.randrange(instants)) // int(rounds)
            at_instants += process(kind, begin, kill_at(instant))
            by_clock += process(kind, go_on, seconds=chance.uniform(0, 0.5 * seconds))
            assert process(kind, go_on) == 0
            RUN.rename(f"ended/{name}/{number}")
    print(at_instants, by_clock)


if __name__ == "__main__":
    run_killed_processes(*sys.argv[1:])
