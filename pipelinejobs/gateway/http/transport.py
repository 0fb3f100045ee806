"""A transport whose closing is the protocol's business."""

import asyncio
from collections.abc import Callable
from typing import Any


class Transport:
    """The transport as uvicorn sees it: what it closes, the protocol leaves in its own way."""

    def __init__(self, transport: asyncio.Transport, has_left: Callable[[], bool], leave: Callable[[], None]) -> None:
        """
        Args:
            transport: the real one.
            has_left: whether the protocol has left already.
            leave: what is done instead of closing.
        """
        self._transport = transport
        self._has_left = has_left
        self.close = leave

    def is_closing(self) -> bool:
        return self._has_left() or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
