"""The account: compares the senders' ledger with the database after the faults are over."""

from collections import Counter
from dataclasses import dataclass, field

from fsm.replay import final_state
from pipelinejobs.diagnose.snapshot import take_snapshot
from pipelinejobs.store import Store
from tools.chaos.ledger import Ledger
from tools.demo.indexer import Received


@dataclass
class Account:
    """The result of a run.

    Attributes:
        acknowledged: events that were answered as durable.
        stored: history entries that come from a sender's event.
        lost: acknowledged events that are in no history.
        repeated: events that are in a history more than once.
        jobs: the number of jobs that were checked.
        finished: the number of them that are FINISHED.
        index_requests: the number of messages that the Indexer received.
        owed: the number of outbox messages that are pending or failed.
        wrong: all other deviations.
        seconds_without: the longest time between two acknowledgements.
    """

    acknowledged: int = 0
    stored: int = 0
    lost: int = 0
    repeated: int = 0
    jobs: int = 0
    finished: int = 0
    index_requests: int = 0
    owed: int = 0
    seconds_without: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """True if no event was lost or repeated, no message is left, and nothing else is wrong."""
        return not (self.lost or self.repeated or self.owed or self.wrong)

    def lines(self) -> list[str]:
        """The result as text."""
        return [
            f"acknowledged {self.acknowledged}, stored {self.stored}, lost {self.lost}, repeated {self.repeated}",
            f"jobs {self.jobs}, finished {self.finished}, index requests {self.index_requests}, waiting {self.owed}",
            f"longest gap between two acknowledgements {self.seconds_without:.1f} s",
            *(f"wrong: {what}" for what in self.wrong[:20]),
        ]


def take(store: Store, ledger: Ledger, received: list[Received]) -> Account:
    """Reads every job (majority read concern, from the primary) and compares."""
    account = Account(
        acknowledged=ledger.events,
        index_requests=len(received),
        seconds_without=ledger.longest_gap,
        wrong=list(ledger.surprises),
    )
    keys: dict[str, set[str]] = {}
    for request in received:
        keys.setdefault(request.body["message"]["uuid"], set()).add(request.headers["Idempotency-Key"])
    for job in sorted(ledger.acknowledged | dict.fromkeys(ledger.reported)):
        _look_at(store, job, ledger, keys.get(job, set()), account)
    account.owed = sum(depth.messages for depth in store.outbox.depths())
    return account


def _look_at(store: Store, uuid: str, ledger: Ledger, keys: set[str], account: Account) -> None:
    read = take_snapshot(store, uuid, with_data=True)
    account.jobs += 1
    if read is None:
        account.wrong.append(f"{uuid} does not exist")
        account.lost += len(ledger.acknowledged.get(uuid, ()))
        return
    job, history, problems = read
    names = [entry.name for entry in history]
    ids = Counter(
        entry.data["id"] for entry in history[1:] if entry.data and "appId" not in entry.data and "id" in entry.data
    )
    account.stored += sum(ids.values())
    account.lost += len(ledger.acknowledged.get(uuid, set()) - set(ids))
    account.repeated += sum(count - 1 for count in ids.values())
    account.wrong += [f"{uuid}: {problem}" for problem in problems]
    if final_state(names) != job.state:
        account.wrong.append(f"{uuid}: {job.state} is not the state to which its history leads")
    reports = sum(bool(entry.data and "appId" in entry.data) for entry in history[1:])
    if reports != (ledger.reported.get(uuid) in ("applied", "duplicate")):
        account.wrong.append(f"{uuid}: {reports} reports in its history, answered {ledger.reported.get(uuid)}")
    account.finished += job.state == "FINISHED"
    if len(keys) != ("finish" in names and job.state == "FINISHED"):
        account.wrong.append(f"{uuid}: {job.state}, but the Indexer received {len(keys)} different requests")
