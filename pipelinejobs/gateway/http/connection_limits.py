"""The limits of a connection: how much a client may send, and how long it may take."""

from dataclasses import dataclass
from typing import Final

HEADER_BYTES: Final = 64 * 1024
"""Largest header of a request. The same limit holds for the trailer of a body."""

HEADER_FIELDS: Final = 100

MOST_PIPELINED: Final = 16
"""Most unanswered requests of one connection. Each needs far more memory than the bytes it arrived in."""

GONE: Final = "pipelinejobs.gone"
"""The key of a request's scope with a future: done once the client has closed the connection, or its sending side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """The limits that depend on the deployment.

    Attributes:
        version: the gateway's version, for refusals that the protocol writes itself.
        most_connections: most open connections of one process.
        header_seconds: time for a header to arrive; after an early answer, also for the rest of the body.
        stall_seconds: time within which a client must read at least a part of the bytes sent to it.
        linger_seconds: time for a refused client to read the refusal before its connection is closed.
    """

    version: str
    most_connections: int
    header_seconds: float = 10.0
    stall_seconds: float = 30.0
    linger_seconds: float = 2.0
