"""The feed of changes by itself, without HTTP."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from pipelinejobs.gateway.tasks import change_feed
from pipelinejobs.gateway.tasks.change_feed import ChangeFeed, Listener, TooManyListeners
from pipelinejobs.gateway.tasks.waiters import TooManyWaiters
from pipelinejobs.store import Store
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.log import logger
from support.process import Documents, StoredJob, insert_job

INTERVAL = 0.05
PATIENCE = 20.0


def run(test: Callable[[ChangeFeed], Coroutine[Any, Any, None]], store: Store, **more: Any) -> None:
    """Runs a test with a feed, and checks that the feed leaves no task and no thread behind."""

    async def whole() -> None:
        feed = ChangeFeed(store, **{"interval": INTERVAL, **more})
        try:
            await test(feed)
        finally:
            await feed.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    before = set(threading.enumerate())
    asyncio.run(whole())
    assert not [thread for thread in threading.enumerate() if thread not in before and "asyncio" in thread.name]


def change(store: Store, job: StoredJob, revision: int, seconds: float = 0) -> None:
    """Changes a job with a date some seconds ago, by the database's clock."""
    moment = store.outbox.now() - timedelta(seconds=seconds)
    job.jobs.update_one(
        {"uuid": job.uuid},
        {"$set": {"updated": moment.replace(microsecond=0), "_properties.revision": revision}},
    )


async def heard(listener: Listener) -> tuple[str, int]:
    found = await listener.next(PATIENCE)
    assert found is not None
    return found["uuid"], found["revision"]


def lookers() -> list[Any]:
    return [task for task in asyncio.all_tasks() if "ChangeFeed._run" in repr(task.get_coro())]


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.01)


def test_each_listener_gets_each_change_once(store: Store, jobs: Documents) -> None:
    before, job = insert_job(jobs), insert_job(jobs)
    change(store, before, 1)

    async def test(feed: ChangeFeed) -> None:
        one, two = await feed.listen(), await feed.listen()
        for revision in (1, 2):
            change(store, job, revision)
            assert await heard(one) == await heard(two) == (job.uuid, revision)
        assert await one.next(INTERVAL * 6) is None
        assert not one.ended

    run(test, store)


def test_a_job_that_is_made_again_is_news(store: Store, jobs: Documents) -> None:
    """The job has the same revision as before, but another date."""
    job = insert_job(jobs)

    async def test(feed: ChangeFeed) -> None:
        listener = await feed.listen()
        change(store, job, 0, seconds=5)
        assert await heard(listener) == (job.uuid, 0)
        change(store, job, 0)
        assert await heard(listener) == (job.uuid, 0)

    run(test, store)


def test_a_writer_whose_clock_is_late_is_heard(store: Store, jobs: Documents) -> None:
    job = insert_job(jobs)

    async def test(feed: ChangeFeed) -> None:
        listener = await feed.listen()
        change(store, job, 1, seconds=7)
        assert await heard(listener) == (job.uuid, 1)

    run(test, store)


