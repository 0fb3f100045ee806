"""Starts a whole deployment with its senders, and takes the account at the end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelinejobs.store import Store
from pipelinejobs.store.connection import connect, translated
from pipelinejobs.util.secret import Secret
from tools.chaos import account, gateways, process
from tools.chaos.account import Account
from tools.chaos.gateways import Gateway
from tools.chaos.ledger import Ledger
from tools.chaos.replica_set import ReplicaSet
from tools.chaos.senders import Sender, new_job
from tools.demo.indexer import Indexer

_HEAL_SECONDS = 120.0
_END_SECONDS = 5.0


@dataclass(frozen=True)
class Size:
    """The size of a deployment."""

    senders: int = 16
    gateways: int = 2
    election_seconds: float = 10.0


@dataclass
class Deployment:
    """A running deployment.

    Attributes:
        ledger: the answers that its senders got.
    """

    replica_set: ReplicaSet
    gateways: list[Gateway]
    indexer: Indexer
    ledger: Ledger
    store: Store
    senders: list[Sender]

    def resources(self) -> list[dict[str, int]]:
        """The memory, threads and descriptors of each gateway."""
        return [process.resources(gateway.process) for gateway in self.gateways]

    def events_stored(self) -> int:
        """The number of stored events, including those whose sender got no answer.

        Raises:
            Unavailable: the database cannot be asked.
        """
        counted = {"$group": {"_id": None, "events": {"$sum": "$_properties.revision"}}}
        with translated():
            return sum(row["events"] for row in self.store.database["jobs"].aggregate([counted]))

    def wait_for_events(self, number: int, seconds: float = 60.0) -> None:
        """Waits until so many more events are acknowledged."""
        wanted, until = self.ledger.events + number, time.monotonic() + seconds
        while self.ledger.events < wanted:
            if time.monotonic() > until:
                raise TimeoutError(f"no {number} events were acknowledged in {seconds:.0f} s")
            time.sleep(0.05)

    def finish(self) -> Account:
        """Waits until every sender has ended and the outbox is empty, and takes the account."""
        for sender in self.senders:
            sender.stop()
        for sender in self.senders:
            sender.join(_HEAL_SECONDS)
            if sender.is_alive():
                raise TimeoutError(f"{sender.name} did not end in time")
        until = time.monotonic() + _HEAL_SECONDS
        while any(depth.messages for depth in self.store.outbox.depths()) and time.monotonic() < until:
            time.sleep(0.2)
        return account.take(self.store, self.ledger, self.indexer.received)


@contextmanager
def deployed(directory: Path, seed: int, size: Size, *, weak: bool = False) -> Iterator[Deployment]:
    """Starts everything, and ends it.

    Args:
        directory: for data, logs and the ledger.
        weak: True: the gateways write without a majority, for the control run.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with ReplicaSet(directory, size.election_seconds) as replica_set, Indexer() as indexer:
        uri = replica_set.uri
        store = Store(connect(Secret(uri), "chaos", timeout=30))
        started = [gateways.start(number, directory, uri, indexer.url, weak=weak) for number in range(size.gateways)]
        senders: list[Sender] = []
        try:
            for gateway in started:
                gateways.wait(gateway)
            ledger = Ledger(directory / "ledger.jsonl")
            shared = new_job(store)
            senders += [Sender(number, seed, started, store, shared, ledger) for number in range(size.senders)]
            for sender in senders:
                sender.start()
            yield Deployment(replica_set, started, indexer, ledger, store, senders)
        finally:
            for sender in senders:
                sender.give_up()
            for gateway in started:
                process.kill(gateway.process)
            for sender in senders:
                if sender.is_alive():
                    sender.join(_END_SECONDS)
            store.close()
