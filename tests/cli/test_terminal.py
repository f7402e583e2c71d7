"""What a stranger's text may do to a terminal: nothing. Commands run in a process on a pseudo-terminal."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from charlm.model.language_model import LanguageModel
from charlm.storage.checkpoint import Checkpoint, save
from charlm.tokenizers import CharTokenizer

pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")

HOSTILE = "\x1b]0;owned\x07 hello \x1b[2J there \x1bP1;2q \x1b\\ \x9b2J \u202e a\r\nbc\t\n"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
OWN = re.compile(r"\x1b\[(?:\d+(?:;\d+)*m|\?25[lh]|\d*[AK])|\r")  # what Rich writes: styles, the cursor, cleared lines
RUN = (
    "import json, sys\n"
    "from charlm.__main__ import main\n"
    "for words in json.loads(sys.argv[1]):\n"
    "    sys.argv = ['charlm', *words]\n"
    "    try: main()\n"
    "    except SystemExit: pass\n"
)


def on_a_terminal(*commands: list[str], **environment: str) -> str:
    """What commands write to a terminal that changes nothing, one after another in one process."""
    master, slave = pty.openpty()
    settings = termios.tcgetattr(slave)
    settings[1] &= ~termios.OPOST  # no CR before a newline
    termios.tcsetattr(slave, termios.TCSANOW, settings)
    words = [sys.executable, "-c", RUN, json.dumps(commands)]
    child = subprocess.Popen(words, stdout=slave, stderr=slave, stdin=slave, env=os.environ | environment)
    os.close(slave)
    written = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # Linux, once the child has ended
            break
        if not chunk:
            break
        written += chunk
    os.close(master)
    child.wait()
    return written.decode("utf-8", "surrogateescape")


@pytest.fixture
def hostile_model(network: Callable[..., LanguageModel], tmp_path: Path) -> Path:
    """A model with random weights that writes the characters of `HOSTILE`."""
    tokenizer = CharTokenizer("".join(sorted(set(HOSTILE))))
    path = tmp_path / "model.safetensors"
    save(path, Checkpoint(model=network(vocab_size=tokenizer.vocab_size).eval(), tokenizer=tokenizer))
    return path


def test_sampling_writes_no_control_character_to_a_terminal(hostile_model: Path, charlm) -> None:
    words = ["sample", str(hostile_model), "--seed", "1", "--length", "2000"]
    written = on_a_terminal(words)
    assert not CONTROLS.search(written), written
    assert "␛" in written and "<U+009B>" in written and "<U+202E>" in written and "\n" in written and "\t" in written
    assert {"\x1b", "\x9b", "\u202e"} <= set(charlm(*words).stdout)  # to a pipe they go as they are


def test_no_command_lets_a_text_or_a_name_steer_the_terminal(tmp_path: Path, write) -> None:
    text = write(HOSTILE * 100, "a\x1b]0;name\x07\u202e[red].txt")
    part = write(HOSTILE, "part.txt")
    small = ["--hidden", "16", "--seq-len", "16", "--batch-size", "4", "--threads", "1", "--ngram-order", "4"]
    written = on_a_terminal(
        ["train", str(text), "--run", "r", "--steps", "12", *small],
        ["sample", "r", "--length", "100", "--show-probs", "--seed", "1"],
        ["sample", "r", "--length", "100", "--copy-check", "--seed", "1"],
        ["sample", "r", "--checkpoints"],
        ["heatmap", "r", str(part)],
        ["eval", "r", str(text)],
        ["sample", str(text)],
        ["sample", "r", str(text)],
        NO_COLOR="",
        TERM="xterm-256color",
    )
    assert all(symbols in written for symbols in ("␛]0;owned", "␛]0;name", "[red]", "<U+202E>", "sample at step"))
    assert not CONTROLS.search(OWN.sub("", written)), CONTROLS.findall(OWN.sub("", written))
