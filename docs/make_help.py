"""Write docs/commands.md: the --help of every command. Run `make docs` after a change of options."""

import os
from pathlib import Path

WIDTH = 100
PAGE = Path(__file__).parent / "commands.md"


def page() -> str:
    """The whole page; it is the same wherever it is made."""
    os.environ.update(NO_COLOR="1", TERMINAL_WIDTH=str(WIDTH), COLUMNS=str(WIDTH))
    from typer.testing import CliRunner

    from charlm.cli.app import app

    names = [command.name for command in app.registered_commands]
    parts = ["# Commands\n\nWritten by `make docs` from the commands themselves.\n"]
    for name in [None, *names]:
        words = [name] if name else []
        shown = CliRunner().invoke(app, [*words, "--help"]).stdout
        text = "\n".join(line.rstrip() for line in shown.strip().splitlines())
        parts.append(f"## charlm {name or ''}".rstrip() + f"\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
