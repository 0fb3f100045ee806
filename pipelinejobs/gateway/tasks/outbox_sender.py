"""Sends outbox messages to the Indexer, all the time.

Any number of gateways share the work: a row is sent by the one that gets the lease on it
(`pipelinejobs.service.outbox_relay`), and one whose holder has died comes back when its lease is over.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pipelinejobs.service.outbox_relay import OutboxRelay, Tally
from pipelinejobs.store.outbox import OutboxMessage
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import PipelineJobsError, Unavailable
from pipelinejobs.util.log import logger

WORKERS: Final = 4
_POLL_SECONDS: Final = 1.0
_MOST: Final = 100


class OutboxSender:
    """Looks for messages that are due, when told of one and every now and then, and sends some at a time."""

    def __init__(
        self,
        outbox: OutboxRelay,
        told: Callable[[Tally], None],
        *,
        workers: int = WORKERS,
        poll: float = _POLL_SECONDS,
    ) -> None:
        """
        Args:
            told: called with what came of each attempt, in any thread.
            workers: how many messages are sent at the same time.
            poll: seconds between two looks, when nothing is told.
        """
        self._outbox = outbox
        self._told = told
        self._poll = poll
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="sender")
        self._room = threading.Semaphore(workers)
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._sending: set[str] = set()
        self._lock = threading.Lock()
        self._complained = False
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def wake(self) -> None:
        """Says that a job may owe something now."""
        self._wake.set()

    def close(self, seconds: float) -> None:
        """Sends what is due now, as far as that goes in so many seconds, and ends."""
        deadline = Deadline(seconds)
        self._closing.set()
        self._wake.set()
        self._thread.join(deadline.remaining())
        self._pool.shutdown(wait=False)
        for _ in range(WORKERS):
            if not self._room.acquire(timeout=deadline.remaining()):
                return  # still sending; its lease ends by itself, and another process goes on

    def _run(self) -> None:
        while not self._closing.is_set():
            if not self._round():
                self._wake.wait(self._poll)
                self._wake.clear()
        self._round()

    def _round(self) -> bool:
        """Begins sending what is due now. Returns whether there was as much as is looked at in one round."""
        try:
            due = self._outbox.due(_MOST)
        except PipelineJobsError as error:
            if not self._complained:
                logger.error("pending messages cannot be looked up", extra={"fields": {"why": error.reason}})
            self._complained = True
            return False
        self._complained = False
        begun = 0
        for owed in due:
            with self._lock:
                if owed.key in self._sending:
                    continue
                self._sending.add(owed.key)
            self._room.acquire()
            try:
                self._pool.submit(self._send, owed)
            except RuntimeError:  # it was closed while this waited for room
                return False
            begun += 1
        return begun == _MOST

    def _send(self, owed: OutboxMessage) -> None:
        try:
            self._told(self._outbox.attempt(owed))
        except Unavailable as error:
            fields = {"job": owed.job, "why": error.reason}
            logger.warning("it is not known what came of a message; it stays pending", extra={"fields": fields})
        except Exception as error:
            fields = {"job": owed.job, "why": type(error).__name__}
            logger.error("a message could not be sent; this is a defect", extra={"fields": fields})
        finally:
            with self._lock:
                self._sending.discard(owed.key)
            self._room.release()
