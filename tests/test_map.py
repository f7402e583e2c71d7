"""The generated parts of the documentation are up to date, and the map in CONTRIBUTING.md has every source file."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
CODE = {".py", ".c", ".h", ".html", ".css", ".js"}


def generated(function: str) -> str:
    """What a function of docs/make_reference.py writes, in a process of its own: the width of help pages is global."""
    code = f"import sys; sys.path.insert(0, 'docs'); import make_reference; print(make_reference.{function}(), end='')"
    command = [sys.executable, "-X", "utf8", "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout


def mapped_files() -> list[str]:
    """The paths, relative to the repository, of the files that the map describes, from its indentation."""
    page = CONTRIBUTING.read_text(encoding="utf-8")
    found = re.search(r"<!-- map.*?-->\s*```text\n(.*?)```\s*<!-- end of map -->", page, re.DOTALL)
    assert found is not None
    files: list[str] = []
    folders: list[str] = []
    for line in found[1].splitlines():
        entry = re.match(r"^((?:  )*)(?:(\w+/)$|(\w+\.\w+)  +\S)", line)
        if entry is None or len(entry[1]) > 2 * len(folders):
            continue  # the end of a long description
        folders = folders[: len(entry[1]) // 2]
        if entry[2]:
            folders.append(entry[2])
        else:
            files.append("".join(folders) + entry[3])
    return files


def test_the_map_describes_every_source_file_once() -> None:
    sources = [path for path in (ROOT / "charlm").rglob("*") if path.suffix in CODE]
    assert sorted(mapped_files()) == sorted(path.relative_to(ROOT).as_posix() for path in sources)


def test_the_files_to_touch_exist() -> None:
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \|$", CONTRIBUTING.read_text(encoding="utf-8"), re.MULTILINE)
    paths = {path for row in rows for path in re.findall(r"`([\w/]+/[\w.]*)`", row) if "NAME" not in path}
    assert paths and not [path for path in paths if not ((ROOT / "charlm" / path).exists() or (ROOT / path).exists())]


def test_the_reading_order_names_files_and_what_is_in_them() -> None:
    section = CONTRIBUTING.read_text(encoding="utf-8").split("## Where to start reading\n")[1].split("\n## ")[0]
    names = set(re.findall(r"`([\w/.]+\w)`", section))
    files = {name for name in names if Path(name).suffix in CODE}
    assert len(files) > 15
    text = "\n".join((ROOT / "charlm" / file).read_text(encoding="utf-8") for file in files)
    assert [name for name in sorted(names - files) if not re.search(rf"\b{name.split('.')[-1]}\b", text)] == []


@pytest.mark.parametrize(
    ("page", "function"),
    [("CONTRIBUTING.md", "contributing_page"), ("docs/reference/commands.md", "commands_page")],
)
def test_a_generated_page_is_up_to_date(page: str, function: str) -> None:
    assert generated(function) == (ROOT / page).read_text(encoding="utf-8"), "run `make docs`"
