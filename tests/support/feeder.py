"""Feeds one job with numbered updates, and dies on the way.

As a script: `tests/support/feeder.py FILE POINT URI DATABASE JOB FIRST END`. The token comes on
stdin. Each event that was applied is a line on stdout, its number; FILE and POINT as in `support.crash`.
"""

import sys
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path[:1] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from pymongo import monitoring

from support.crash import Effects

FILLING: Final = "x" * 900
"""What makes 20 000 entries more than one document of MongoDB may hold."""


def main(file: str, point: str, uri: str, database: str, job: str, first: str, end: str) -> None:
    """Feeds the events from `first` to before `end`."""
    monitoring.register(Effects(Path(file), point))

    from pipelinejobs.core.tokens import Policy
    from pipelinejobs.messages.event import Event, Kind
    from pipelinejobs.service.manager import Manager
    from pipelinejobs.service.outbox_relay import OutboxRelay
    from pipelinejobs.store import Store
    from pipelinejobs.store.connection import connect
    from pipelinejobs.util.backoff import Backoff
    from pipelinejobs.util.secret import Secret

    token = Secret(sys.stdin.read())
    store = Store(connect(Secret(uri), database, timeout=10))
    manager = Manager(store, Policy(), OutboxRelay(store, None, Backoff()))
    for number in range(int(first), int(end)):
        event = Event(
            job=job,
            name="update",
            kind=Kind.COMMAND,
            id=f"sender:{number}",
            data={"number": number, "filling": FILLING},
            tokens=(token,),
        )
        verdict = manager.handle(event, f"feeding-{number}").verdict
        print(f"{number} {verdict}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
