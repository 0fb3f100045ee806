"""The limits of one connection: on what a client sends, and on how long it takes."""

from dataclasses import dataclass
from typing import Final

HEADER_BYTES: Final = 64 * 1024
"""How much of a request may come before its header is complete. The trailer of a body is held to it too."""

HEADER_FIELDS: Final = 100

MOST_PIPELINED: Final = 16
"""How many requests of one connection may be unanswered; each takes far more memory than the bytes it came in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What a client may do.

    Attributes:
        version: the gateway's version, for the refusals that the protocol writes itself.
        most_connections: how many may be open.
        header_seconds: time for a header to arrive, and for the rest of a body after the answer.
        stall_seconds: time in which a client must read something of what it is sent.
        linger_seconds: time that a refused client is given to read the refusal.
    """

    version: str
    most_connections: int
    header_seconds: float = 10.0
    stall_seconds: float = 30.0
    linger_seconds: float = 2.0
