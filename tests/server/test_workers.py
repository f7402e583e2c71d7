"""Work that is bounded, and abandoned when nobody waits for it."""

import asyncio
import logging
import threading

import pytest

from charlm.server.errors import BusyError
from charlm.server.workers import AbandonedError, Job, Workers


def test_results_come_in_order_and_errors_are_raised() -> None:
    def work(job: Job) -> None:
        for number in range(1000):
            job.emit(number)
        raise ValueError("the end")

    async def collect() -> None:
        workers, found = Workers(1, 0, "test"), list[int]()
        with pytest.raises(ValueError, match="the end"):
            async for batch in workers.stream(work):
                found += batch
        assert found == list(range(1000))
        workers.close()

    asyncio.run(collect())


def test_what_is_left_ends_and_more_than_allowed_is_refused() -> None:
    ended = threading.Event()

    def endless(job: Job) -> None:
        try:
            while True:
                job.emit(1)
        except AbandonedError:
            ended.set()
            raise

    async def leave() -> None:
        workers = Workers(1, 0, "test")
        batches = workers.stream(endless)
        await anext(batches)
        with pytest.raises(BusyError):
            await workers.run(lambda job: 1)
        await batches.aclose()
        while workers.busy:
            await asyncio.sleep(0.01)
        assert ended.is_set() and await workers.run(lambda job: 2) == 2
        workers.close()

    asyncio.run(leave())


def test_work_that_ends_after_the_event_loop_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    workers, begun, may_end = Workers(1, 0, "test"), threading.Event(), threading.Event()

    def slow(job: Job) -> None:
        begun.set()
        may_end.wait(30)

    async def leave() -> None:
        task = asyncio.ensure_future(workers.run(slow))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        task.cancel()

    with caplog.at_level(logging.ERROR):
        asyncio.run(leave())
        may_end.set()
        workers.close()
    assert not caplog.records
