"""A whole deployment with its senders, from the first server to the account."""

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
    """How much of everything there is."""

    senders: int = 16
    gateways: int = 2
    election_seconds: float = 10.0


@dataclass
class Deployment:
    """One that runs.

    Attributes:
        ledger: what its senders were told.
    """

    replica_set: ReplicaSet
    gateways: list[Gateway]
    indexer: Indexer
    ledger: Ledger
    store: Store
    senders: list[Sender]

    def resources(self) -> list[dict[str, int]]:
        """What each gateway holds of the machine."""
        return [process.resources(gateway.process) for gateway in self.gateways]

    def events_stored(self) -> int:
        """How many events the database has, those included of which nobody was told.

        Raises:
            Unavailable: the database cannot be asked.
        """
        counted = {"$group": {"_id": None, "events": {"$sum": "$_properties.revision"}}}
        with translated():
            return sum(row["events"] for row in self.store.database["jobs"].aggregate([counted]))

    def wait_for_events(self, number: int, seconds: float = 60.0) -> None:
        """Returns when so many more events were acknowledged."""
        wanted, until = self.ledger.events + number, time.monotonic() + seconds
        while self.ledger.events < wanted:
            if time.monotonic() > until:
                raise TimeoutError(f"no {number} events were acknowledged in {seconds:.0f} s")
            time.sleep(0.05)

    def finish(self) -> Account:
        """Lets every sender come to an end and the outbox run dry, and takes the account."""
        for sender in self.senders:
            sender.stop()
        for sender in self.senders:
            sender.join(_HEAL_SECONDS)
            if sender.is_alive():
                raise TimeoutError(f"{sender.name} got no answer to the end")
        until = time.monotonic() + _HEAL_SECONDS
        while any(depth.messages for depth in self.store.outbox.depths()) and time.monotonic() < until:
            time.sleep(0.2)
        return account.take(self.store, self.ledger, self.indexer.received)


@contextmanager
def deployed(directory: Path, seed: int, size: Size, *, weak: bool = False) -> Iterator[Deployment]:
    """Starts everything, and ends it.

    Args:
        directory: for data, logs and the ledger.
        weak: whether the gateways do not wait for a majority, which they never do otherwise.
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
