"""Ends a connection whose client does not read what it is sent."""

import asyncio
from typing import Final

_PROGRESS_BYTES: Final = 16 * 1024


class WriteWatch:
    """Looks, when its time is over, at how much of the written bytes the client has taken."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, stall_seconds: float) -> None:
        """
        Args:
            stall_seconds: time for the next part, once the client has taken one.
        """
        self._loop = loop
        self._transport = transport
        self._stall_seconds = stall_seconds
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float, *, ends: bool = False) -> None:
        """Looks in so many seconds.

        Args:
            ends: whether the connection is ended then too if everything was taken, because it is being closed.
        """
        self.stop()
        self._timer = self._loop.call_later(seconds, self._look, self._transport.get_write_buffer_size(), ends)

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, before: int, ends: bool) -> None:
        waiting = self._transport.get_write_buffer_size()
        if waiting and before - waiting >= _PROGRESS_BYTES:
            self.start(self._stall_seconds, ends=ends)
        elif waiting or ends:
            self._transport.abort()
