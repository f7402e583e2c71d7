"""`charlm sample --interactive` in a pseudo-terminal."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

pty = pytest.importorskip("pty")

UP, DOWN, RIGHT, ESCAPE, BACKSPACE = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b", "\x7f"


class Terminal:
    """A command whose keyboard and screen are a pseudo-terminal, and whose stdout is a pipe."""

    def __init__(self, *arguments: str) -> None:
        self.own, other = pty.openpty()
        environment = os.environ | {"TERM": "xterm", "LINES": "30", "COLUMNS": "80"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "charlm", *arguments],
            stdin=other,
            stderr=other,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        os.close(other)
        self.screen = ""

    def expect(self, text: str) -> None:
        """Wait until a text has come on the screen since the last key."""
        end = time.monotonic() + 60
        while text not in self.screen:
            assert time.monotonic() < end, self.screen
            if select.select([self.own], [], [], 0.1)[0]:
                self.screen += os.read(self.own, 65536).decode(errors="replace")

    def press(self, key: str, then: str) -> None:
        self.screen = ""
        os.write(self.own, key.encode())
        self.expect(then)

    def end(self, key: str) -> str:
        os.write(self.own, key.encode())
        stdout, _ = self.process.communicate(timeout=60)
        os.close(self.own)
        assert self.process.returncode == 0
        return stdout.decode()


@pytest.fixture
def run(trained_run) -> Path:
    return trained_run(steps=100)


def test_a_person_picks_types_and_goes_back(run: Path) -> None:
    terminal = Terminal("sample", str(run), "--interactive", "--prefix", "cat", "--top-k", "5")
    terminal.expect("Esc end")
    assert "cat" in terminal.screen and "%" in terminal.screen
    terminal.press("o", then="cato")
    terminal.press("w", then="catow")
    terminal.press(BACKSPACE, then="cato")
    terminal.press("é", then="é")  # it doesn't know that one, and says so
    assert "not in" in terminal.screen or "unknown" in terminal.screen
    terminal.press(DOWN, then="> ")
    terminal.press(RIGHT, then="cato")
    written = terminal.end(ESCAPE)
    assert written.startswith("cato") and len(written.removesuffix("\n")) > 4


def test_the_model_writes_a_word_and_ctrl_d_ends(run: Path) -> None:
    terminal = Terminal(
        "sample", str(run), "-i", "--prefix", "dog", "--seed", "1", "--min-length", "1000", "--length", "5000"
    )
    terminal.expect("Esc end")
    terminal.press("\t", then="dog")
    written = terminal.end("\x04")
    assert written.startswith("dog") and len(written) > 5


def test_without_a_terminal_it_says_so(failed, run: Path) -> None:
    assert "--interactive needs a terminal" in failed("sample", run, "-i")
    assert "--interactive writes one text with you" in failed("sample", run, "-i", "--num", "2")
