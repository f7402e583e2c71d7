"""`charlm sample --interactive` in a pseudo-terminal."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from charlm.api import load
from charlm.cli.ui.picker import write_word
from charlm.config import TokenizerConfig

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
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
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

    def end(self, key: str, status: int = 0) -> str:
        os.write(self.own, key.encode())
        stdout, _ = self.process.communicate(timeout=60)
        os.close(self.own)
        assert self.process.returncode == status
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
    assert "--interactive writes a single text with you and can't be combined with --num" in failed(
        "sample", run, "-i", "--num", "2"
    )


def test_ctrl_c_keeps_the_text(run: Path) -> None:
    terminal = Terminal("sample", str(run), "-i", "-p", "owl")
    terminal.expect("Esc end")
    terminal.press("s", then="owls")
    os.kill(terminal.process.pid, signal.SIGINT)
    assert terminal.end("", status=130) == "owls\n"


@pytest.mark.parametrize("kind", ["char", "subword", "word"])
def test_a_generated_word_is_one_word(kind: str, trained_run) -> None:
    tokenizer = TokenizerConfig(kind=kind, vocab_size=300)
    model = load(trained_run(tokenizer=tokenizer, steps=100))
    session = model.session("the cat", seed=1, temperature=0.8, min_length=10_000)
    for _ in range(5):
        before = len(session.text)
        write_word(session)
        assert len(session.text[before:].split()) == 1