def test_one_poll_serves_all_listeners(store: Store, jobs: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    look = store.changes.since

    def counted(*given: Any) -> Any:
        nonlocal looks
        looks += 1
        return look(*given)

    monkeypatch.setattr(store.changes, "since", counted)

    async def test(feed: ChangeFeed) -> None:
        await asyncio.sleep(INTERVAL * 3)
        assert looks == 0
        listeners = [await feed.listen() for _ in range(20)]
        assert looks < 20
        assert len(lookers()) == 1
        for listener in listeners:
            feed.leave(listener)
        await until(lambda: feed._task is None)
        seen = looks
        await asyncio.sleep(INTERVAL * 4)
        assert looks == seen
        again = await feed.listen()
        await until(lambda: looks > seen + 1)
        feed.leave(again)

    run(test, store)


def test_only_a_slow_listener_is_ended(store: Store, jobs: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_feed, "_MOST_WAITING", 3)
    job = insert_job(jobs)

    async def test(feed: ChangeFeed) -> None:
        slow, quick = await feed.listen(), await feed.listen()
        for revision in range(1, 7):
            change(store, job, revision)
            assert await heard(quick) == (job.uuid, revision)
        assert slow.ended
        assert [(await heard(slow))[1] for _ in range(3)] == [1, 2, 3]
        assert await slow.next(PATIENCE) is None
        assert not quick.ended

    run(test, store)


def test_the_number_of_listeners_is_bounded(store: Store) -> None:
    async def test(feed: ChangeFeed) -> None:
        one, _two = await feed.listen(), await feed.listen()
        with pytest.raises(TooManyListeners):
            await feed.listen()
        feed.leave(one)
        assert not (await feed.listen()).ended

    run(test, store, most=2)


def test_a_forgotten_listener_frees_its_place(store: Store, jobs: Documents) -> None:
    """If a client goes away before its stream begins, `leave` is never called."""
    job = insert_job(jobs)

    async def test(feed: ChangeFeed) -> None:
        listener: Listener | None = await feed.listen()
        change(store, job, 1)
        assert listener is not None
        assert await heard(listener) == (job.uuid, 1)
        listener = None
        gc.collect()
        await until(lambda: feed._task is None)
        assert not (await feed.listen()).ended

    run(test, store, most=1)


def test_a_cancelled_listener_frees_its_place(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def slow(*_: Any) -> list[Any]:
        looking.set()
        assert go_on.wait(PATIENCE)
        return []

    monkeypatch.setattr(store.changes, "since", slow)

    async def test(feed: ChangeFeed) -> None:
        calling = asyncio.create_task(feed.listen())
        await until(looking.is_set)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        go_on.set()
        assert not (await feed.listen()).ended

    run(test, store, most=1)


@pytest.mark.parametrize("trouble", [Unavailable, RuntimeError])
def test_an_unreachable_database_is_logged_once_and_missed_changes_are_sent_afterwards(
    store: Store, jobs: Documents, monkeypatch: pytest.MonkeyPatch, trouble: type[Exception]
) -> None:
    told: list[str] = []
    monkeypatch.setattr(logger, "warning", lambda text, **_: told.append(text))
    monkeypatch.setattr(change_feed, "_BACK_SECONDS", 0)
    job = insert_job(jobs)
    looks = 0

    async def test(feed: ChangeFeed) -> None:
        nonlocal looks
        listener = await feed.listen()

        def away(*_: Any) -> Any:
            nonlocal looks
            looks += 1
            raise trouble

        with monkeypatch.context() as patch:
            patch.setattr(store.changes, "since", away)
            await until(lambda: looks >= 1)
            await asyncio.sleep(1.1)  # dates are whole seconds
            change(store, job, 1)
            seen = looks
            await until(lambda: looks > seen + 30)  # so that more has passed than a look back by itself would see
        assert await heard(listener) == (job.uuid, 1)
        assert told == ["the change feed cannot poll the database"]

    run(test, store)


def test_the_end_ends_all_and_waits_for_the_look(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looking, go_on = threading.Event(), threading.Event()
    over = False

    async def test(feed: ChangeFeed) -> None:
        waiting = await feed.listen()

        def slow(*_: Any) -> list[Any]:
            nonlocal over
            looking.set()
            assert go_on.wait(PATIENCE)
            over = True
            return []

        monkeypatch.setattr(store.changes, "since", slow)
        await until(looking.is_set)
        hearing: Awaitable[Any] = asyncio.create_task(waiting.next(PATIENCE))
        await asyncio.sleep(0)
        closing = asyncio.create_task(feed.close())
        assert await hearing is None  # at once, though the look is not over
        assert waiting.ended
        assert not closing.done()
        go_on.set()
        await closing
        assert over
        with pytest.raises(TooManyListeners):
            await feed.listen()

    run(test, store)


def test_the_memory_of_sent_changes_is_bounded(store: Store, jobs: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_feed, "_MOST_REMEMBERED", 5)

    async def test(feed: ChangeFeed) -> None:
        listener = await feed.listen()
        for _ in range(12):
            change(store, insert_job(jobs, updated=None), 1, seconds=-60)
        uuids = {(await heard(listener))[0] for _ in range(12)}
        assert len(uuids) == 12
        assert len(feed._sent) == 5

    run(test, store)


def test_a_waiter_hears_of_its_job_alone(store: Store, jobs: Documents) -> None:
    job, other = insert_job(jobs), insert_job(jobs)

    async def test(feed: ChangeFeed) -> None:
        async with feed.waiter(job.uuid) as waiter:
            change(store, other, 1)
            change(store, job, 2)
            found = await waiter.next(PATIENCE)
            assert found is not None
            assert (found["uuid"], found["revision"], found["state"]) == (job.uuid, 2, "CREATED")
            assert await waiter.next(INTERVAL * 6) is None
        assert feed.waiters.count == 0
        await until(lambda: feed._task is None)

    run(test, store)


def test_a_waiter_hears_of_its_job_also_when_too_many_jobs_change(
    store: Store, jobs: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_feed, "_MOST_CHANGES", 2)
    job = insert_job(jobs)
    others = [insert_job(jobs) for _ in range(5)]

    async def test(feed: ChangeFeed) -> None:
        async with feed.waiter(job.uuid) as waiter:
            for other in others:
                change(store, other, 1, seconds=-5)  # newer than the change of the job, and so many
            change(store, job, 1)
            found = await waiter.next(PATIENCE)
            assert found is not None
            assert (found["uuid"], found["revision"]) == (job.uuid, 1)

    run(test, store)


def test_a_state_that_changes_alone_is_told(store: Store, jobs: Documents) -> None:
    """Another program may change the state, and leave date and revision."""
    job = insert_job(jobs)

    async def test(feed: ChangeFeed) -> None:
        async with feed.waiter(job.uuid) as waiter:
            change(store, job, 1)
            assert await waiter.next(PATIENCE) is not None
            job.jobs.update_one({"uuid": job.uuid}, {"$set": {"state": "RUNNING"}})
            found = await waiter.next(PATIENCE)
            assert found is not None
            assert found["state"] == "RUNNING"

    run(test, store)


def test_waiters_and_listeners_have_places_of_their_own(store: Store) -> None:
    async def test(feed: ChangeFeed) -> None:
        listener = await feed.listen()
        async with feed.waiter("job"):
            with pytest.raises(TooManyListeners):
                await feed.listen()
            with pytest.raises(TooManyWaiters):
                async with feed.waiter("other"):
                    pass
        async with feed.waiter("other"):
            assert feed.waiters.count == 1
        feed.leave(listener)

    run(test, store, most=1, most_waiters=1)


def test_the_end_ends_waiters_and_later_ones_have_ended_already(store: Store) -> None:
    async def test(feed: ChangeFeed) -> None:
        async with feed.waiter("job") as waiter:
            waiting = asyncio.create_task(waiter.next(PATIENCE))
            await asyncio.sleep(0)
            await feed.close()
            assert await waiting is None
        async with feed.waiter("job") as late:
            assert await late.next(PATIENCE) is None
            assert late.ended

    run(test, store)


def test_a_cancelled_waiter_frees_its_place(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def slow(*_: Any) -> list[Any]:
        looking.set()
        assert go_on.wait(PATIENCE)
        return []

    monkeypatch.setattr(store.changes, "since", slow)

    async def test(feed: ChangeFeed) -> None:
        async def wait() -> None:
            async with feed.waiter("job"):
                pass

        calling = asyncio.create_task(wait())
        await until(looking.is_set)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        assert feed.waiters.count == 0
        go_on.set()

    run(test, store)
