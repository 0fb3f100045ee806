"""Sends the jobs' outbox messages to the Indexer: lease, send, retry, and mark as failed after the last attempt.

The messages are stored in the job documents (`store.outbox`), written together with their events. Each is delivered at
least once, always with the same key, by the run whose event made it, a later run, a gateway or `drain`.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple

from pipelinejobs.actors import Actor
from pipelinejobs.store import DocumentFull, Store, within
from pipelinejobs.store.outbox import FAILED, PENDING, Leased, OutboxMessage
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable, Undelivered
from pipelinejobs.util.log import logger

_DATABASE_SECONDS: Final = 5.0
_MARGIN: Final = 2.0
"""Seconds by which a lease is longer than sending may take, and that a run reserves for the database at its end."""
_QUICK_TRIES: Final = 3


class SendAttempt(NamedTuple):
    """One attempt to send one message, for the progress display.

    Attributes:
        delivered: whether the message reached the Indexer.
        line: the result, as one line that names the job.
    """

    delivered: bool
    line: str


def silent(attempt: SendAttempt) -> None:
    """Shows nothing: for a process without a progress display."""


class Tally:
    """The result of a round of sending.

    Attributes:
        sent: the number of delivered messages.
        failed: the number of failed attempts.
        waiting: the number of messages on which another process has a lease.
        wait: seconds until the first of the failed messages is due again; None if none will be.
    """

    __slots__ = ("failed", "sent", "wait", "waiting")

    def __init__(self) -> None:
        self.sent = 0
        self.failed = 0
        self.waiting = 0
        self.wait: float | None = None


class _DatabaseClock:
    """The database's time: read once, then continued by the monotonic clock."""

    def __init__(self, asked: datetime) -> None:
        self._asked = asked
        self._began = time.monotonic()

    def now(self) -> datetime:
        """The database's time now."""
        return self._asked + timedelta(seconds=time.monotonic() - self._began)


