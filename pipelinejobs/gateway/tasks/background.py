"""Work that is done after the answers, in batches, by one thread."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.log import logger

Item = TypeVar("Item")


class Background(Generic[Item]):
    """Does `work` on whatever was added meanwhile. What does not fit any more is dropped, the oldest first."""

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
            name: for the log and the count.
            work: does a batch, and may raise our errors: then the batch is lost, and the log says so.
            most: how many items may wait.
            dropped: told the name, and how many more were not done.
            batch: how many are done together.
            pause: seconds to wait for more after the first of a batch.
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
        """Something more to do."""
        with self._changed:
            self._items.append(item)
            self._added += 1
            if len(self._items) > self._most:
                self._items.popleft()
                self._done += 1
                self._dropped(self._name, 1)
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Waits until all that was added before is done; False when that takes longer."""
        with self._changed:
            wanted = self._added
            return self._changed.wait_for(lambda: self._done >= wanted, seconds)

    def close(self, seconds: float) -> None:
        """Does what is left, in so many seconds at the most, and ends."""
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
        logger.warning(f"{self._name}: not everything could be done after the answers", extra={"fields": {"why": why}})
