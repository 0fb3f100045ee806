"""How many files the gateway may have open: each connection is one, and systemd gives a process 1024 by default."""

import resource
from typing import Final

from pipelinejobs.util.log import logger

_OTHERS: Final = 512
"""Other open files: connections to the database and to the Indexer, the log, libraries."""


def allow(connections: int) -> None:
    """Raises this process's limit to what so many connections need, as far as the machine allows.

    When no file is left, new connections are closed without an answer, those to the database among them.
    """
    needed = 2 * connections + _OTHERS  # as many as are open may linger
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < needed:
        logger.warning(
            "gateway.connections is more than the limit of open files allows",
            extra={"fields": {"limit": soft, "needed": needed}},
        )
