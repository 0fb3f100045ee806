"""Work that is repeated in the background, each in a thread of its own."""

import threading
from collections.abc import Callable

from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.log import logger


class Periodic:
    """Repeats some work. If it fails, the log says so once, and it is tried again after the pause."""

    def __init__(self, name: str, work: Callable[[], object], seconds: float) -> None:
        """
        Args:
            name: for the log and the thread.
            work: what to do; may raise any exception.
            seconds: the pause after it.
        """
        self._name, self._work, self._seconds = name, work, seconds
        self._closing = threading.Event()
        self._complained = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Waits at most `seconds` for running work, and ends."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._work()
                self._complained = False
            except Exception as error:  # after any error, the next time may succeed
                self._complain(error.reason if isinstance(error, PipelineJobsError) else type(error).__name__)
            self._closing.wait(self._seconds)

    def _complain(self, why: str) -> None:
        if not self._complained and not self._closing.is_set():
            logger.error(f"{self._name}: failed; it will be tried again", extra={"fields": {"why": why}})
        self._complained = True
