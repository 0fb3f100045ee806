"""Socket activation and readiness, as systemd and compatible service managers define them.

The service manager may pass a listening socket, so that clients wait during a restart instead of being refused
(sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, descriptors from 3 on). It may ask to be notified when the gateway is ready
(sd_notify(3): NOTIFY_SOCKET).

Written here because uvicorn's `--fd` does not check that the socket is meant for this process and does not notify, and
because systemd-python needs a compiler and libsystemd to install.
"""

import os
import socket
from typing import Final

from pipelinejobs.util.errors import WrongSetting
from pipelinejobs.util.log import logger

_READY: Final = b"READY=1"

_FIRST: Final = 3


def inherited_socket() -> socket.socket | None:
    """The listening socket that systemd passed to this process; None if it passed none.

    Raises:
        WrongSetting: systemd did not pass exactly one listening socket.
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
        raise WrongSetting("gateway.port", "systemd (LISTEN_FDS) did not pass exactly one listening socket")
    found.set_inheritable(False)
    return found


def notify_ready() -> None:
    """Notifies the service manager that the gateway is ready, if it asks for that. A failure is only logged."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying:
            notifying.sendto(_READY, f"\0{address[1:]}" if address.startswith("@") else address)
    except OSError as error:
        logger.warning(
            "systemd could not be notified that the gateway is ready", extra={"fields": {"why": error.strerror}}
        )


def _listens(found: socket.socket) -> bool:
    stream = found.type == socket.SOCK_STREAM and found.family in (socket.AF_INET, socket.AF_INET6)
    return stream and bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
