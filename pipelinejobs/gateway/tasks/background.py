"""Work that is done after the answers, in batches, in a thread of its own."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.log import logger

Item = TypeVar("Item")


class Background(Generic[Item]):
    """Calls `work` with batches of the added items. If too many items wait, the oldest are dropped."""

    def __init__(
        self,
        name: str,
        work: Callable[[list[Item]], None],
        *,
        most: int,
        dropped: Callable[[str, int], None],
        batch: int = 500,
        pause: float = 0.05,
    ) -> None:
        """
        Args:
            name: for the log and for `dropped`.
            work: does a batch. If it raises an exception, the batch is lost, and the log says so.
            most: most items that may wait.
            dropped: called with the name and the number of items that were dropped or lost.
            batch: most items in a batch.
            pause: seconds to wait for more items after the first of a batch.
        """
        self._name, self._work, self._most, self._dropped = name, work, most, dropped
        self._batch, self._pause = batch, pause
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._done = 0
        self._added = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def add(self, item: Item) -> None:
        """Adds an item."""
        with self._changed:
            self._items.append(item)
            self._added += 1
            if len(self._items) > self._most:
                self._items.popleft()
                self._done += 1
                self._dropped(self._name, 1)
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Waits until all items added before are done. Returns False if that takes longer than `seconds`."""
        with self._changed:
            wanted = self._added
            return self._changed.wait_for(lambda: self._done >= wanted, seconds)

    def close(self, seconds: float) -> None:
        """Does the waiting items for at most `seconds`, and ends."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._closing.is_set())
                if not self._items:
                    return
            self._closing.wait(self._pause)
            with self._changed:
                batch = [self._items.popleft() for _ in range(min(self._batch, len(self._items)))]
            try:
                self._work(batch)
            except PipelineJobsError as error:
                self._lose(len(batch), error.reason)
            except Exception as error:
                self._lose(len(batch), type(error).__name__)
            with self._changed:
                self._done += len(batch)
                self._changed.notify_all()

    def _lose(self, count: int, why: str) -> None:
        self._dropped(self._name, count)
        logger.warning(f"{self._name}: records could not be stored after their answers", extra={"fields": {"why": why}})
