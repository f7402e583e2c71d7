"""What README and docs show is what charlm does."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from charlm.cli.app import app
from charlm.data.registry import NamedCorpus, file_source

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHORT = ["--steps", "40", "--hidden", "16", "--batch-size", "4", "--seq-len", "16", "--validations", "2"]
LENGTHS = ("--minutes", "--epochs", "--steps")
SHORTER = {"diagnose": ["--steps", "3", "--hidden", "8"], "trace": ["--steps", "20"]}


def blocks(language: str) -> list[str]:
    """The fenced blocks of README in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The commands that README shows after a prompt."""
    lines = [line for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    return [shlex.split(line[2:], comments=True) for line in lines]


@pytest.fixture
def _texts(write, sentences: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that README's commands name, and a short text in the place of every named one."""
    text = write(sentences + "\nROMEO: I couldn't say. The owl, Q!\n\nI am the king of England.\n" + sentences)
    monkeypatch.setattr(NamedCorpus, "sources", lambda self, progress=None: [file_source(text)])
    for name in ("novel.txt", "letter.txt", "colours.txt"):
        Path(name).write_bytes(text.read_bytes())
    words = sentences.split()
    for name, kind in (("good.txt", "good"), ("bad.txt", "bad")):
        Path(name).write_text(
            "".join(f"{kind} {first} {last}\n" for first, last in zip(words, words[7:], strict=False))
        )
    Path("notes").mkdir()
    (Path("notes") / "one.txt").write_bytes(text.read_bytes())


@pytest.mark.usefixtures("_texts")
def test_the_commands_of_readme_run(charlm) -> None:
    ran = set()
    for words in commands():
        if words[0] != "charlm":
            assert words[0] in ("make", "python3", ".venv/bin/pip", ".venv/bin/python", "source"), words
            continue
        arguments = words[1:]
        if arguments[0] == "train":
            for option in LENGTHS:
                if option in arguments:
                    del arguments[arguments.index(option) : arguments.index(option) + 2]
            arguments += ["--steps", "60"] if "--resume" in arguments else SHORT
        charlm(*arguments, *SHORTER.get(arguments[0], []))
        ran.add(arguments[0])
    assert ran == {command.name for command in app.registered_commands}


@pytest.mark.usefixtures("_texts")
def test_the_python_of_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks("python")
    assert '{"minutes": 5}' in block
    exec(block.replace('{"minutes": 5}', '{"steps": 20}'), {})
    assert "bits per character" in capsys.readouterr().out


def test_the_make_targets_of_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = [words[1] for words in commands() if words[0] == "make"]
    assert targets and all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_the_links_of_readme_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links and all((ROOT / link).exists() for link in links)


def test_the_page_of_commands_is_up_to_date() -> None:
    code = "import sys; sys.path.insert(0, 'docs'); import make_help; print(make_help.page(), end='')"
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert made == (ROOT / "docs" / "commands.md").read_text(encoding="utf-8"), "run `make docs`"
