"""`charlm train --seeds`: several runs that differ only in their seed."""

import os
from collections.abc import Iterator, Sequence

from charlm.config import check_range
from charlm.errors import ConfigError


def planned_runs(
    texts: Sequence[str], run: str | None, first_seed: int | None, seeds: int | None, *, overwrite: bool
) -> Iterator[tuple[str | None, dict[str, int]]]:
    """The name of each run, and its setting of the seed; a single run without --seeds.

    Raises `ConfigError` for a wrong number, and `RunError` if a run folder is not empty, before the first run begins.
    """
    if seeds is None:
        yield run, {}
        return
    from charlm.data.sources import is_stream
    from charlm.storage.runs import RunFolder, find_run

    check_range("--seeds", seeds, 2, 1000)
    if any(map(is_stream, texts)):
        raise ConfigError(
            "--seeds reads the text once per run, so it can't use standard input or a pipe; save the text to a file "
            "first"
        )
    name = str(find_run(run)) if run is not None else _free_name(texts, seeds)
    names = [f"{name}-{number}" for number in range(1, seeds + 1)]
    for own in names:
        RunFolder(find_run(own)).require_room(overwrite=overwrite)
    for number, own in enumerate(names):
        yield own, {"seed": (1 if first_seed is None else first_seed) + number}


def _free_name(texts: Sequence[str], seeds: int) -> str:
    """The name of the text, or NAME-b, NAME-c and so on, of which no run with a number exists yet."""
    from charlm.data.sources import name_of
    from charlm.storage.runs import RUNS

    name = name_of(texts)
    for suffix in ("", *(f"-{letter}" for letter in "bcdefghijklmnopqrstuvwxyz")):
        if not any(os.path.lexists(RUNS / f"{name}{suffix}-{number}") for number in range(1, seeds + 1)):
            return name + suffix
    raise ConfigError(f"the names {name}, {name}-b, ... {name}-z are all in use in {RUNS}/; choose another with --run")
