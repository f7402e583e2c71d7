"""The section `Args:` of a docstring names exactly the parameters of its function."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import charlm

FOLDER = Path(charlm.__file__).parent
Function = ast.FunctionDef | ast.AsyncFunctionDef


def parameters_of(function: Function) -> list[str]:
    """The names of the parameters, in order, without self and cls."""
    arguments = function.args
    names = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
    return [name.arg for name in names if name is not None and name.arg not in ("self", "cls")]


def documented_in(docstring: str) -> list[str] | None:
    """The names under `Args:` of a docstring without its indentation; None if it has no such section."""
    section = re.search(r"^Args:\n((?: .*\n?)+)", docstring, re.MULTILINE)
    return None if section is None else re.findall(r"^    (\w+):", section[1], re.MULTILINE)


def mismatches(source: str) -> Iterator[str]:
    """A sentence for each function whose docstring lists other parameters than it has."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, Function):
            documented = documented_in(ast.get_docstring(function) or "")
            if documented is not None and sorted(documented) != sorted(parameters_of(function)):
                yield f"{function.name} takes {parameters_of(function)}, but its docstring lists {documented}"


def test_the_parameters_in_a_docstring_are_those_of_its_function() -> None:
    files = {path.relative_to(FOLDER): path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.py")}
    wrong = {str(path): found for path, source in files.items() if (found := [*mismatches(source)])}
    assert wrong == {}


@pytest.mark.parametrize(
    ("listed", "wrong"),
    [
        (["x", "size"], False),
        (["x"], True),
        (["x", "size", "width"], True),
        (["x", "width"], True),
        (["x", "size", "size"], True),
    ],
)
def test_a_missing_an_unknown_and_a_repeated_name_are_found(listed: list[str], wrong: bool) -> None:
    arguments = "".join(f"        {name}: a number: it\n            may have two lines.\n" for name in listed)
    docstring = f"Do it.\n\n    Args:\n{arguments}\n    Returns:\n        y: a number.\n    "
    source = f'def f(x, *, size=1):\n    """{docstring}"""\n'
    assert bool([*mismatches(source)]) == wrong
