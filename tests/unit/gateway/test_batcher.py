"""Events are judged in groups: what waits goes together, of one job one at a time, and each gets its own answer."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from pipelinejobs.core import outcome
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.gateway.http.http_errors import Problem
from pipelinejobs.gateway.tasks.batcher import Groups
from pipelinejobs.messages.event import Event
from pipelinejobs.service.attempt import Case, Handled
from pipelinejobs.util.deadline import Deadline
from support.factories import a_command


class Judge:
    """Stands for the manager: applies everything, once it is let go on, and remembers the groups."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.groups: list[list[str]] = []
        self.misses: dict[str, int] = {}
        self.broken: set[str] = set()
        self.under_way: set[str] = set()
        self.together: list[str] = []

    def case(
        self,
        event: Event,
        execution: str,
        seconds: float | None = None,
        *,
        is_new: bool = False,
        is_large: bool = False,
    ) -> Case:
        return Case(event, execution, Deadline(seconds or 10))

    def judge(self, cases: Sequence[Case]) -> None:
        jobs = [case.event.job for case in cases]
        self.groups.append([case.event.id for case in cases])
        self.together += [job for job in jobs if job in self.under_way or jobs.count(job) > 1]
        self.under_way |= set(jobs)
        self.goes_on.wait(20)
        self.under_way -= set(jobs)
        for case in cases:
            case.rounds += 1
            if case.event.id in self.broken:
                raise RuntimeError(case.event.id)
            if self.misses.get(case.event.id, 0) >= case.rounds:
                continue
            given = outcome.about(case.event, case.execution, Verdict.APPLIED, case.event.id)
            case.handled = Handled(answer=given, event=case.event)


def event(job: int, number: int = 0) -> Event:
    return a_command("update", job=f"job-{job}", id=f"{job}.{number}")


@contextmanager
def groups(judge: Judge, threads: int = 1, waiting: int = 100) -> Iterator[Groups]:
    running = Groups(judge, threads, waiting)  # type: ignore[arg-type]  # it has what is needed of a manager
    yield running
    judge.goes_on.set()
    running.close(10)


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 20))


async def judged(running: Groups, one: Event, seconds: float = 10) -> str:
    handled = await running.judge(one, "e", Deadline(seconds))
    return handled.answer.reason


async def until(true: Any) -> None:
    while not true():
        await asyncio.sleep(0.01)


def test_what_waits_goes_together() -> None:
    async def main() -> None:
        judge = Judge()
        judge.goes_on.clear()
        with groups(judge) as running:
            first = asyncio.create_task(judged(running, event(0)))
            await until(lambda: judge.groups)
            others = [asyncio.create_task(judged(running, event(job))) for job in range(1, 10)]
            await until(lambda: running.inside == 10)
            judge.goes_on.set()
            assert await asyncio.gather(first, *others) == [f"{job}.0" for job in range(10)]
            assert judge.groups == [["0.0"], [f"{job}.0" for job in range(1, 10)]]
            assert running.inside == 0

    run(main())


class Disk(Judge):
    """Takes its time for every group, as one that waits for a disk does."""

    def judge(self, cases: Sequence[Case]) -> None:
        time.sleep(0.3)
        super().judge(cases)


class Clock(Judge):
    """Takes 0.3 s for every group, on a clock that nothing else moves."""

    now = 0.0

    def judge(self, cases: Sequence[Case]) -> None:
        self.now += 0.3
        super().judge(cases)


def test_who_was_answered_together_goes_together_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """To a disk it matters how many groups there are; and senders come again one by one."""
    clock = Clock()
    clock.goes_on.clear()
    monkeypatch.setattr("pipelinejobs.gateway.tasks.batcher._LONGEST_GATHERING_SECONDS", 20)
    monkeypatch.setattr("pipelinejobs.gateway.tasks.batcher.monotonic", lambda: clock.now)

    async def main() -> None:
        with groups(clock) as running:

            async def sender(job: int) -> None:
                for number in range(6):
                    await asyncio.sleep(0.002 * job)
                    await judged(running, event(job, number))

            first = asyncio.create_task(sender(0))
            await until(lambda: clock.groups)
            others = [asyncio.create_task(sender(job)) for job in range(1, 5)]
            await until(lambda: running.inside == 5)
            clock.goes_on.set()
            await first
            await until(lambda: running.inside == 4 and len(clock.groups) == 6)
            clock.now += 1  # until then the four wait for the first sender, which does not come again
            await asyncio.gather(*others)
        sizes = [len(group) for group in clock.groups]
        assert sizes == [1, 5, 5, 5, 5, 5, 4]  # at first nobody knew that there are more

    run(main())


