import shlex

import pytest
from typer.main import get_command

from charlm.cli.app import app
from charlm.cli.training.repeated import repeated


@pytest.mark.parametrize(
    ("typed", "options", "expected"),
    [
        ("a.txt", "--steps 80", "charlm train a.txt --steps 80"),
        ("a.txt --steps=40 --run x --overwrite --json", "--steps 80", "charlm train a.txt --steps 80"),
        (
            r"'my text.txt' b.txt --minutes 60 --epochs 0.4 --separator '\n%%\n' --no-tie-weights",
            "--epochs 0.8",
            r"charlm train 'my text.txt' b.txt --separator '\n%%\n' --no-tie-weights --minutes 60.0 --epochs 0.8",
        ),
        ("a.txt --hidden 64 --steps 4", "--hidden 128 --steps 8", "charlm train a.txt --hidden 128 --steps 8"),
        ("--resume --steps 40", "--steps 80", None),
        ("- --steps 40", "--steps 80", None),
    ],
)
def test_the_command_is_repeated_with_other_options(typed: str, options: str, expected: str | None) -> None:
    command = get_command(app).commands["train"]
    found = repeated(command.make_context("train", shlex.split(typed)), options)
    assert found == expected
    if found is not None:
        command.make_context("train", shlex.split(found)[2:])  # it can be pasted
