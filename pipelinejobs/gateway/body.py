"""Reading the body of a request, with limits on its size and its time, and on what all bodies together may take."""

import asyncio
from http import HTTPStatus
from typing import Final

from fastapi import Request

from pipelinejobs.gateway.problem import Problem
from pipelinejobs.messages.body import MAX_BYTES

ALL_BYTES: Final = 64 * MAX_BYTES


class Bodies:
    """The bodies that are being read, or whose messages are not yet answered."""

    def __init__(self, most: int = ALL_BYTES) -> None:
        self._room = most

    async def read(self, request: Request, seconds: float) -> "Body":
        """The whole body; to be used as a context manager, which gives the memory back.

        Raises:
            Problem: it is too large, too slow, or breaks off; or there is no memory for it now.
        """
        body = Body(self)
        try:
            if _announced(request) > MAX_BYTES:
                raise _too_large()
            async with asyncio.timeout(seconds):
                await body.fill(request)
        except TimeoutError:
            body.release()
            reason = f"body: did not arrive within {seconds:.3g} s"
            raise Problem(HTTPStatus.REQUEST_TIMEOUT, reason) from None
        except BaseException:
            body.release()
            raise
        return body

    def take(self, size: int) -> None:
        """Takes memory for so many bytes.

        Raises:
            Problem: there is none now.
        """
        if size > self._room:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too many large messages at once; try again")
        self._room -= size

    def give(self, size: int) -> None:
        """Gives memory back."""
        self._room += size


class Body:
    """One body. `bytes` is what it holds."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._taken = 0
        self.bytes = b""

    def __enter__(self) -> bytes:
        return self.bytes

    def __exit__(self, *_: object) -> None:
        self.release()

    async def fill(self, request: Request) -> None:
        """Reads it, and never more of it than one piece beyond the limit."""
        pieces = bytearray()
        more = True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise Problem(HTTPStatus.BAD_REQUEST, "body: breaks off")
            piece = message.get("body", b"")
            if len(pieces) + len(piece) > MAX_BYTES:
                raise _too_large()
            self._bodies.take(len(piece))
            self._taken += len(piece)
            pieces += piece
            more = message.get("more_body", False)
        self.bytes = bytes(pieces)

    def release(self) -> None:
        """Gives the memory back."""
        self._bodies.give(self._taken)
        self._taken = 0


def _announced(request: Request) -> int:
    """What the header Content-Length says; the server has checked that it is a number."""
    length = request.headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


def _too_large() -> Problem:
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: is larger than {MAX_BYTES} bytes")
