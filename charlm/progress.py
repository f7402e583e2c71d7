"""The callback by which the library reports progress."""

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called as progress(what, done, total) with the work done so far; total is None when unknown."""


def silent(what: str, done: int, total: int | None) -> None:
    """A callback that ignores progress."""
