"""Imports go one way (DESIGN, section 1): a package may import packages of a lower level, and never one of its own."""

import ast
from pathlib import Path

import charlm

LEVELS = (
    ("errors", "progress", "nouns", "ahead"),
    ("config", "files", "processes"),
    ("native", "cells", "tokenizers"),
    ("kernels", "ngram", "data"),
    ("model",),
    ("evaluation", "storage"),
    ("sampling",),
    ("training",),
    ("analysis",),
    ("text_model",),
    ("loading", "compression", "export"),
    ("api",),
    ("server",),
    ("cli",),
    ("__main__",),
)
LEVEL_OF = {name: level for level, names in enumerate(LEVELS) for name in names}
ROOT = Path(charlm.__file__).parent
MOST_FILES = 12
SPANNING = {Path(), *map(Path, ("benchmarks", "cli", "fuzz", "instants"))}
MOST_MODULES_AT_THE_TOP = 8


def package_of(path: Path) -> str:
    """The package or module at the top of charlm that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_packages(path: Path) -> set[str]:
    """The packages of charlm that a file imports, wherever in it; for "from charlm import x" that is x."""
    packages = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path} has a relative import"
            names = [node.module] if node.module != "charlm" else [f"charlm.{alias.name}" for alias in node.names]
        packages |= {name.split(".")[1] for name in names if name.startswith("charlm.")}
    return packages - {"__version__"}


def sources() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if package_of(path) != "__init__"]


def test_every_package_has_one_level() -> None:
    names = [name for level in LEVELS for name in level]
    assert len(names) == len(set(names))
    assert {package_of(path) for path in sources()} == set(names)


def test_the_layers_are_those_of_the_guide() -> None:
    page = (ROOT.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = page.partition("```text\n")[2].partition("```")[0]
    assert [line.split() for line in shown.splitlines()] == [list(names) for names in LEVELS[-2::-1]]


def test_every_import_points_down() -> None:
    for path in sources():
        own = package_of(path)
        for other in imported_packages(path) - {own}:
            assert LEVEL_OF[other] < LEVEL_OF[own], f"{path} imports charlm.{other}, which is not below charlm.{own}"


def test_rich_and_typer_stay_in_the_command_line() -> None:
    for path in sources():
        if package_of(path) not in ("cli", "__main__"):
            text = path.read_text(encoding="utf-8")
            assert not any(f"{word} {name}" in text for word in ("import", "from") for name in ("rich", "typer")), path


def test_no_package_has_more_than_twelve_files() -> None:
    for folder in {path.parent for path in sources()} - {ROOT, ROOT / "cli" / "commands"}:
        files = [*folder.glob("*.py"), *folder.glob("*.c"), *folder.glob("*.h"), *folder.glob("*.html")]
        assert len(files) <= MOST_FILES, f"{folder} has {len(files)} files"
    assert len([*ROOT.glob("*.py")]) <= MOST_MODULES_AT_THE_TOP


def test_cells_and_kernels_do_not_know_each_other() -> None:
    for own, other in (("cells", "kernels"), ("kernels", "cells")):
        paths = [*(ROOT / own).glob("*.py")]
        assert paths and not any(other in imported_packages(path) for path in paths)


def test_tests_mirror_the_package() -> None:
    """tests/data/test_corpus.py tests charlm/data/corpus.py, and tests/cells/test_cells.py charlm/cells/__init__.py.

    Tests of what spans modules are those right below tests/ and in the folders of `SPANNING`.
    """
    tests = Path(__file__).parent
    for path in tests.rglob("test_*.py"):
        folder, name = path.parent.relative_to(tests), path.stem.removeprefix("test_")
        package = ROOT / folder
        mirrored = any((package / f"{name}{ending}").exists() for ending in (".py", ".js"))
        mirrored |= name == folder.name and (package / "__init__.py").exists()
        assert mirrored or folder in SPANNING, f"{path} tests no module of its name"
