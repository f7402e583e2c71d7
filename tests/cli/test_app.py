import re
import shlex
import subprocess
import sys

import pytest
from typer.main import get_command

from charlm import __version__
from charlm.cli.app import app

COMMANDS = get_command(app).commands


def test_version(charlm) -> None:
    assert charlm("--version").stdout == charlm("-V").stdout == f"charlm {__version__}\n"


def test_options_have_the_short_names_that_people_type(charlm) -> None:
    names = {"-t": "temperature", "--temp": "temperature", "-p": "prefix", "-n": "num", "-l": "length"}
    values = {"temperature": "0.3", "prefix": "x", "num": 3, "length": 4}
    for name, field in names.items():
        context = COMMANDS["sample"].make_context("sample", [name, str(values[field])])
        assert context.params[field] == values[field]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("heatmap x --out y", "Possible options: --html"),
        ("curves --output y", "Possible options: --plot"),
        ("train x --out y", "Possible options: --run"),
        ("eval --out y", None),
        ("sample --temprature 2", "Possible options: --temperature)"),
        ("train x --hiden 3", "Possible options: --hidden)"),
    ],
)
def test_a_wrong_option_gets_the_right_suggestion(charlm, words: str, hint: str | None) -> None:
    shown = " ".join(charlm(*words.split(), status=2).stderr.replace("│", " ").split())
    assert "No such option" in shown
    assert ("Possible options" in shown) == (hint is not None) and (hint is None or hint in shown)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train x --minutes 0,5", "'0,5' is not a number such as 0.5"),
        ("train x --steps 1.5", "'1.5' is not a whole number"),
        ("train x --optimizer adm", "'--optimizer': 'adm' is not one of"),
    ],
)
def test_a_value_of_another_type_is_named(charlm, arguments: str, message: str) -> None:
    shown = " ".join(charlm(*arguments.split(), status=2).stderr.replace("│", " ").split())
    assert message in shown


def test_help_names_every_command(charlm) -> None:
    shown = charlm("--help").stdout
    for name, command in COMMANDS.items():
        assert re.search(rf"\b{name}\b +{re.escape(command.help.split()[0])}", shown), name


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_option_and_its_examples_are_valid(charlm, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 200)  # so that no option is broken over lines
    shown = charlm(name, "--help").stdout
    options = [option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("--")]
    assert options and all(re.search(rf"{option}\b", shown) for option in options)
    lines = [line.strip().split("  ")[0] for line in shown.splitlines()]  # what follows two blanks is a comment
    examples = [shlex.split(line) for line in lines if re.match(rf"charlm {name}\b", line)]
    assert examples or name in ("cells", "corpora")
    for words in examples:
        COMMANDS[name].make_context(name, words[2:])  # raises on wrong usage


def test_help_needs_no_torch() -> None:
    code = "import sys; from charlm.cli.app import app; print('torch' in sys.modules, 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False False\n"


@pytest.mark.parametrize("words", [["train", "text.txt"], ["train", "--resume"]])
def test_training_says_what_it_loads_before_it_loads_it(words: list[str]) -> None:
    code = (
        "import sys; from charlm.cli.app import app; from charlm.cli.ui.console import Bars\n"
        "def status(bars, activity): print(activity, 'torch' in sys.modules, 'numpy' in sys.modules); sys.exit()\n"
        f"Bars.status = status; app({words})"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["loading", "torch", "False", "False"]


def test_every_command_that_computes_has_threads() -> None:
    options = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in COMMANDS.items()
    }
    assert {name for name, own in options.items() if "--threads" not in own} == {
        "cells",
        "corpora",
        "curves",
        "info",
        "runs",
    }
