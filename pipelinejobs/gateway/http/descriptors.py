"""The limit of open files. Each connection needs one, and systemd allows a process only 1024 by default."""

import resource
from typing import Final

from pipelinejobs.util.log import logger

_OTHERS: Final = 512
"""Open files besides connections of clients: connections to the database and the Indexer, the log, libraries."""


def allow(connections: int) -> None:
    """Raises this process's limit of open files to what `connections` clients need, or as far as the system allows.

    If the limit is reached, new connections fail without an answer, also those to the database.
    """
    needed = 2 * connections + _OTHERS  # as many refused connections may linger
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < needed:
        logger.warning(
            "gateway.connections is higher than the limit of open files allows",
            extra={"fields": {"limit": soft, "needed": needed}},
        )
