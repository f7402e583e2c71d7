"""Commands as a user types them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result


@pytest.fixture(scope="session")
def failed(charlm: Callable[..., Result]) -> Callable[..., str]:
    """Run a command that must fail, and give the one line that it prints."""

    def failed(*arguments: object, status: int = 1) -> str:
        result = charlm(*arguments, status=status)
        assert result.stdout == ""
        lines = [line for line in result.stderr.splitlines() if not line.startswith(("note:", "using"))]
        assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
        return lines[0]

    return failed


@pytest.fixture(scope="session")
def brief() -> list[str]:
    """Options of `train` for a run that takes a moment."""
    return ["--steps", "30", "--hidden", "16", "--batch-size", "4", "--seq-len", "16", "--validations", "3"]


@pytest.fixture
def run(text: Path, charlm: Callable[..., Result], brief: list[str], keep_run: Callable[..., Path]) -> str:
    """A small trained run, called first."""
    keep_run("first", "runs/first", lambda: charlm("train", text, "--run", "first", *brief))
    return "runs/first"
