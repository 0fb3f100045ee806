"""The change feed: jobs as they change, for all listeners. The database is polled once for all of them together.

Best effort. A listener may miss a change when very much changes at once; a client that needs all reads the jobs.
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
"""How far back behind the last look is looked: the dates of changes are their writers', whose clocks differ."""
_MOST_CHANGES: Final = 1000
_MOST_TOLD: Final = 10_000
_MOST_WAITING: Final = 1000
_LOOK_SECONDS: Final = 5.0


class TooManyListeners(PipelineJobsError):
    """Too many listen already; try again."""


class Listener:
    """One client that listens to the feed."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(_MOST_WAITING)
        self.ended = False
        """Whether nothing will come any more: the gateway ends, or the listener did not keep up."""

    async def next(self, seconds: float) -> dict[str, Any] | None:
        """The next change; None when there is none for so long, or when it has `ended`."""
        if self.ended and self._waiting.empty():
            return None
        try:
            return await asyncio.wait_for(self._waiting.get(), seconds)
        except TimeoutError:
            return None

    def tell(self, change: dict[str, Any]) -> None:
        """Says that a job has changed. A listener that does not keep up is let go."""
        if self.ended:
            return
        try:
            self._waiting.put_nowait(change)
        except asyncio.QueueFull:
            self.ended = True

    def end(self) -> None:
        """Says that nothing will come any more."""
        self.ended = True
        if self._waiting.empty():
            self._waiting.put_nowait(None)


class ChangeFeed:
    """Looks for changes while there are listeners. For one event loop."""

    def __init__(self, store: Store, *, interval: float = 1.0, most: int = 100) -> None:
        """
        Args:
            interval: seconds between two looks.
            most: how many may listen.
        """
        self._store = store
        self._interval = interval
        self._most = most
        # Held weakly: a stream that is never begun, because its caller went away, never says `leave`.
        self._listeners: WeakSet[Listener] = WeakSet()
        self._told: OrderedDict[str, Any] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._closing = asyncio.Event()
        self._looked = 0.0
        self._complained = False

    async def listen(self) -> Listener:
        """Begins to listen: to what changes from now on. Say `leave` in the end.

        Raises:
            TooManyListeners: as many as may already do.
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
        """Ends listening."""
        self._listeners.discard(listener)

    async def close(self) -> None:
        """Lets all listeners go, and waits for the end of the poll that is running."""
        self._closing.set()
        for listener in list(self._listeners):
            listener.end()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        """Polls until there are no listeners, or the feed is closed. It is never cancelled: its thread could not be."""
        self._looked = monotonic()
        await self._look()  # what has changed before is no news
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
        """What has changed and was not told yet."""
        begun = monotonic()
        try:
            changes = await asyncio.to_thread(self._changes, begun - self._looked + _BACK_SECONDS)
        except Exception as error:  # whatever it is, the next look may go well
            if not self._complained:
                why = error.reason if isinstance(error, PipelineJobsError) else type(error).__name__
                logger.warning("changes cannot be looked for", extra={"fields": {"why": why}})
            self._complained = True
            return []
        self._looked = begun
        self._complained = False
        return [change for change in changes if self._is_news(change)]

    def _changes(self, seconds: float) -> list[dict[str, Any]]:
        """The changes of the last seconds, by the database's time."""
        with within(_LOOK_SECONDS):
            moment = self._store.outbox.now() - timedelta(seconds=seconds)
            return self._store.changes.since(moment, _MOST_CHANGES)

    def _is_news(self, change: dict[str, Any]) -> bool:
        uuid, stand = str(change.get("uuid")), (change.get("revision"), change.get("updated"))
        is_news = self._told.get(uuid) != stand
        self._told[uuid] = stand
        self._told.move_to_end(uuid)
        if len(self._told) > _MOST_TOLD:
            self._told.popitem(last=False)
        return is_news
