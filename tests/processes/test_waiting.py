import os
import subprocess
import sys
from pathlib import Path

import pytest

from charlm.processes import waiting
from charlm.processes.waiting import programs_running, wait_without_spinning

BRIEFLY = {"GOMP_SPINCOUNT": "3000", "KMP_BLOCKTIME": "1"}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Set what the system says of its load."""

    def load(text: str) -> None:
        (tmp_path / "loadavg").write_text(text)
        monkeypatch.setattr(waiting, "LOAD", tmp_path / "loadavg")

    return load


@pytest.mark.parametrize(
    ("running", "given", "expected"),
    [
        (1, {}, {}),  # this process alone
        (2, {}, BRIEFLY),
        (7, {}, BRIEFLY),
        (7, {"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
        (7, {"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
    ],
)
def test_threads_sleep_while_they_wait_on_a_busy_machine_unless_the_user_says_how(
    running: int, given: dict[str, str], expected: dict[str, str], load, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = dict(given)
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    load(f"0.10 0.20 0.30 {running}/345 6789\n")
    wait_without_spinning()
    assert environment == expected


@pytest.mark.parametrize("text", ["", "0.1 0.2 0.3", "0.1 0.2 0.3 x/y 5"])
def test_an_unknown_load_counts_as_none(text: str, load) -> None:
    load(text)
    assert programs_running() == 0


@pytest.mark.skipif(not Path("/proc/loadavg").exists(), reason="only Linux counts the running programs")
def test_busy_programs_are_counted() -> None:
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        assert any(programs_running() >= 1 for _ in range(200))  # the first looks may come before they begin
    finally:
        for program in programs:
            program.kill()
            program.wait()
