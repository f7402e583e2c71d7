"""How the library tells how far it is, without knowing who listens."""

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called as progress(what, done, total) with the work done so far; total is None where nobody knows."""


def silent(what: str, done: int, total: int | None) -> None:
    """A listener who isn't interested."""
