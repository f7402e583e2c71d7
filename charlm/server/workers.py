"""Threads that compute for requests: few at a time, few that wait, and none for a client that has gone away."""

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from charlm.nouns import count_of, form_for
from charlm.progress import Progress
from charlm.server.errors import BusyError, RequestError

FRAME = 0.008
"""Seconds for which results are collected before they are sent: half a frame of a screen."""


class AbandonedError(Exception):
    """Nobody waits for the results any more."""


class Job:
    """A piece of work, as its thread sees it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._lock = loop, threading.Lock()
        self._results: list[Any] = []
        self._arrived = asyncio.Event()
        self._abandoned = threading.Event()

    def emit(self, result: Any) -> None:
        """Pass on a result; raises `AbandonedError` if nobody waits for it."""
        self.require_wanted()
        with self._lock:
            self._results.append(result)
            is_first = len(self._results) == 1
        if is_first:
            self._tell_loop(self._arrived.set)

    def require_wanted(self) -> None:
        """Raise `AbandonedError` if nobody waits for the results."""
        if self._abandoned.is_set():
            raise AbandonedError

    @property
    def progress(self) -> Progress:
        """A progress callback that ends work that nobody waits for."""
        return self.progress_within(math.inf)

    def progress_within(self, seconds: float) -> Progress:
        """The same, which also ends work that takes longer, with a `RequestError`."""
        end = time.monotonic() + seconds

        def progress(what: str, done: int, total: int | None) -> None:
            """End the work here, if nobody waits for it or its time is over."""
            self.require_wanted()
            if time.monotonic() > end:
                raise RequestError(
                    f"the computation took longer than {seconds:g} {form_for(seconds, 'second')}; ask for "
                    "fewer steps or units"
                )

        return progress

    def abandon(self) -> None:
        """Let the work end at its next result."""
        self._abandoned.set()

    def _tell_loop(self, callback: Callable[[], None]) -> None:
        """Call a function in the event loop, unless the loop is closed: a thread may outlive it at the end."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)

    async def _batches(self, future: "Future[None]") -> AsyncIterator[list[Any]]:
        future.add_done_callback(lambda _: self._tell_loop(self._arrived.set))
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            is_done = future.done()
            with self._lock:
                results, self._results = self._results, []
            if results:
                yield results
            if is_done:
                if not future.cancelled():
                    future.result()
                return
            await asyncio.sleep(FRAME)


Work = Callable[[Job], None]
"""What a thread does: it passes its results to `Job.emit`."""


class Workers:
    """A pool of threads with a bound on the work that waits for them."""

    def __init__(self, threads: int, waiting: int, name: str) -> None:
        """Let `threads` pieces of work run and `waiting` wait; `name` is that of the threads."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most = threads + waiting
        self._jobs: set[Job] = set()

    async def stream(self, work: Work) -> AsyncIterator[list[Any]]:
        """The results of some work, in batches; to close the iterator abandons the work.

        Raises `BusyError` if too much work is waiting, and what the work raises.
        """
        if len(self._jobs) >= self._most:
            raise BusyError(
                f"{count_of(self._most, 'request')} {form_for(self._most, 'is', 'are')} being answered; try again "
                "in a moment"
            )
        job = Job(asyncio.get_running_loop())
        self._jobs.add(job)
        future = self._pool.submit(self._run, work, job)
        try:
            async for batch in job._batches(future):
                yield batch
        finally:
            job.abandon()
            future.cancel()
            if future.done():
                self._jobs.discard(job)
            else:  # it counts until its thread has noticed
                future.add_done_callback(lambda _: job._tell_loop(lambda: self._jobs.discard(job)))

    async def run(self, work: Callable[[Job], Any]) -> Any:
        """The result of a function; raises as `stream`."""
        batches = self.stream(lambda job: job.emit(work(job)))
        try:
            return (await anext(batches))[0]
        finally:
            await batches.aclose()  # type: ignore[attr-defined]

    @property
    def busy(self) -> int:
        """How much work is running or waiting."""
        return len(self._jobs)

    def close(self) -> None:
        """Abandon all work and end the threads."""
        for job in list(self._jobs):
            job.abandon()
        self._pool.shutdown(wait=True, cancel_futures=True)

    @staticmethod
    def _run(work: Work, job: Job) -> None:
        try:
            job.require_wanted()
            work(job)
        except AbandonedError:
            pass
