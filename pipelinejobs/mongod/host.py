"""TCP ports on this machine's loopback address."""

import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def listens(port: int, seconds: float) -> bool:
    """Whether a program on this machine accepts a connection on that loopback port within `seconds`."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=seconds):
            return True
    except OSError:
        return False


def is_free(port: int) -> bool:
    """Whether a server could listen on that loopback port now. Another program may take it a moment later."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A loopback port on which no program listens now. Another program may take it a moment later."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
