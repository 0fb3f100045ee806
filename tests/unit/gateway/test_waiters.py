"""Requests that wait until a job changes."""

import asyncio

import pytest

from pipelinejobs.gateway.tasks.waiters import TooManyWaiters, Waiters

PATIENCE = 20.0


def test_each_is_told_the_changes_of_its_own_job_and_of_several_the_newest() -> None:
    async def test() -> None:
        waiters = Waiters(10)
        one, two, other = waiters.add("one"), waiters.add("one"), waiters.add("other")
        waiters.tell([{"uuid": "one", "n": 1}, {"uuid": "one", "n": 2}, {"uuid": "unknown"}, {}])
        assert await one.next(PATIENCE) == await two.next(PATIENCE) == {"uuid": "one", "n": 2}
        assert await other.next(0) is None
        assert await one.next(0) is None

    asyncio.run(test())


def test_a_change_that_comes_while_it_waits() -> None:
    async def test() -> None:
        waiters = Waiters(10)
        waiter = waiters.add("job")
        waiting = asyncio.create_task(waiter.next(PATIENCE))
        await asyncio.sleep(0)
        waiters.tell([{"uuid": "job"}])
        assert await waiting == {"uuid": "job"}

    asyncio.run(test())


def test_the_end_ends_all_at_once_and_loses_no_change() -> None:
    async def test() -> None:
        waiters = Waiters(10)
        waiter = waiters.add("job")
        waiting = [asyncio.create_task(one.next(PATIENCE)) for one in (waiters.add("job"), waiters.add("other"))]
        await asyncio.sleep(0)
        waiter.tell({"uuid": "job"})
        waiters.end()
        assert await asyncio.gather(*waiting) == [None, None]
        assert await waiter.next(PATIENCE) == {"uuid": "job"}
        assert await waiter.next(PATIENCE) is None
        assert waiter.ended

    asyncio.run(test())


def test_the_number_is_bounded_and_a_place_is_free_again_at_once() -> None:
    waiters = Waiters(2)
    one, two = waiters.add("job"), waiters.add("job")
    with pytest.raises(TooManyWaiters):
        waiters.add("other")
    waiters.discard(one)
    waiters.discard(one)
    assert (waiters.count, waiters.jobs) == (1, ["job"])
    third = waiters.add("other")
    for waiter in (two, third):
        waiters.discard(waiter)
    assert (waiters.count, waiters.jobs) == (0, [])
