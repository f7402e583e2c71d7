"""Write what is generated in the docs: docs/reference/commands.md, and the map of the source in CONTRIBUTING.md.

Run `make docs` after a change of options, of a module's docstring, or of the files of charlm/.
"""

import ast
import os
import re
import textwrap
from pathlib import Path

WIDTH = 100  # of the help pages, in characters
MAP_WIDTH = 120
MARKS = ("<!-- map: written by `make docs` -->\n", "<!-- end of map -->\n")
ROOT = Path(__file__).parents[1]
COMMANDS = ROOT / "docs" / "reference" / "commands.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
CODE = (".py", ".c", ".h", ".html", ".css", ".js")


def commands_page() -> str:
    """The --help of every command as one page, the same on every machine."""
    os.environ.update(NO_COLOR="1", TERMINAL_WIDTH=str(WIDTH), COLUMNS=str(WIDTH))
    from typer.testing import CliRunner

    from charlm.cli.app import app

    names = [command.name for command in app.registered_commands]
    parts = ["# Commands\n\nThe `--help` of every command, written by `make docs`.\n"]
    for name in [None, *names]:
        words = [name] if name else []
        shown = CliRunner().invoke(app, [*words, "--help"]).stdout
        text = "\n".join(line.rstrip() for line in shown.strip().splitlines())
        parts.append(f"## charlm {name or ''}".rstrip() + f"\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def contributing_page() -> str:
    """CONTRIBUTING.md with its map renewed."""
    page = CONTRIBUTING.read_text(encoding="utf-8")
    before, _, rest = page.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    lines = "\n".join(["charlm/", *_folder_lines(ROOT / "charlm", "  ")])
    return f"{before}{MARKS[0]}\n```text\n{lines}\n```\n\n{MARKS[1]}{after}"


def _folder_lines(folder: Path, indent: str) -> list[str]:
    """A line for every source file below a folder: its own files first, then its folders."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in CODE)
    width = max((len(path.name) for path in paths), default=0) + 2
    lines = []
    for path in paths:
        start = indent + path.name.ljust(width)
        rest = " " * len(start)
        lines += textwrap.wrap(start + _summary(path), MAP_WIDTH, subsequent_indent=rest, break_on_hyphens=False)
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        if below := _folder_lines(path, indent + "  "):
            lines += [f"{indent}{path.name}/", *below]
    return lines


def _summary(path: Path) -> str:
    """What a source file is: the first sentence of its docstring or first comment."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return _first_sentence(ast.get_docstring(ast.parse(source)) or "")
    comment = re.match(r"(?:<!doctype[^>]*>\s*)?(?:<!--(.*?)-->|/\*(.*?)\*/)", source, re.DOTALL | re.IGNORECASE)
    return _first_sentence(comment[1] or comment[2]) if comment else ""


def _first_sentence(text: str) -> str:
    """The first sentence of a text's first paragraph, on one line."""
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[^.][^.]\.)\s+(?=[A-Z`])(?<!et al\.\s)", paragraph, maxsplit=1)[0]


if __name__ == "__main__":
    COMMANDS.write_text(commands_page(), encoding="utf-8")
    CONTRIBUTING.write_text(contributing_page(), encoding="utf-8")
