"""Measures the manager in this process, without a gateway."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.service.manager import Manager
from pipelinejobs.store import Store
from pipelinejobs.util.secret import Secret
from tools.bench.deployment import Broken, Deployment
from tools.bench.jobs import Job


class Handling:
    """Times events one after another.

    Attributes:
        store: the store that the manager uses.
    """

    def __init__(self, manager: Manager, store: Store) -> None:
        self._manager = manager
        self.store = store
        self._numbers = itertools.count()

    def seconds(self, job: Job) -> float:
        """The seconds that an update of this job takes until it is durable.

        Raises:
            Broken: it is not applied.
        """
        said = job.event()
        event = Event(
            job=job.uuid,
            name=said["name"],
            kind=Kind.COMMAND,
            id=f"sender:{next(self._numbers)}",
            data=said["data"],
            tokens=(Secret(job.token),),
        )
        began = time.perf_counter()
        answer = self._manager.handle(event, "bench")
        took = time.perf_counter() - began
        if answer.verdict is not Verdict.APPLIED:
            raise Broken(f"an event was not applied: {answer.reason}")
        return took


@contextmanager
def handling(deployment: Deployment, database: str) -> Iterator[Handling]:
    """The manager over this database."""
    services = deployment.services(database)
    try:
        yield Handling(services.manager, services.store)
    finally:
        services.store.close()
