"""Sends pending outbox messages to the Indexer, in the background.

Any number of gateways share the work: the gateway that gets the lease on a message sends it
(`pipelinejobs.service.outbox_relay`). If that gateway dies, the message is due again when the lease ends.
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
    """Sends messages that are due: at once when woken, and at each poll. Several are sent at the same time."""

    def __init__(
        self,
        outbox: OutboxRelay,
        report: Callable[[Tally], None],
        *,
        workers: int = WORKERS,
        poll: float = _POLL_SECONDS,
    ) -> None:
        """
        Args:
            outbox: finds and sends messages.
            report: called with the result of each attempt, in any thread.
            workers: how many messages are sent at the same time.
            poll: seconds between two polls for messages that are due.
        """
        self._outbox = outbox
        self._report = report
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
        """Starts the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Polls now, because a job may have a new message."""
        self._wake.set()

    def close(self, seconds: float) -> None:
        """Sends messages that are due for at most `seconds`, and ends."""
        deadline = Deadline(seconds)
        self._closing.set()
        self._wake.set()
        self._thread.join(deadline.remaining())
        self._pool.shutdown(wait=False)
        for _ in range(WORKERS):
            if not self._room.acquire(timeout=deadline.remaining()):
                return  # still sending; its lease ends by itself, and another process sends the message

    def _run(self) -> None:
        while not self._closing.is_set():
            if not self._round():
                self._wake.wait(self._poll)
                self._wake.clear()
        self._round()

    def _round(self) -> bool:
        """Begins to send the messages that are due. Returns whether more may be due than one round reads."""
        try:
            due = self._outbox.due(_MOST)
        except PipelineJobsError as error:
            if not self._complained:
                logger.error("pending outbox messages cannot be read", extra={"fields": {"why": error.reason}})
            self._complained = True
            return False
        self._complained = False
        begun = 0
        for message in due:
            with self._lock:
                if message.key in self._sending:
                    continue
                self._sending.add(message.key)
            self._room.acquire()
            try:
                self._pool.submit(self._send, message)
            except RuntimeError:  # the pool was closed while this thread waited
                return False
            begun += 1
        return begun == _MOST

    def _send(self, message: OutboxMessage) -> None:
        try:
            self._report(self._outbox.attempt(message))
        except Unavailable as error:
            fields = {"job": message.job, "why": error.reason}
            logger.warning(
                "it is not known whether an outbox message was delivered; it stays pending", extra={"fields": fields}
            )
        except Exception as error:
            fields = {"job": message.job, "why": type(error).__name__}
            logger.error("an outbox message could not be sent; this is a defect", extra={"fields": fields})
        finally:
            with self._lock:
                self._sending.discard(message.key)
            self._room.release()