def test_who_does_not_come_again_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelinejobs.gateway.tasks.batcher._LONGEST_GATHERING_SECONDS", 0.1)

    async def main() -> None:
        judge = Disk()
        with groups(judge) as running:
            for number in range(2):
                await asyncio.gather(*(judged(running, event(job, number)) for job in range(5)))
            assert await judged(running, event(0, 9), seconds=5) == "0.9"
        assert judge.groups[-1] == ["0.9"]

    run(main())


@pytest.mark.parametrize("threads", [1, 4])
def test_of_one_job_one_at_a_time_and_in_order(threads: int) -> None:
    async def main() -> None:
        judge = Judge()
        with groups(judge, threads) as running:
            events = [event(job, number) for number in range(30) for job in range(3)]
            assert await asyncio.gather(*(judged(running, one) for one in events)) == [one.id for one in events]
        assert judge.together == []
        order = [one for group in judge.groups for one in group if one.startswith("1.")]
        assert order == [f"1.{number}" for number in range(30)]

    run(main())


def test_a_group_has_an_end_and_the_next_thread_takes_the_rest() -> None:
    async def main() -> None:
        judge = Judge()
        judge.goes_on.clear()
        with groups(judge, 2, 1000) as running:
            tasks = [asyncio.create_task(judged(running, event(job))) for job in range(150)]
            await until(lambda: len(judge.groups) == 2)
            assert max(map(len, judge.groups)) <= 64
            judge.goes_on.set()
            assert len(await asyncio.gather(*tasks)) == 150
        assert sum(map(len, judge.groups)) == 150

    run(main())


def test_who_lost_a_race_is_judged_again_before_what_came_later() -> None:
    async def main() -> None:
        judge = Judge()
        judge.misses = {"0.0": 3}
        with groups(judge, 2) as running:
            told = await asyncio.gather(*(judged(running, event(0, number)) for number in range(3)))
            assert told == ["0.0", "0.1", "0.2"]
        assert [one for group in judge.groups for one in group] == ["0.0"] * 4 + ["0.1", "0.2"]

    run(main())


def test_one_that_cannot_be_judged_does_not_take_others_with_it() -> None:
    async def main() -> None:
        judge = Judge()
        judge.broken = {"2.0"}
        judge.goes_on.clear()
        with groups(judge) as running:
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
def test_there_is_an_end_to_what_may_wait() -> None:
    async def main() -> None:
        judge = Judge()
        judge.goes_on.clear()
        with groups(judge, waiting=3) as running:
            tasks = [asyncio.create_task(judged(running, event(0, number))) for number in range(3)]
            await until(lambda: running.inside == 3)
            with pytest.raises(Problem, match="too many") as put_off:
                await judged(running, event(1))
            assert put_off.value.headers["Retry-After"] == "1"
            judge.goes_on.set()
            assert len(await asyncio.gather(*tasks)) == 3

    run(main())


@pytest.mark.promise("P10")
def test_nobody_waits_longer_than_it_may_take() -> None:
    async def main() -> None:
        judge = Judge()
        judge.goes_on.clear()
        with groups(judge) as running:
            with pytest.raises(Problem, match="it cannot be known"):
                await judged(running, event(0), -0.9)
            assert running.inside == 1  # the thread is still at it
            judge.goes_on.set()
            await until(lambda: running.inside == 0)

    run(main())


def test_at_the_end_what_was_accepted_is_judged() -> None:
    async def main() -> None:
        judge = Judge()
        judge.misses = {"0.0": 2}
        with groups(judge, 2) as running:
            tasks = [asyncio.create_task(judged(running, event(job % 3, job))) for job in range(12)]
            await asyncio.sleep(0)
            closing = asyncio.create_task(asyncio.to_thread(running.close, 10))
            assert len(await asyncio.gather(*tasks)) == 12
            await closing
        assert not any(thread.is_alive() for thread in running._threads)

    run(main())


def test_a_group_that_takes_its_time_does_not_hold_up_the_others() -> None:
    async def main() -> None:
        judge = Judge()
        judge.goes_on.clear()
        with groups(judge, 2) as running:
            slow = asyncio.create_task(judged(running, event(0)))
            await until(lambda: judge.groups)
            quick = asyncio.create_task(judged(running, event(1)))
            await until(lambda: len(judge.groups) == 2)
            assert judge.groups == [["0.0"], ["1.0"]]
            judge.goes_on.set()
            assert [await slow, await quick] == ["0.0", "1.0"]

    run(main())


def test_where_nobody_waits_any_more_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    judge = Judge()
    judge.goes_on.clear()
    running = Groups(judge, 1, 10)  # type: ignore[arg-type]  # as above

    async def main() -> None:
        asyncio.create_task(judged(running, event(0)))  # noqa: RUF006 - it is left behind on purpose
        await until(lambda: judge.groups)

    asyncio.run(main())
    judge.goes_on.set()
    running.close(10)
    assert not any(thread.is_alive() for thread in running._threads)
    assert capsys.readouterr().err == ""
