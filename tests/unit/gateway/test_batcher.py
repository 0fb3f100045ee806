"""Pending events are judged in batches, one event of a job at a time, and each sender gets its own answer."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from pipelinejobs.core import outcome
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.gateway.tasks.batcher import Batcher
from pipelinejobs.messages.event import Event
from pipelinejobs.service.attempt import Attempt
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import OutcomeUnknown, Overloaded
from support.factories import a_command


class Judge:
    """A judge that applies all events once the test lets it, and records the batches."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.batches: list[list[str]] = []
        self.misses: dict[str, int] = {}
        self.broken: set[str] = set()
        self.under_way: set[str] = set()
        self.together: list[str] = []

    def attempt(
        self,
        event: Event,
        execution: str,
        seconds: float | None = None,
        *,
        is_new: bool = False,
        is_large: bool = False,
    ) -> Attempt:
        return Attempt(event, execution, Deadline(seconds or 10))

    def judge(self, attempts: Sequence[Attempt]) -> None:
        jobs = [attempt.event.job for attempt in attempts]
        self.batches.append([attempt.event.id for attempt in attempts])
        self.together += [job for job in jobs if job in self.under_way or jobs.count(job) > 1]
        self.under_way |= set(jobs)
        self.goes_on.wait(20)
        self.under_way -= set(jobs)
        for attempt in attempts:
            attempt.rounds += 1
            if attempt.event.id in self.broken:
                raise RuntimeError(attempt.event.id)
            if self.misses.get(attempt.event.id, 0) >= attempt.rounds:
                continue
            attempt.outcome = outcome.about(attempt.event, attempt.execution, Verdict.APPLIED, attempt.event.id)


def event(job: int, number: int = 0) -> Event:
    return a_command("update", job=f"job-{job}", id=f"{job}.{number}")


@contextmanager
def batches(judge: Judge, threads: int = 1, waiting: int = 100) -> Iterator[Batcher]:
    running = Batcher(judge, threads, waiting)  # type: ignore[arg-type]  # it has what is needed of a judge
    yield running
    judge.goes_on.set()
    running.close(10)


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 20))


async def judged(running: Batcher, one: Event, seconds: float = 10) -> str:
    came = await running.judge(one, "e", Deadline(seconds))
    return came.reason


async def until(true: Any) -> None:
    while not true():
        await asyncio.sleep(0.01)


def test_pending_events_are_judged_as_one_batch() -> None:
    async def main() -> None:
        judge = Judge()
        judge.goes_on.clear()
        with batches(judge) as running:
            first = asyncio.create_task(judged(running, event(0)))
            await until(lambda: judge.batches)
            others = [asyncio.create_task(judged(running, event(job))) for job in range(1, 10)]
            await until(lambda: running.inside == 10)
            judge.goes_on.set()
            assert await asyncio.gather(first, *others) == [f"{job}.0" for job in range(10)]
            assert judge.batches == [["0.0"], [f"{job}.0" for job in range(1, 10)]]
            assert running.inside == 0

    run(main())


class Disk(Judge):
    """A judge that is slow for each batch, as if it waited for a disk."""

    def judge(self, attempts: Sequence[Attempt]) -> None:
        time.sleep(0.3)
        super().judge(attempts)


class Clock(Judge):
    """A judge that takes 0.3 s for each batch, on a clock of its own."""

    now = 0.0

    def judge(self, attempts: Sequence[Attempt]) -> None:
        self.now += 0.3
        super().judge(attempts)


def test_senders_answered_in_one_batch_share_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a slow disk, few batches matter; and the senders' next events arrive one by one."""
    clock = Clock()
    clock.goes_on.clear()
    monkeypatch.setattr("pipelinejobs.gateway.tasks.batcher._LONGEST_LINGER_SECONDS", 20)
    monkeypatch.setattr("pipelinejobs.gateway.tasks.batcher.monotonic", lambda: clock.now)

    async def main() -> None:
        with batches(clock) as running:

            async def sender(job: int) -> None:
                for number in range(6):
                    await asyncio.sleep(0.002 * job)
                    await judged(running, event(job, number))

            first = asyncio.create_task(sender(0))
            await until(lambda: clock.batches)
            others = [asyncio.create_task(sender(job)) for job in range(1, 5)]
            await until(lambda: running.inside == 5)
            clock.goes_on.set()
            await first
            await until(lambda: running.inside == 4 and len(clock.batches) == 6)
            clock.now += 1  # until then the four wait for the first sender, which does not come again
            await asyncio.gather(*others)
        sizes = [len(batch) for batch in clock.batches]
        assert sizes == [1, 5, 5, 5, 5, 5, 4]  # the first batch begins before the other events arrive

    run(main())


def test_senders_that_stay_away_delay_a_batch_only_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelinejobs.gateway.tasks.batcher._LONGEST_LINGER_SECONDS", 0.1)

    async def main() -> None:
        judge = Disk()
        with batches(judge) as running:
            for number in range(2):
                await asyncio.gather(*(judged(running, event(job, number)) for job in range(5)))
            assert await judged(running, event(0, 9), seconds=5) == "0.9"
        assert judge.batches[-1] == ["0.9"]

    run(main())


