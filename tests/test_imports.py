"""Imports go one way (DESIGN section 1): a module may import what stands on its own level or below, never above."""

import ast
from pathlib import Path

import charlm

LEVELS = {
    "errors": 0,
    "progress": 0,
    "config": 1,
    "files": 1,
    "compilation": 2,
    "lock": 1,
    "memory": 1,
    "corpus": 2,
    "decoding": 2,
    "registry": 2,
    "sources": 2,
    "tokenizers": 2,
    "cells": 2,
    "kernels": 2,
    "provenance": 2,
    "ngram": 2,
    "ngram_counts": 2,
    "ngram_estimates": 2,
    "ngram_lookup": 2,
    "schedule": 2,
    "dataset": 3,
    "windows": 3,
    "recurrent": 3,
    "ngram_mixture": 3,
    "contexts": 3,
    "prior": 4,
    "model": 4,
    "encoder": 4,
    "baselines": 5,
    "copying": 2,
    "direction": 5,
    "budget": 5,
    "cache": 5,
    "calibration": 5,
    "dynamic_evaluation": 5,
    "evaluate": 5,
    "checkpoint": 5,
    "runs": 5,
    "sampler": 5,
    "records": 5,
    "gradient_watch": 5,
    "optimizers": 5,
    "resume": 6,
    "length": 6,
    "journal": 6,
    "trainer": 6,
    "validation": 6,
    "remarks": 6,
    "analysis": 7,
    "loaded": 7,
    "pair": 7,
    "api": 7,
    "cli": 8,
    "__main__": 9,
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
    assert parts <= set(LEVELS)


def test_no_import_points_up() -> None:
    for path in ROOT.rglob("*.py"):
        part = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        for other in imported_parts(path):
            assert LEVELS[other] <= LEVELS[part], f"{path} imports charlm.{other}, which stands above it"


def test_cells_and_kernels_do_not_know_each_other() -> None:
    for part, other in (("cells", "kernels"), ("kernels", "cells")):
        for path in (ROOT / part).glob("*.py"):
            assert other not in imported_parts(path)


def test_rich_stays_in_the_command_line() -> None:
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] != "cli":
            assert "import rich" not in path.read_text(encoding="utf-8"), path
            assert "from rich" not in path.read_text(encoding="utf-8"), path
