"""The batcher: events that are pending at the same time are judged together, as a batch.

A batch is read together, decided and written together, and costs the database little more than one event alone. The
attempts pending for one job stand in a line, and only the first of a line is ever in a batch: a second event of the
same job would only lose the race for it. A job is *ready* when it has pending attempts and none of them is in a batch.

When a batch begins (`_may_begin`): as soon as any job is ready and

- a full batch is (`_LARGEST`); or
- a batch is running, but has been for so long (`_SLOW_SECONDS`) that the others should not wait for its end; or
- none is running, and either as many jobs are ready as the *target size* says, or the *linger* is over.

The target size is how many events there were a moment ago: those of the batch before, and those that became ready
meanwhile. Senders answered in one batch tend to send again together, and come one by one.

The linger is how long a batch is waited for that has not reached the target size, counted from when its first job
became ready. It is zero while the processor is the limit: an event that waits then gains nothing. It is as long as the
batch before took, and at most `_LONGEST_LINGER_SECONDS`, if that batch has waited for the disk of the database: to a
disk it matters how many batches there are, and not what is in them.
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
"""Events in a batch."""
_SLOW_SECONDS: Final = 0.05
"""How long a batch may take before another is begun beside it."""
_CORE_SECONDS: Final = 0.00025
_LEAST_CORE_SECONDS: Final = 0.002
"""How long a core is busy with a batch, for each of its events and at the least. A batch that takes longer has waited
for the disk of the database."""
_LONGEST_LINGER_SECONDS: Final = 0.005
"""Longest time to wait for a batch to fill."""
_LATE: Final = "timed out; the event may or may not be applied - send it again with the same id"


class Batcher:
    """A number of threads that judge what is pending. Used from one event loop."""

    def __init__(self, judge: Judge, threads: int, pending: int) -> None:
        """
        Args:
            threads: how many batches are judged at the same time, where one takes its time.
            pending: how many events may be here; more are put off.
        """
        self._judge = judge
        self._most = pending
        self._answers: dict[Attempt, asyncio.Future[Outcome]] = {}
        """What senders wait for; changed in the event loop alone."""
        self._closing = False

        self._changed = threading.Condition()
        """Guards all that follows."""
        self._lines: dict[str, deque[Attempt]] = {}
        """The attempts of each job, in their order; the first may be in a batch."""
        self._ready: deque[str] = deque()
        """Jobs with pending attempts, none of which is in a batch or pauses before its next round."""
        self._running = 0
        """How many batches are being judged."""
        self._last_began = 0.0
        """When the newest of them began."""
        self._watching = 0
        """How many threads look now and then whether the newest batch has become slow."""
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
        """The outcome of an event; `is_new` and `is_large` as in `Attempt`.

        Raises:
            Overloaded: there is too much to do already.
            OutcomeUnknown: it is not judged in time.
            WrongSetting: the database refuses our user.
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
        """Ends the threads once they have judged what was accepted, or after so many seconds."""
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
            self._changed.notify()  # the thread that wakes takes all that is ready by then

    def _run(self) -> None:
        while batch := self._next():
            began = monotonic()
            self._judge_batch(batch)
            self._ended(batch, monotonic() - began)

    def _next(self) -> list[Attempt]:
        """The next batch, waited for; an empty one at the end."""
        with self._changed:
            while not self._may_begin():
                if self._closing and not self._lines:
                    return []
                self._wait()
            self._running += 1
            self._last_began = monotonic()
            if not self._watching:
                self._changed.notify()  # another thread has to look whether this batch becomes slow
            return [self._lines[self._ready.popleft()][0] for _ in range(min(_LARGEST, len(self._ready)))]

    def _may_begin(self) -> bool:
        if not self._ready or len(self._ready) >= _LARGEST:
            return bool(self._ready)
        if self._running:
            return monotonic() - self._last_began > _SLOW_SECONDS
        is_complete = len(self._ready) >= self._target_size or self._closing
        return is_complete or monotonic() - self._linger_began >= self._linger

    def _wait(self) -> None:
        """Waits until a batch may begin, or something changes on which that depends."""
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
            for attempt in batch:  # one of them may be to blame, and must not take the others with it
                if attempt.outcome is None:
                    self._judge_batch([attempt])

    def _ended(self, batch: Sequence[Attempt], seconds: float) -> None:
        """Answers what is done, and makes ready what may be in the next batch.

        An attempt that has no outcome yet stays the first of its line, and is ready again after its pause.

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
        with suppress(RuntimeError):  # the loop has ended, and with it all senders who waited
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
            if answer.done():  # its sender waits no more
                continue
            if attempt.outcome is not None:
                answer.set_result(attempt.outcome)
            elif attempt.error is not None:
                answer.set_exception(attempt.error)


def _give_up(answer: "asyncio.Future[Outcome]") -> None:
    if not answer.done():
        answer.set_exception(OutcomeUnknown(_LATE))
