import re

from rich.text import Text
from typer.main import get_command

from charlm.cli.app import app


def test_no_help_text_loses_what_is_in_brackets() -> None:
    helps = [
        parameter.help
        for command in get_command(app).commands.values()
        for parameter in command.params
        if parameter.help
    ]
    assert len(helps) > 200
    for text in helps:
        assert Text.from_markup(text).plain == re.sub(r"\\(?=\[)", "", text)
