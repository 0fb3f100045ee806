"""How many files the gateway may have open: each connection is one, and supervisors often give a process 1024."""

import resource
from typing import Final

from pipelinejobs.util.log import logger

_OTHERS: Final = 512
"""What is open besides: connections to the database and to the Indexer, the log, libraries."""


def allow(connections: int) -> None:
    """Raises this process's limit to what so many connections take, as far as the machine lets it. Without a file to
    spare connections are closed without an answer, those to the database among them."""
    wanted = 2 * connections + _OTHERS  # as many as are open may linger
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if least == resource.RLIM_INFINITY or least >= wanted:
        return
    least = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (least, most))
    if least < wanted:
        logger.warning(
            "gateway.connections is more than the limit of open files allows",
            extra={"fields": {"limit": least, "needed": wanted}},
        )
