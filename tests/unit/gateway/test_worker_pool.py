"""Threads with a bounded queue."""

import asyncio
import threading

import pytest

from pipelinejobs.gateway.tasks.worker_pool import WorkerPool
from pipelinejobs.util.errors import OutcomeUnknown, Overloaded


def test_run_returns_results_and_raises_errors() -> None:
    def wrong() -> None:
        raise KeyError("x")

    async def main() -> None:
        pool = WorkerPool("test", 2, 2)
        assert await pool.run(lambda: 5, 5) == 5
        with pytest.raises(KeyError):
            await pool.run(wrong, 5)
        await asyncio.sleep(0)
        assert pool.inside == 0
        pool.close(5)

    asyncio.run(main())


def test_the_queue_is_bounded() -> None:
    async def main() -> None:
        pool, goes_on = WorkerPool("test", 1, 2), threading.Event()
        waiting = [asyncio.create_task(pool.run(lambda: goes_on.wait(20), 20)) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(Overloaded, match="too many"):
            await pool.run(lambda: None, 5)
        goes_on.set()
        assert await asyncio.gather(*waiting) == [True] * 3
        pool.close(5)

    asyncio.run(main())


def test_work_that_does_not_end_times_out_and_still_counts() -> None:
    async def main() -> None:
        pool, goes_on = WorkerPool("test", 1, 0), threading.Event()
        with pytest.raises(OutcomeUnknown, match="may or may not be carried out"):
            await pool.run(lambda: goes_on.wait(20), -0.9)
        assert pool.inside == 1  # the thread is still at it
        goes_on.set()
        while pool.inside:
            await asyncio.sleep(0.01)
        pool.close(5)

    asyncio.run(main())
