"""The change feed: tells all listeners which jobs change. One poll of the database serves all listeners and waiters.

Best effort: if very many jobs change at once, a listener may miss a change. A client that needs all reads the jobs. A
waiter does not miss one for that reason, because the jobs that are waited for are then read by their uuids.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import Any, Final
from weakref import WeakSet

from pipelinejobs.gateway.tasks.waiters import Waiter, Waiters
from pipelinejobs.store import Store, within
from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.log import logger

_BACK_SECONDS: Final = 10
"""How far each poll reaches back before the last one: changes carry the dates of their writers, whose clocks differ."""
_MOST_CHANGES: Final = 1000
_MOST_REMEMBERED: Final = 10_000
_MOST_WAITING: Final = 1000
_LOOK_SECONDS: Final = 5.0


class TooManyListeners(PipelineJobsError):
    """Too many clients listen already; try again."""


class Listener:
    """One client that listens to the feed."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(_MOST_WAITING)
        self.ended = False
        """Whether no more changes will come: the gateway ends, or the listener is too slow."""

    async def next(self, seconds: float) -> dict[str, Any] | None:
        """The next change; None if there is none within `seconds`, or if the feed has `ended`."""
        if self.ended and self._waiting.empty():
            return None
        try:
            return await asyncio.wait_for(self._waiting.get(), seconds)
        except TimeoutError:
            return None

    def tell(self, change: dict[str, Any]) -> None:
        """Adds a change. If the listener is too slow to read its changes, it is ended."""
        if self.ended:
            return
        try:
            self._waiting.put_nowait(change)
        except asyncio.QueueFull:
            self.ended = True

    def end(self) -> None:
        """Ends the listener; it still gets the changes that wait."""
        self.ended = True
        if self._waiting.empty():
            self._waiting.put_nowait(None)


class ChangeFeed:
    """Polls for changes while there are listeners or waiters. Use it from one event loop.

    Attributes:
        waiters: the requests that wait for one job each. They have a limit of their own, and no queue.
    """

    def __init__(self, store: Store, *, interval: float = 1.0, most: int = 100, most_waiters: int = 1500) -> None:
        """
        Args:
            store: the database.
            interval: seconds between two polls.
            most: most listeners at the same time.
            most_waiters: most waiters at the same time.
        """
        self.waiters = Waiters(most_waiters)
        self._store = store
        self._interval = interval
        self._most = most
        # Weak references: if a client goes away before its stream begins, `leave` is never called.
        self._listeners: WeakSet[Listener] = WeakSet()
        self._sent: OrderedDict[str, Any] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._closing = asyncio.Event()
        self._last_poll = 0.0
        self._complained = False

    async def listen(self) -> Listener:
        """A new listener, for changes from now on. Call `leave` at the end.

        Raises:
            TooManyListeners: the limit is reached, or the feed is closed.
        """
        if len(self._listeners) >= self._most or self._closing.is_set():
            raise TooManyListeners
        listener = Listener()
        self._listeners.add(listener)
        try:
            await self._polling()
        except asyncio.CancelledError:
            self.leave(listener)
            raise
        return listener

    @asynccontextmanager
    async def waiter(self, job: str) -> AsyncIterator[Waiter]:
        """A waiter for changes of this job, for as long as the context lasts.

        Read the job in the context, not before it: then a change either is in what was read, or will be told. If the
        feed is closed, the waiter has ended already.

        Raises:
            TooManyWaiters: the limit is reached.
        """
        waiter = self.waiters.add(job)
        try:
            if self._closing.is_set():
                waiter.end()
            else:
                await self._polling()
            yield waiter
        finally:
            self.waiters.discard(waiter)

    async def _polling(self) -> None:
        """Begins to poll if no poll is running, and waits for the first one."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        await self._begun.wait()

    def leave(self, listener: Listener) -> None:
        """Removes a listener."""
        self._listeners.discard(listener)

    async def close(self) -> None:
        """Ends all listeners and waiters, and waits for the end of a running poll."""
        self._closing.set()
        self.waiters.end()
        for listener in list(self._listeners):
            listener.end()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        """Polls until there is nothing to tell to, or the feed is closed. Never cancelled: its thread cannot be."""
        self._last_poll = monotonic()
        await self._look()  # changes from before are not sent
        self._begun.set()
        while (self._listeners or self.waiters.count) and not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._interval)
                continue
            self._tell(await self._look())
        self._begun.clear()
        self._task = None

    def _tell(self, changes: list[dict[str, Any]]) -> None:
        self.waiters.tell(changes)
        for change in changes:
            for listener in list(self._listeners):
                listener.tell(change)

    async def _look(self) -> list[dict[str, Any]]:
        """One poll: the changes that were not sent yet."""
        begun = monotonic()
        try:
            changes = await asyncio.to_thread(self._changes, begun - self._last_poll + _BACK_SECONDS, self.waiters.jobs)
        except Exception as error:  # after any error, the next poll may succeed
            if not self._complained:
                why = error.reason if isinstance(error, PipelineJobsError) else type(error).__name__
                logger.warning("the change feed cannot poll the database", extra={"fields": {"why": why}})
            self._complained = True
            return []
        self._last_poll = begun
        self._complained = False
        return [change for change in changes if self._is_news(change)]

    def _changes(self, seconds: float, waited: Sequence[str]) -> list[dict[str, Any]]:
        """The changes of the last `seconds`, by the database's clock.

        Args:
            seconds: how far to look back.
            waited: the uuids of jobs that are waited for; of these none is missed if there are too many changes.
        """
        with within(_LOOK_SECONDS):
            moment = self._store.outbox.now() - timedelta(seconds=seconds)
            changes = self._store.changes.since(moment, _MOST_CHANGES)
            if len(changes) >= _MOST_CHANGES and waited:
                changes += self._store.changes.of(waited)
            return changes

    def _is_news(self, change: dict[str, Any]) -> bool:
        uuid = str(change.get("uuid"))
        stand = (change.get("revision"), change.get("updated"), change.get("state"))
        is_news = self._sent.get(uuid) != stand
        self._sent[uuid] = stand
        self._sent.move_to_end(uuid)
        if len(self._sent) > _MOST_REMEMBERED:
            self._sent.popitem(last=False)
        return is_news
