"""Reads request bodies, with limits on the size and time of each, and on the memory of all together."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from fastapi import Request

from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.messages.body import MAX_BYTES, TOO_LARGE
from pipelinejobs.messages.lenient import LARGEST
from pipelinejobs.util.errors import Overloaded

ALL_BYTES: Final = 64 * MAX_BYTES


class Bodies:
    """The memory budget of all bodies that are being read, or whose messages are not answered yet."""

    def __init__(self, most: int = ALL_BYTES) -> None:
        self._room = most

    async def read(self, request: Request, seconds: float, *, of_report: Callable[[], bool] = lambda: False) -> "Body":
        """Reads a whole body. Use it as a context manager, which gives the memory back.

        Args:
            request: the request.
            seconds: time limit for the body to arrive.
            of_report: called if the body is larger than `MAX_BYTES`: whether it may belong to a report. The body of a
                report may be larger, because only its status is needed.

        Raises:
            HttpError: the body is too large (413), too slow (408), or incomplete (400).
            Overloaded: the memory for all bodies is used up.
        """
        body = Body(self, of_report)
        try:
            if _announced(request) > MAX_BYTES and not of_report():
                raise _too_large()
            async with asyncio.timeout(seconds):
                await body.fill(request)
        except TimeoutError:
            body.release()
            reason = f"body: did not arrive within {seconds:.3g} s"
            raise HttpError(HTTPStatus.REQUEST_TIMEOUT, reason) from None
        except BaseException:
            body.release()
            raise
        return body

    def take(self, size: int) -> None:
        """Reserves memory for `size` bytes.

        Raises:
            Overloaded: less than that is left.
        """
        if size > self._room:
            raise Overloaded("too many large messages at once; try again")
        self._room -= size

    def give(self, size: int) -> None:
        """Gives `size` bytes of memory back."""
        self._room += size


class Body:
    """One body, which holds its memory until `release`.

    Attributes:
        bytes: its content.
        missing: why its content was thrown away; None if it was kept.
    """

    def __init__(self, bodies: Bodies, of_report: Callable[[], bool]) -> None:
        self._bodies = bodies
        self._of_report = of_report
        self._taken = 0
        self.bytes = b""
        self.missing: str | None = None

    def __enter__(self) -> "Body":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def fill(self, request: Request) -> None:
        """Reads the body. It never holds more than the limit plus one piece.

        If the body of a report is above its own, higher limit, it is read to its end and thrown away: the sender is
        still sending, and would otherwise miss the answer.
        """
        pieces = bytearray()
        more = True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise HttpError(HTTPStatus.BAD_REQUEST, "body: incomplete")
            piece = message.get("body", b"")
            more = message.get("more_body", False)
            if self.missing is not None:
                continue
            if len(pieces) + len(piece) > MAX_BYTES and not self._of_report():
                raise _too_large()
            if len(pieces) + len(piece) > LARGEST:
                self.missing = TOO_LARGE
                pieces.clear()
                self.release()
                continue
            self._bodies.take(len(piece))
            self._taken += len(piece)
            pieces += piece
        self.bytes = bytes(pieces)

    def release(self) -> None:
        """Gives the body's memory back. May be called again."""
        self._bodies.give(self._taken)
        self._taken = 0


def _announced(request: Request) -> int:
    """The length in the header Content-Length; 0 without one. The parser has checked that it is a number."""
    length = request.headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


def _too_large() -> HttpError:
    return HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: {TOO_LARGE}")