class OutboxRelay:
    """Sends outbox messages to the Indexer."""

    def __init__(
        self,
        store: Store,
        indexer: Actor | None,
        backoff: Backoff,
        *,
        seconds: float = 10.0,
        progress: Callable[[SendAttempt], None] = silent,
    ) -> None:
        """
        Args:
            store: where the messages are.
            indexer: sends to the Indexer; None if no setting says how to reach it. Messages then stay pending.
            backoff: how often and after which waits a message is sent again.
            seconds: the most seconds for one attempt, and for all quick attempts of one run together.
            progress: called after each attempt.
        """
        self._rows = store.outbox
        self._indexer = indexer
        self._backoff = backoff
        self._seconds = seconds
        self._progress = progress

    @property
    def can_send(self) -> bool:
        """Whether a setting says how to reach the Indexer."""
        return self._indexer is not None

    def send_own(self, job: str, deadline: Deadline) -> bool:
        """Sends one job's messages, with up to three quick attempts.

        Args:
            job: the job's uuid.
            deadline: when this has to be over; it takes at most the `seconds` of the constructor.

        Returns:
            False if a message could not be delivered, so that trying others now is useless.

        Raises:
            Unavailable: the database cannot be asked; unsent messages stay pending.
        """
        limit = self._limit(deadline)
        for _ in range(_QUICK_TRIES):
            tally = self._send_due(job, None, limit)
            if not tally.failed:
                return True
            if tally.wait is None or tally.wait >= limit.remaining():
                break
            time.sleep(tally.wait)
        return False

    def send_overdue(self, most: int, deadline: Deadline) -> None:
        """Sends the `most` longest overdue messages of all jobs, one attempt each.

        Raises:
            Unavailable: the database cannot be asked.
        """
        self._send_due(None, most, self._limit(deadline))

    def drain(self, deadline: Deadline) -> Tally:
        """Tries to send every pending and failed message once, and waits for leases of other processes to end.

        Returns:
            The result; `waiting` counts the messages on which others still have leases at the deadline.

        Raises:
            Unavailable: the database cannot be asked.
        """
        total = Tally()
        tried: set[str] = set()
        while not deadline.passed() and self._indexer is not None:
            now = self._rows.now()
            clock = _DatabaseClock(now)
            leases = []
            for owed in list(self._rows.rows(statuses=(PENDING, FAILED))):
                if owed.is_held(now):
                    leases.append((owed.next - now).total_seconds())
                elif owed.key not in tried and not deadline.passed():
                    tried.add(owed.key)
                    self._send(owed, clock, deadline, total)
            total.waiting = len(leases)
            if not leases:
                break
            time.sleep(min(min(leases) + 0.1, deadline.remaining()))
        return total

    def due(self, most: int) -> list[OutboxMessage]:
        """The `most` longest due messages of all jobs.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with within(_DATABASE_SECONDS):
            return list(islice(self._rows.rows(due=self._rows.now()), most))

    def attempt(self, owed: OutboxMessage, seconds: float | None = None) -> Tally:
        """Makes one attempt to send one message, unless another process has a lease on it.

        Args:
            owed: the message.
            seconds: the most seconds for it; by default those of the constructor.

        Raises:
            Unavailable: the database cannot be asked, or the result cannot be stored.
        """
        tally = Tally()
        with within(_DATABASE_SECONDS):
            clock = _DatabaseClock(self._rows.now())
        self._send(owed, clock, Deadline(self._seconds if seconds is None else seconds), tally)
        return tally

    def _limit(self, deadline: Deadline) -> Deadline:
        """When sending ends: after `seconds`, but early enough before `deadline` to store the result."""
        return Deadline(min(self._seconds, deadline.remaining() - _MARGIN))

    def _send_due(self, job: str | None, most: int | None, deadline: Deadline) -> Tally:
        tally = Tally()
        if self._indexer is None or deadline.passed():
            return tally
        with within(_DATABASE_SECONDS):
            waiting = list(islice(self._rows.rows(job=job), most))  # those that are due come first
            if not waiting:
                return tally
            now = self._rows.now()
        clock = _DatabaseClock(now)
        for owed in waiting:
            if owed.next > now or deadline.passed():
                continue
            self._send(owed, clock, deadline, tally)
        return tally

    def _send(self, owed: OutboxMessage, clock: _DatabaseClock, deadline: Deadline, tally: Tally) -> None:
        seconds = min(self._seconds, deadline.remaining())
        try:
            with within(_DATABASE_SECONDS):
                leased = self._rows.lease(owed, clock.now(), seconds + _MARGIN)
        except (Unavailable, DocumentFull) as trouble:  # this concerns one message only; the others are sent
            logger.warning(trouble.reason, extra={"fields": {"job": owed.job, "message": owed.name}})
            self._progress(SendAttempt(False, f"{owed.name} of {owed.job}: not tried ({trouble.reason})"))
            tally.failed += 1
            return
        if leased is None:
            return
        try:
            self._tell_indexer(leased, seconds)
        except Undelivered as failure:
            self._put_back(leased, failure, clock.now(), tally)
            return
        with within(_DATABASE_SECONDS):
            self._rows.delivered(leased)
        tally.sent += 1
        self._report(leased, True, "delivered to the Indexer")

    def _tell_indexer(self, leased: Leased, seconds: float) -> None:
        if self._indexer is None or leased.token is None:
            raise Undelivered("the job has no _salt, so no token can be made for the Indexer")
        message = {"uuid": leased.job, "name": leased.name, "token": leased.token.reveal()}
        self._indexer.send(message, key=leased.key, deadline=seconds)

    def _put_back(self, leased: Leased, failure: Undelivered, now: datetime, tally: Tally) -> None:
        wait = self._backoff.delay(leased.attempts, failure.retry_after)
        with within(_DATABASE_SECONDS):
            self._rows.failed(leased, failure.reason, now + timedelta(seconds=wait) if wait is not None else None)
        tally.failed += 1
        if wait is not None:
            tally.wait = wait if tally.wait is None else min(tally.wait, wait)
        outcome = "will be tried again" if wait is not None else "it has failed; drain can send it"
        self._report(leased, False, f"not delivered ({failure.reason}); {outcome}")

    def _report(self, leased: Leased, delivered: bool, what: str) -> None:
        self._progress(SendAttempt(delivered, f"{leased.name} of {leased.job}: {what}"))
        logger.info(what, extra={"fields": {"job": leased.job, "message": leased.name, "attempt": leased.attempts}})
