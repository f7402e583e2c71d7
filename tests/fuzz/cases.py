"""Cases of a fuzzer: their random numbers, their bound of time, and what may come of one."""

import contextlib
import faulthandler
import io
import json
import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

import pytest

from charlm.cli.app import app
from charlm.cli.ui.streams import mend_streams, reporting_lost_output
from charlm.errors import CharlmError

SECONDS = float(os.environ.get("CHARLM_FUZZ_SECONDS", "0.4"))
SEED = os.environ.get("CHARLM_FUZZ_SEED", "1")
CASE_SECONDS = 30.0
"""The most processor time of a case; a case that takes ten times as long by the clock ends the process."""
Random = random.Random
_NOT_FINITE = re.compile(r"(?<![\w./-])[-+]?(nan|inf)(?![\w./-])")


def cases(target: str) -> Iterator[tuple[str, Random]]:
    """The name and the random numbers of each case, until the time is over; at least three.

    A case that takes too long is a failure; one that hangs ends the process with a traceback of where it is.
    """
    end, number = time.monotonic() + SECONDS, 0
    try:
        while number < 3 or time.monotonic() < end:
            name = f"case {number} of {target} with seed {SEED}"
            faulthandler.dump_traceback_later(10 * CASE_SECONDS, exit=True, file=sys.__stderr__)
            used = time.process_time()
            yield name, Random(name)
            used = time.process_time() - used
            assert used < CASE_SECONDS, f"{name} took {used:.0f} s of processor time"
            number += 1
    finally:
        faulthandler.cancel_dump_traceback_later()
    print(f"{number:,} cases of {target}")


def outcome(name: str, read: Callable[[], Any]) -> Any:
    """What a reading gives; None for a `CharlmError`, which must be of one line."""
    try:
        return read()
    except CharlmError as error:
        assert "\n" not in str(error) and len(str(error)) < 2000, f"{name}: {error}"
        return None
    except Exception as error:
        raise AssertionError(f"{name} ended in {type(error).__name__}: {error}") from error


def same_or_error(name: str, read: Callable[[], Any], expected: Any) -> None:
    """Require that a reading gives what is expected, or an error of one line."""
    found = outcome(name, read)
    assert found is None or found == expected, f"{name}: another result without an error"


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


def run_command(name: str, arguments: Sequence[str], stdin: bytes = b"") -> Ended:
    """Run a command in this process, with pipes for its streams; it must end properly.

    Status 0, 1 with one line that says why, or 2 with the usage. No traceback, and JSON without NaN or infinity.
    """
    case = f"{name}, charlm {list(arguments)}"
    streams = [io.TextIOWrapper(io.BytesIO(content), encoding="utf-8") for content in (stdin, b"", b"")]
    streams[2].reconfigure(errors="backslashreplace")
    try:
        with pytest.MonkeyPatch.context() as patch:
            for stream, standard in zip(streams, ("stdin", "stdout", "stderr"), strict=True):
                patch.setattr(sys, standard, stream)
            mend_streams()
            with reporting_lost_output():
                app([*arguments], prog_name="charlm")
        status: Any = 0
    except SystemExit as exit:
        status = exit.code or 0
    except Exception as error:
        raise AssertionError(f"{case} ended in {type(error).__name__}: {error}") from error
    for stream in streams[1:]:
        stream.flush()
    stdout, stderr = (stream.buffer.getvalue().decode("utf-8", "replace") for stream in streams[1:])
    shown = f"{case} ended with status {status}:\n{stdout[-2000:]}\n{stderr[-2000:]}"
    assert status in (0, 1, 2) and "Traceback (most recent call last)" not in stderr, shown
    if status == 1:
        assert re.search(r"(?:\A|\n)error: [^\n]+\n\Z", stderr), shown
    if status == 2:
        assert "Error" in stderr and stdout == "", shown
    if status == 0 and "--json" in arguments and "--help" not in arguments:
        json_of(shown, stdout)
    return Ended(status, stdout, stderr)


def json_of(case: str, stdout: str) -> Any:
    """The JSON that a command has printed; it has no NaN and no infinity."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} in {case}")

    with contextlib.suppress(ValueError):
        return json.loads(stdout, parse_constant=refuse)
    raise AssertionError(f"no JSON in {case}")


def require_finite(name: str, ended: Ended) -> None:
    """Require that a report has only finite figures."""
    assert _NOT_FINITE.search(ended.stdout) is None, f"{name}: {ended.stdout}"
