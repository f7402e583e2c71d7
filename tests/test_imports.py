"""Imports go one way: a package, or a module of no package, imports what stands below it and nothing else."""

import ast
from pathlib import Path

import charlm

LEVELS = {
    part: level
    for level, parts in enumerate(
        (
            ("errors", "progress"),
            ("config", "files"),
            ("native", "cells", "tokenizers"),
            ("kernels", "ngram", "data"),
            ("model",),
            ("evaluation", "storage"),
            ("sampling",),
            ("training",),
            ("analysis",),
            ("text_model",),
            ("api",),
            ("cli",),
            ("__main__",),
        )
    )
    for part in parts
}
ROOT = Path(charlm.__file__).parent


def imported_parts(path: Path) -> set[str]:
    """The parts of charlm that a file imports, wherever in it; for "from charlm import x" that is x."""
    parts = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module] if node.module != "charlm" else [f"charlm.{alias.name}" for alias in node.names]
        parts |= {name.split(".")[1] for name in names if name.startswith("charlm.")}
    return parts - {"__version__"}


def test_every_module_has_a_level() -> None:
    parts = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in ROOT.rglob("*.py")} - {"__init__"}
    assert parts == set(LEVELS)


def test_every_import_points_down() -> None:
    for path in ROOT.rglob("*.py"):
        part = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if part != "__init__":
            for other in imported_parts(path) - {part}:
                assert LEVELS[other] < LEVELS[part], f"{path} imports charlm.{other}, which does not stand below it"


def test_cells_and_kernels_do_not_know_each_other() -> None:
    for part, other in (("cells", "kernels"), ("kernels", "cells")):
        paths = [*(ROOT / part).glob("*.py")]
        assert paths and not any(other in imported_parts(path) for path in paths)


def test_rich_stays_in_the_command_line() -> None:
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] != "cli":
            assert "import rich" not in path.read_text(encoding="utf-8"), path
            assert "from rich" not in path.read_text(encoding="utf-8"), path


def test_tests_mirror_the_package() -> None:
    """tests/data/test_corpus.py tests charlm/data/corpus.py, and tests/cells/test_cells.py charlm/cells/__init__.py.

    Tests of what spans modules are those right below tests/ and tests/cli/.
    """
    tests = Path(__file__).parent
    for path in tests.rglob("test_*.py"):
        folder, name = path.parent.relative_to(tests), path.stem.removeprefix("test_")
        package = ROOT / folder
        mirrored = (package / f"{name}.py").exists() or (name == folder.name and (package / "__init__.py").exists())
        assert mirrored or folder in (Path(), Path("cli")), f"{path} tests no module of its name"
