"""The change feed: tells all listeners which jobs change. One poll of the database serves all listeners.

Best effort: if very many jobs change at once, a listener may miss a change. A client that needs all reads the jobs.
"""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import Any, Final
from weakref import WeakSet

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
    """Polls for changes while there are listeners. Use it from one event loop."""

    def __init__(self, store: Store, *, interval: float = 1.0, most: int = 100) -> None:
        """
        Args:
            store: the database.
            interval: seconds between two polls.
            most: most listeners at the same time.
        """
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
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            await self._begun.wait()
        except asyncio.CancelledError:
            self.leave(listener)
            raise
        return listener

    def leave(self, listener: Listener) -> None:
        """Removes a listener."""
        self._listeners.discard(listener)

    async def close(self) -> None:
        """Ends all listeners, and waits for the end of a running poll."""
        self._closing.set()
        for listener in list(self._listeners):
            listener.end()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        """Polls until there are no listeners, or the feed is closed. Never cancelled, because its thread cannot be."""
        self._last_poll = monotonic()
        await self._look()  # changes from before are not sent
        self._begun.set()
        while self._listeners and not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._interval)
                continue
            self._tell(await self._look())
        self._begun.clear()
        self._task = None

    def _tell(self, changes: list[dict[str, Any]]) -> None:
        for change in changes:
            for listener in list(self._listeners):
                listener.tell(change)

    async def _look(self) -> list[dict[str, Any]]:
        """One poll: the changes that were not sent yet."""
        begun = monotonic()
        try:
            changes = await asyncio.to_thread(self._changes, begun - self._last_poll + _BACK_SECONDS)
        except Exception as error:  # after any error, the next poll may succeed
            if not self._complained:
                why = error.reason if isinstance(error, PipelineJobsError) else type(error).__name__
                logger.warning("the change feed cannot poll the database", extra={"fields": {"why": why}})
            self._complained = True
            return []
        self._last_poll = begun
        self._complained = False
        return [change for change in changes if self._is_news(change)]

    def _changes(self, seconds: float) -> list[dict[str, Any]]:
        """The changes of the last `seconds`, by the database's clock."""
        with within(_LOOK_SECONDS):
            moment = self._store.outbox.now() - timedelta(seconds=seconds)
            return self._store.changes.since(moment, _MOST_CHANGES)

    def _is_news(self, change: dict[str, Any]) -> bool:
        uuid, stand = str(change.get("uuid")), (change.get("revision"), change.get("updated"))
        is_news = self._sent.get(uuid) != stand
        self._sent[uuid] = stand
        self._sent.move_to_end(uuid)
        if len(self._sent) > _MOST_REMEMBERED:
            self._sent.popitem(last=False)
        return is_news
