"""Reads the body of a request, with limits on its size, its time, and the memory of all bodies together."""

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
    """The memory of the bodies that are being read, or whose messages are not yet answered."""

    def __init__(self, most: int = ALL_BYTES) -> None:
        self._room = most

    async def read(self, request: Request, seconds: float, *, of_report: Callable[[], bool] = lambda: False) -> "Body":
        """The whole body; to be used as a context manager, which gives the memory back.

        Args:
            of_report: called if a body is larger than a message may be; true if it may be that of a report, whose
                status counts all the same.

        Raises:
            HttpError: the body is too large, too slow, or breaks off.
            Overloaded: there is no memory for it now.
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
        """Takes memory for so many bytes.

        Raises:
            Overloaded: there is not so much now.
        """
        if size > self._room:
            raise Overloaded("too many large messages at once; try again")
        self._room -= size

    def give(self, size: int) -> None:
        """Gives memory back."""
        self._room += size


class Body:
    """One body.

    Attributes:
        bytes: what it holds.
        missing: why the body was read and not kept; None if it was kept.
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
        """Reads it, and never takes more memory than the limit and one piece.

        The limit of a report is higher. A body above it is read to its end but not kept, so that its sender, which is
        still sending, gets an answer.
        """
        pieces = bytearray()
        more = True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise HttpError(HTTPStatus.BAD_REQUEST, "body: breaks off")
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
        """Gives the memory back."""
        self._bodies.give(self._taken)
        self._taken = 0


def _announced(request: Request) -> int:
    """The length in the header Content-Length; the parser has checked that it is a number."""
    length = request.headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


def _too_large() -> HttpError:
    return HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: {TOO_LARGE}")
