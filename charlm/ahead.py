"""Work done by other threads ahead of its use, with the results in order and few of them in memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

MOST_WORKERS = 8
"""Threads of `map_ahead`, each of which holds a batch in memory; Python's own lock keeps more from being faster."""


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_ahead(items: Iterable[_Item]) -> Iterator[_Item]:
    """The items, each made by another thread while the one before it is used."""
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1) as thread:
        upcoming: Future[Any] = thread.submit(next, iterator, end)
        while (item := upcoming.result()) is not end:
            upcoming = thread.submit(next, iterator, end)
            yield item


def map_ahead(
    function: Callable[[_Item], _Result], items: Iterable[_Item], workers: int | None = None
) -> Iterator[_Result]:
    """The function's result for each item, in order, computed by several threads.

    Args:
        function: what to compute; it must not depend on the other calls.
        items: read by the calling thread, a few more than have been yielded.
        workers: the number of threads; None is one for each processor, at most `MOST_WORKERS`.
    """
    workers = min(MOST_WORKERS, processors()) if workers is None else workers
    pending = deque[Future[_Result]]()
    with ThreadPoolExecutor(workers) as threads:
        try:
            for item in items:
                pending.append(threads.submit(function, item))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for unused in pending:
                unused.cancel()
