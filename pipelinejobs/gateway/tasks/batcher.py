"""Events wait here to be judged in groups: what waits is read together, decided, and written together.

A group costs the database little more than one event alone, so the more wait, the less each of them costs. Of one job
there is never more than one event in the groups that are under way: a second one would only lose the race.
"""

import asyncio
import threading
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from time import monotonic
from typing import Final

from pipelinejobs.gateway.http.http_errors import Problem
from pipelinejobs.messages.event import Event
from pipelinejobs.service.attempt import Case, Handled
from pipelinejobs.service.manager import Manager
from pipelinejobs.util.deadline import Deadline

_LARGEST: Final = 64
"""Events in a group."""
_PATIENCE_SECONDS: Final = 0.05
"""How long a group may take before another is begun beside it."""
_CORE_SECONDS: Final = 0.00025
_LEAST_CORE_SECONDS: Final = 0.002
"""How long a core is busy with a group, for each of its events and at the least. One that takes longer has waited for
the disk of the database."""
_LONGEST_GATHERING_SECONDS: Final = 0.005
"""How long a group is waited for at the most, so that those who were answered together are in it together again."""
_GRACE_SECONDS: Final = 1.0
"""How much later than its deadline an event may be judged before its sender is told that nobody knows."""


class Groups:
    """A number of threads that judge what waits. Used from one event loop."""

    def __init__(self, manager: Manager, threads: int, waiting: int) -> None:
        """
        Args:
            threads: how many groups are judged at the same time, where one takes its time.
            waiting: how many events may be here; more are put off.
        """
        self._manager = manager
        self._most = waiting
        self.inside = 0
        """How many events are being judged or wait."""
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[_Turn]] = {}
        """By job, those of jobs that are in a group included."""
        self._ready: deque[str] = deque()
        """Jobs that have events waiting, and are in no group."""
        self._under_way = 0
        self._begun = 0.0
        self._wanted = 1
        """How many make a group that need not be waited for any longer: as many as there were a moment ago."""
        self._gathering = 0.0
        """How long they are waited for: not at all, unless the last group has waited for a disk. To that it matters how
        many groups there are, and not what is in them."""
        self._since = 0.0
        """When that began."""
        self._looking = 0
        """How many threads look every now and then whether the group that is under way takes too long."""
        self._closing = False
        self._threads = [threading.Thread(target=self._run, name=f"groups-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    async def judge(
        self, event: Event, execution: str, deadline: Deadline, *, is_new: bool = False, is_large: bool = False
    ) -> Handled:
        """What the manager says about an event; `is_new` and `is_large` as in `case.Case`.

        Raises:
            Problem: there is too much to do already, or it is not judged in time.
            WrongSetting: the database refuses our user.
        """
        if self.inside >= self._most:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at once (messages); nothing was done, try again"
            )
        loop = asyncio.get_running_loop()
        case = self._manager.case(event, execution, deadline.remaining(), is_new=is_new, is_large=is_large)
        turn = _Turn(case, loop)
        self.inside += 1
        late = loop.call_later(deadline.remaining() + _GRACE_SECONDS, turn.give_up)
        self._add(turn)
        try:
            return await turn.future
        finally:
            late.cancel()

    def close(self, seconds: float) -> None:
        """Ends the threads once they have judged what was accepted, or after so many seconds."""
        deadline = Deadline(seconds)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(deadline.remaining())

    def _add(self, turn: "_Turn") -> None:
        with self._changed:
            job = turn.case.event.job
            line = self._waiting.get(job)
            if line is not None:
                line.append(turn)
                return
            self._waiting[job] = deque([turn])
            self._make_ready(job)

    def _run(self) -> None:
        while group := self._next():
            began = monotonic()
            self._judge(group)
            self._settle(group, monotonic() - began)

    def _next(self) -> "list[_Turn]":
        """The next group, waited for; an empty one at the end."""
        with self._changed:
            while not self._may_begin():
                if self._closing and not self._waiting:
                    return []
                self._wait()
            self._under_way += 1
            self._begun = monotonic()
            if not self._looking:
                self._changed.notify()  # somebody has to look whether this one takes too long
            return [self._waiting[self._ready.popleft()][0] for _ in range(min(_LARGEST, len(self._ready)))]

    def _may_begin(self) -> bool:
        """Groups go one after another, since larger ones cost less; until one takes its time, or there is too much."""
        if not self._ready or len(self._ready) >= _LARGEST:
            return bool(self._ready)
        if self._under_way:
            return monotonic() - self._begun > _PATIENCE_SECONDS
        return len(self._ready) >= self._wanted or self._closing or monotonic() - self._since >= self._gathering

    def _wait(self) -> None:
        if self._under_way:
            self._looking += 1
            self._changed.wait(_PATIENCE_SECONDS)
            self._looking -= 1
        elif self._ready:
            self._changed.wait(max(0.0, self._since + self._gathering - monotonic()))
        else:
            self._changed.wait()

    def _judge(self, group: "list[_Turn]") -> None:
        try:
            self._manager.judge([turn.case for turn in group])
        except Exception as error:
            if len(group) == 1:
                group[0].error = error
                return
            for turn in group:  # one of them may be to blame, and must not take the others with it
                if turn.case.handled is None:
                    self._judge([turn])

    def _settle(self, group: "list[_Turn]", seconds: float) -> None:
        """Gives the answers of a group that took so long, and makes room for the next events of the same jobs."""
        done = [turn for turn in group if turn.case.handled is not None or turn.error is not None]
        again = [turn for turn in group if turn.case.handled is None and turn.error is None]
        with self._changed:
            self._under_way -= 1
            for turn in done:
                job = turn.case.event.job
                line = self._waiting[job]
                line.popleft()
                if line:
                    self._make_ready(job)
                else:
                    del self._waiting[job]
            has_waited = seconds > max(_LEAST_CORE_SECONDS, _CORE_SECONDS * len(group))
            self._gathering = min(_LONGEST_GATHERING_SECONDS, seconds) if has_waited else 0.0
            self._wanted, self._since = min(_LARGEST, len(group) + len(self._ready)), monotonic()
            if self._closing:
                self._changed.notify_all()
        with suppress(RuntimeError):  # the loop has ended, and with it everybody who waited
            if done:
                done[0].loop.call_soon_threadsafe(self._answer, done)
            for turn in again:
                pause, job = turn.case.pause(), turn.case.event.job
                turn.loop.call_soon_threadsafe(turn.loop.call_later, pause, self._again, job)

    def _again(self, job: str) -> None:
        with self._changed:
            self._make_ready(job)

    def _make_ready(self, job: str) -> None:
        self._ready.append(job)
        if len(self._ready) == 1:
            self._since = monotonic()
        if not self._under_way and len(self._ready) in (1, self._wanted):
            self._changed.notify()  # whoever is woken takes what has come by then

    def _answer(self, done: "list[_Turn]") -> None:
        for turn in done:
            self.inside -= 1
            turn.answer()


class _Turn:
    """An event that waits for its turn, and whoever waits for its answer."""

    def __init__(self, case: Case, loop: asyncio.AbstractEventLoop) -> None:
        self.case = case
        self.loop = loop
        self.future: asyncio.Future[Handled] = loop.create_future()
        self.error: Exception | None = None

    def answer(self) -> None:
        """Says what came of it, if anybody still waits."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        elif self.case.handled is not None:
            self.future.set_result(self.case.handled)

    def give_up(self) -> None:
        """Says that nobody knows."""
        if not self.future.done():
            reason = "not done in time; it cannot be known whether it will be"
            self.future.set_exception(Problem(HTTPStatus.SERVICE_UNAVAILABLE, reason))
