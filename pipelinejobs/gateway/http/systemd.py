"""What a supervisor such as systemd and a gateway say to each other.

The supervisor may hand over a socket that listens already, so that during a restart callers wait and are not refused
(systemd's sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, descriptors from 3 on), and may want to be told when the gateway
serves (sd_notify(3): NOTIFY_SOCKET).
"""

import os
import socket
from typing import Final

from pipelinejobs.util.errors import WrongSetting
from pipelinejobs.util.log import logger

_READY: Final = b"READY=1"

_FIRST: Final = 3


def handed() -> socket.socket | None:
    """The socket that was handed over; None where none was, or only to another process.

    Raises:
        WrongSetting: it is not one socket that listens for connections.
    """
    pid, number = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    if pid != str(os.getpid()):
        return None
    try:
        found = socket.socket(fileno=_FIRST) if number == "1" else None
    except OSError:
        found = None
    if found is None or not _listens(found):
        if found is not None:
            found.close()
        raise WrongSetting("gateway.port", "what was handed over by LISTEN_FDS is not one socket that listens")
    found.set_inheritable(False)
    return found


def tell_ready() -> None:
    """Tells the supervisor, if there is one that wants to know, that requests are served."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.sendto(_READY, f"\0{address[1:]}" if address.startswith("@") else address)
    except OSError as error:
        logger.warning(
            "the supervisor was not told that requests are served", extra={"fields": {"why": error.strerror}}
        )


def _listens(found: socket.socket) -> bool:
    stream = found.type == socket.SOCK_STREAM and found.family in (socket.AF_INET, socket.AF_INET6)
    return stream and bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
