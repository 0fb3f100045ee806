"""Jobs as they change, for everybody who listens: the database is looked at for all of them together.

Best effort. Who listens may miss a change when very much changes at once; who needs all reads the jobs.
"""

import asyncio
from collections import OrderedDict
from datetime import timedelta
from typing import Any, Final

from pipelinejobs.errors import PipelineJobsError
from pipelinejobs.log import logger
from pipelinejobs.store import Store, within

_BACK_SECONDS: Final = 10
"""How far back is looked each time: the dates of changes are their writers', whose clocks differ."""
_MOST_CHANGES: Final = 1000
_MOST_TOLD: Final = 10_000
_MOST_WAITING: Final = 1000
_LOOK_SECONDS: Final = 5.0


class TooManyListeners(PipelineJobsError):
    """Too many listen already; try again."""


class Listener:
    """Somebody who listens."""

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
        """Says that a job has changed; whoever does not keep up is let go."""
        try:
            self._waiting.put_nowait(change)
        except asyncio.QueueFull:
            self.ended = True

    def end(self) -> None:
        """Says that nothing will come any more."""
        self.ended = True
        if self._waiting.empty():
            self._waiting.put_nowait(None)


class Feed:
    """Looks for changes while anybody listens. For one event loop."""

    def __init__(self, store: Store, *, interval: float = 1.0, most: int = 100) -> None:
        """
        Args:
            interval: seconds between two looks.
            most: how many may listen.
        """
        self._store = store
        self._interval = interval
        self._most = most
        self._listeners: set[Listener] = set()
        self._told: OrderedDict[str, Any] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._complained = False
        self._closed = False

    async def listen(self) -> Listener:
        """Begins to listen: to what changes from now on. Say `leave` in the end.

        Raises:
            TooManyListeners: as many as may already do.
        """
        if len(self._listeners) >= self._most or self._closed:
            raise TooManyListeners
        listener = Listener()
        self._listeners.add(listener)
        if self._task is None:
            await self._look()  # what has changed before is no news
            if self._task is None and not self._closed:
                self._task = asyncio.create_task(self._run())
        return listener

    def leave(self, listener: Listener) -> None:
        """Ends listening."""
        self._listeners.discard(listener)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None

    async def close(self) -> None:
        """Lets everybody go."""
        self._closed = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for listener in self._listeners:
            listener.end()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            for change in await self._look():
                for listener in list(self._listeners):
                    listener.tell(change)
                    if listener.ended:
                        self._listeners.discard(listener)

    async def _look(self) -> list[dict[str, Any]]:
        """What has changed and was not told yet."""
        try:
            changes = await asyncio.to_thread(self._changes)
        except PipelineJobsError as error:
            if not self._complained:
                logger.warning("changes cannot be looked for", extra={"fields": {"why": error.reason}})
            self._complained = True
            return []
        self._complained = False
        return [change for change in changes if self._is_news(change)]

    def _changes(self) -> list[dict[str, Any]]:
        with within(_LOOK_SECONDS):
            moment = self._store.outbox.now() - timedelta(seconds=_BACK_SECONDS)
            return self._store.changes.since(moment, _MOST_CHANGES)

    def _is_news(self, change: dict[str, Any]) -> bool:
        uuid, stand = str(change.get("uuid")), (change.get("revision"), change.get("updated"))
        if self._told.get(uuid) == stand:
            return False
        self._told[uuid] = stand
        self._told.move_to_end(uuid)
        if len(self._told) > _MOST_TOLD:
            self._told.popitem(last=False)
        return True
