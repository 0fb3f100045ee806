"""The batcher: events that are pending at the same time are judged together, as a batch.

The events of a batch are read, decided and written together; a batch costs the database little more than one event.
The pending attempts of one job form a line. Only the first of a line is ever in a batch, because a second event of the
same job would lose the race for it. A job is *ready* if it has pending attempts and none of them is in a batch.

A batch begins (`_may_begin`) as soon as

- enough jobs are ready for a full batch (`_LARGEST`); or
- any job is ready, and the running batch is slow (`_SLOW_SECONDS`), so that the job should not wait for its end; or
- any job is ready, no batch is running, and either the *target size* is reached or the *linger* is over.

The target size is the number of events a moment ago: those of the batch before, and those that became ready meanwhile.
Senders answered in one batch tend to send again together, but their events arrive one by one.

The linger is the longest time to wait for the target size, counted from when the first job became ready. If the batch
before was limited by the processor, the linger is zero: waiting gains nothing. If it waited for the database's disk,
the linger is the duration of that batch, at most `_LONGEST_LINGER_SECONDS`: fewer batches mean fewer disk writes.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Final

from pipelinejobs.core.outcome import Outcome
from pipelinejobs.gateway.tasks.worker_pool import GRACE_SECONDS, too_many
from pipelinejobs.messages.event import Event
from pipelinejobs.service.attempt import Attempt
from pipelinejobs.service.judge import Judge
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import OutcomeUnknown

_LARGEST: Final = 64
"""Most events in a batch."""
_SLOW_SECONDS: Final = 0.05
"""How long a batch may take before another begins beside it."""
_CORE_SECONDS: Final = 0.00025
_LEAST_CORE_SECONDS: Final = 0.002
"""Processor time of a batch, for each of its events and at least. A batch that takes longer has waited for the disk of
the database."""
_LONGEST_LINGER_SECONDS: Final = 0.005
"""Longest time to wait for a batch to fill."""
_LATE: Final = "timed out; the event may or may not be applied - send it again with the same id"


class Batcher:
    """Threads that judge pending events in batches. Use it from one event loop."""

    def __init__(self, judge: Judge, threads: int, pending: int) -> None:
        """
        Args:
            judge: judges a batch.
            threads: most batches that are judged at the same time.
            pending: most events that may be judged or pending; further ones are refused as overload.
        """
        self._judge = judge
        self._most = pending
        self._answers: dict[Attempt, asyncio.Future[Outcome]] = {}
        """The answers that senders wait for. Changed only in the event loop."""
        self._closing = False

        self._changed = threading.Condition()
        """Guards all attributes below."""
        self._lines: dict[str, deque[Attempt]] = {}
        """The attempts of each job, in order; the first may be in a batch."""
        self._ready: deque[str] = deque()
        """Jobs whose first attempt is neither in a batch nor pausing before its next round."""
        self._running = 0
        """How many batches are being judged."""
        self._last_began = 0.0
        """Monotonic time at which the newest running batch began."""
        self._watching = 0
        """How many threads check regularly whether the newest batch has become slow."""
        self._target_size = 1
        self._linger = 0.0
        self._linger_began = 0.0
        self._threads = [threading.Thread(target=self._run, name=f"batcher-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def inside(self) -> int:
        """How many events are being judged or pending."""
        return len(self._answers)

    async def judge(
        self, event: Event, execution: str, deadline: Deadline, *, is_new: bool = False, is_large: bool = False
    ) -> Outcome:
        """Judges an event; waits for its outcome.

        Args:
            event: the event.
            execution: the id of its execution.
            deadline: when the sender gives up.
            is_new, is_large: see `Attempt`.

        Raises:
            Overloaded: too many events are pending.
            OutcomeUnknown: the event was not judged before the deadline.
            WrongSetting: the database refuses the gateway's user.
        """
        if self.inside >= self._most:
            raise too_many("messages")
        loop = asyncio.get_running_loop()
        attempt = self._judge.attempt(event, execution, deadline.remaining(), is_new=is_new, is_large=is_large)
        answer: asyncio.Future[Outcome] = loop.create_future()
        self._answers[attempt] = answer
        late = loop.call_later(deadline.remaining() + GRACE_SECONDS, _give_up, answer)
        self._add(attempt)
        try:
            return await answer
        finally:
            late.cancel()

    def close(self, seconds: float) -> None:
        """Ends the threads once all accepted events are judged, or after `seconds`."""
        deadline = Deadline(seconds)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(deadline.remaining())

    def _add(self, attempt: Attempt) -> None:
        with self._changed:
            job = attempt.event.job
            line = self._lines.get(job)
            if line is not None:
                line.append(attempt)
                return
            self._lines[job] = deque([attempt])
            self._make_ready(job)

    def _make_ready(self, job: str) -> None:
        self._ready.append(job)
        if len(self._ready) == 1:
            self._linger_began = monotonic()
        if not self._running and len(self._ready) in (1, self._target_size):
            self._changed.notify()  # the woken thread takes all jobs that are ready by then

    def _run(self) -> None:
        while batch := self._next():
            began = monotonic()
            self._judge_batch(batch)
            self._ended(batch, monotonic() - began)

    def _next(self) -> list[Attempt]:
        """Waits for the next batch. An empty batch means the end."""
        with self._changed:
            while not self._may_begin():
                if self._closing and not self._lines:
                    return []
                self._wait()
            self._running += 1
            self._last_began = monotonic()
            if not self._watching:
                self._changed.notify()  # another thread has to check whether this batch becomes slow
            return [self._lines[self._ready.popleft()][0] for _ in range(min(_LARGEST, len(self._ready)))]

    def _may_begin(self) -> bool:
        if not self._ready or len(self._ready) >= _LARGEST:
            return bool(self._ready)
        if self._running:
            return monotonic() - self._last_began > _SLOW_SECONDS
        is_complete = len(self._ready) >= self._target_size or self._closing
        return is_complete or monotonic() - self._linger_began >= self._linger

    def _wait(self) -> None:
        """Waits until a batch may begin, or until that has to be checked again."""
        if self._running:
            self._watching += 1
            self._changed.wait(_SLOW_SECONDS)
            self._watching -= 1
        elif self._ready:
            self._changed.wait(max(0.0, self._linger_began + self._linger - monotonic()))
        else:
            self._changed.wait()

    def _judge_batch(self, batch: Sequence[Attempt]) -> None:
        try:
            self._judge.judge(batch)
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            for attempt in batch:  # judged one by one: only the one that causes the error fails
                if attempt.outcome is None:
                    self._judge_batch([attempt])

    def _ended(self, batch: Sequence[Attempt], seconds: float) -> None:
        """Answers finished attempts, and makes the next attempts of their jobs ready.

        An attempt without an outcome stays the first of its line, and its job is ready again after a pause.

        Args:
            seconds: how long the batch took.
        """
        done = [attempt for attempt in batch if attempt.outcome is not None or attempt.error is not None]
        with self._changed:
            self._running -= 1
            for attempt in done:
                self._leave_line(attempt.event.job)
            waited_for_disk = seconds > max(_LEAST_CORE_SECONDS, _CORE_SECONDS * len(batch))
            self._linger = min(_LONGEST_LINGER_SECONDS, seconds) if waited_for_disk else 0.0
            self._linger_began = monotonic()
            self._target_size = min(_LARGEST, len(batch) + len(self._ready))
            if self._closing:
                self._changed.notify_all()
        loop = self._answers[batch[0]].get_loop()
        with suppress(RuntimeError):  # the event loop has ended, so no sender waits any more
            if done:
                loop.call_soon_threadsafe(self._answer, done)
            for attempt in batch:
                if attempt.outcome is None and attempt.error is None:
                    loop.call_soon_threadsafe(loop.call_later, attempt.pause(), self._again, attempt.event.job)

    def _leave_line(self, job: str) -> None:
        line = self._lines[job]
        line.popleft()
        if line:
            self._make_ready(job)
        else:
            del self._lines[job]

    def _again(self, job: str) -> None:
        with self._changed:
            self._make_ready(job)

    def _answer(self, done: Sequence[Attempt]) -> None:
        for attempt in done:
            answer = self._answers.pop(attempt)
            if answer.done():  # the sender no longer waits
                continue
            if attempt.outcome is not None:
                answer.set_result(attempt.outcome)
            elif attempt.error is not None:
                answer.set_exception(attempt.error)


def _give_up(answer: "asyncio.Future[Outcome]") -> None:
    if not answer.done():
        answer.set_exception(OutcomeUnknown(_LATE))
