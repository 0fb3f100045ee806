"""A transport that lets the protocol decide how its connection is closed."""

import asyncio
from collections.abc import Callable
from typing import Any


class Transport:
    """The transport that uvicorn gets: when uvicorn closes it, the protocol's own `leave` is called instead."""

    def __init__(self, transport: asyncio.Transport, has_left: Callable[[], bool], leave: Callable[[], None]) -> None:
        """
        Args:
            transport: the real transport.
            has_left: whether the protocol has already left.
            leave: called instead of closing the real transport.
        """
        self._transport = transport
        self._has_left = has_left
        self.close = leave

    def is_closing(self) -> bool:
        return self._has_left() or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