@pytest.mark.parametrize("threads", [1, 4])
def test_events_of_one_job_are_judged_one_at_a_time_in_order(threads: int) -> None:
    async def main() -> None:
        judge = Judge()
        with batches(judge, threads) as running:
            events = [event(job, number) for number in range(30) for job in range(3)]
            assert await asyncio.gather(*(judged(running, one) for one in events)) == [one.id for one in events]
        assert judge.together == []
        order = [one for batch in judge.batches for one in batch if one.startswith("1.")]
        assert order == [f"1.{number}" for number in range(30)]

    run(main())


def test_a_full_batch_leaves_the_rest_to_the_next_thread() -> None:
    async def main() -> None:
        judge = Judge()
        judge.goes_on.clear()
        with batches(judge, 2, 1000) as running:
            tasks = [asyncio.create_task(judged(running, event(job))) for job in range(150)]
            await until(lambda: len(judge.batches) == 2)
            assert max(map(len, judge.batches)) <= 64
            judge.goes_on.set()
            assert len(await asyncio.gather(*tasks)) == 150
        assert sum(map(len, judge.batches)) == 150

    run(main())


def test_an_attempt_that_lost_a_race_stays_first_of_its_job() -> None:
    async def main() -> None:
        judge = Judge()
        judge.misses = {"0.0": 3}
        with batches(judge, 2) as running:
            told = await asyncio.gather(*(judged(running, event(0, number)) for number in range(3)))
            assert told == ["0.0", "0.1", "0.2"]
        assert [one for batch in judge.batches for one in batch] == ["0.0"] * 4 + ["0.1", "0.2"]

    run(main())


def test_an_event_that_raises_does_not_fail_its_batch() -> None:
    async def main() -> None:
        judge = Judge()
        judge.broken = {"2.0"}
        judge.goes_on.clear()
        with batches(judge) as running:
            tasks = [asyncio.create_task(judged(running, event(job))) for job in range(5)]
            await until(lambda: running.inside == 5)
            judge.goes_on.set()
            told = await asyncio.gather(*tasks, return_exceptions=True)
            assert [one for one in told if isinstance(one, str)] == ["0.0", "1.0", "3.0", "4.0"]
            assert isinstance(told[2], RuntimeError)
            assert await judged(running, event(2, 1)) == "2.1"
            assert running.inside == 0

    run(main())


@pytest.mark.promise("P10")
def test_the_queue_is_bounded() -> None:
    async def main() -> None:
        judge = Judge()
        judge.goes_on.clear()
        with batches(judge, waiting=3) as running:
            tasks = [asyncio.create_task(judged(running, event(0, number))) for number in range(3)]
            await until(lambda: running.inside == 3)
            with pytest.raises(Overloaded, match="too many"):
                await judged(running, event(1))
            judge.goes_on.set()
            assert len(await asyncio.gather(*tasks)) == 3

    run(main())


@pytest.mark.promise("P10")
def test_a_sender_waits_no_longer_than_its_deadline() -> None:
    async def main() -> None:
        judge = Judge()
        judge.goes_on.clear()
        with batches(judge) as running:
            with pytest.raises(OutcomeUnknown, match="may or may not be applied"):
                await judged(running, event(0), -0.9)
            assert running.inside == 1  # the thread is still at it
            judge.goes_on.set()
            await until(lambda: running.inside == 0)

    run(main())


def test_closing_judges_accepted_events() -> None:
    async def main() -> None:
        judge = Judge()
        judge.misses = {"0.0": 2}
        with batches(judge, 2) as running:
            tasks = [asyncio.create_task(judged(running, event(job % 3, job))) for job in range(12)]
            await asyncio.sleep(0)
            closing = asyncio.create_task(asyncio.to_thread(running.close, 10))
            assert len(await asyncio.gather(*tasks)) == 12
            await closing
        assert not any(thread.is_alive() for thread in running._threads)

    run(main())


def test_a_slow_batch_does_not_delay_others() -> None:
    async def main() -> None:
        judge = Judge()
        judge.goes_on.clear()
        with batches(judge, 2) as running:
            slow = asyncio.create_task(judged(running, event(0)))
            await until(lambda: judge.batches)
            quick = asyncio.create_task(judged(running, event(1)))
            await until(lambda: len(judge.batches) == 2)
            assert judge.batches == [["0.0"], ["1.0"]]
            judge.goes_on.set()
            assert [await slow, await quick] == ["0.0", "1.0"]

    run(main())


def test_an_ended_event_loop_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    judge = Judge()
    judge.goes_on.clear()
    running = Batcher(judge, 1, 10)  # type: ignore[arg-type]  # as above

    async def main() -> None:
        asyncio.create_task(judged(running, event(0)))  # noqa: RUF006 - it is left behind on purpose
        await until(lambda: judge.batches)

    asyncio.run(main())
    judge.goes_on.set()
    running.close(10)
    assert not any(thread.is_alive() for thread in running._threads)
    assert capsys.readouterr().err == ""
