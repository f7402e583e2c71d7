"""What the scripts share: how they end, the texts that they are given, commands of charlm, and the records of a run."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charlm.errors import CharlmError

if TYPE_CHECKING:
    from charlm import TextModel


def start(main: Callable[[], None]) -> None:
    """Run the main function of a script; a mistake of the user and Ctrl-C end it with one line, as they end charlm."""
    try:
        main()
    except CharlmError as error:
        sys.exit(f"error: {error}")
    except subprocess.CalledProcessError as error:  # the command has said on stderr why
        sys.exit(error.returncode)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def name_of(text: str) -> str:
    """How the tables name a text, which is a file or a registered name, with or without ":line"."""
    return Path(text.partition(":")[0]).stem


def divided(text: str) -> tuple[str, dict[str, Any]]:
    """The file or registered name, and the options of its corpus, which ":line" after it stands for."""
    path, _, documents = text.partition(":")
    return path, {"documents": documents} if documents else {}


def text_of(model: "TextModel") -> str:
    """The name of the text that a model was trained on."""
    corpus = model.checkpoint.corpus
    return "unknown" if corpus is None else corpus.name


def content_of(text: str) -> bytes:
    """All bytes of a file or a registered name."""
    from charlm.data.sources import find_sources

    parts = []
    for source in find_sources(text).sources:
        with source.open() as file:
            parts.append(file.read())
    return b"".join(parts)


def call(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What a command prints to stdout; exits with what it says on stderr if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stderr}")
    return done.stdout


def run_charlm(*words: object, environment: Mapping[str, str] | None = None) -> str:
    """What a command of charlm prints to stdout; exits with what it says on stderr if it fails."""
    return call([sys.executable, "-m", "charlm", *map(str, words)], environment)


def records_of(run: Path, kind: str = "step") -> list[dict[str, Any]]:
    """The records of one kind in metrics.jsonl; those of steps are of ten steps each."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def training_speed(run: Path) -> float:
    """Tokens per second of the steps of a run, without the first ten and without what follows the last one."""
    records = records_of(run)
    if len(records) < 2:
        sys.exit("a speed needs more than ten steps")
    first, last = records[0], records[-1]
    return float((last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"]))
