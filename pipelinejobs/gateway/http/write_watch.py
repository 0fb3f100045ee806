"""Ends a connection whose client does not read what is sent to it."""

import asyncio
from typing import Final

_PROGRESS_BYTES: Final = 16 * 1024


class WriteWatch:
    """Checks after some time how many of the written bytes the client has taken, and aborts if it took too few."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, stall_seconds: float) -> None:
        """
        Args:
            transport: the connection.
            stall_seconds: time for the client to take each further part.
        """
        self._loop = loop
        self._transport = transport
        self._stall_seconds = stall_seconds
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float, *, ends: bool = False) -> None:
        """Begins to watch; replaces a watch that is running.

        Args:
            seconds: time until the first check.
            ends: whether the connection is being closed: then it is aborted also if the client took everything.
        """
        self.stop()
        self._timer = self._loop.call_later(seconds, self._look, self._transport.get_write_buffer_size(), ends)

    def stop(self) -> None:
        """Stops watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, before: int, ends: bool) -> None:
        waiting = self._transport.get_write_buffer_size()
        if waiting and before - waiting >= _PROGRESS_BYTES:
            self.start(self._stall_seconds, ends=ends)
        elif waiting or ends:
            self._transport.abort()
