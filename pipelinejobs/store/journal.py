"""Applied events that another program may still undo: the collection `jobs_journal`.

python-datacatalog replaces whole documents without a guard. One of its writes that had read the job a moment before
takes away what was written meanwhile, and the job does not show it. So an applied event of such a job is written down
here as well, until it has been seen in the job after the longest time that such a write may take (see
`pipelinejobs.service.reapply`).

All times are the database's.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database

from pipelinejobs.core.job import Trusted
from pipelinejobs.core.journaled import Journaled
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.store import job_document, job_update, verbatim
from pipelinejobs.store.connection import Document, translated

_BESIDE_OTHERS: Final = "beside others"
"""The `_id` of the one document that is no event."""
_EVENT: Final = ("job", "name", "id", "external", "data", "status", "sender")
"""Fields of an event that a row keeps as they are; tokens and the message as it came are not needed again."""


class JournalRow(NamedTuple):
    """What tells whether an event is still in its job.

    Attributes:
        applied: when it was written down; None for one that is not.
    """

    key: str
    job: str
    life: str
    entry: str
    applied: datetime | None = None


class Found(NamedTuple):
    """What became of some rows, by key.

    Attributes:
        undone: those whose entry the job has no more.
        over: those whose job is gone, or was made again: nothing of them touches the new one.
        moved: the jobs of those whose entry is in `jobs_history` alone, where no other program takes it away; what
            followed from it may be gone all the same.
    """

    undone: set[str]
    over: set[str]
    moved: set[str]


class Journal:
    """The collection `jobs_journal`."""

    def __init__(self, database: Database[Document]) -> None:
        self._journal = database["jobs_journal"]
        self._options = database.codec_options
        self._raw = self._journal.with_options(codec_options=verbatim.as_bytes(self._options))
        self._jobs = database["jobs"]
        self._moved = database["jobs_history"]

    def add(self, applied: Sequence[Journaled]) -> None:
        """Writes events down, at least one. One that is there already stays as it is, and is watched anew.

        Raises:
            OutcomeUnknown, Unavailable: not all of them may be there.
        """
        operations = [
            UpdateOne({"_id": one.key}, {"$setOnInsert": _stored(one), "$currentDate": {"applied": True}}, upsert=True)
            for one in applied
        ]
        with translated(writing=True):
            self._journal.bulk_write(operations, ordered=False)

    def rows(self, since: datetime | None, until: datetime, most: int) -> list[JournalRow]:
        """The rows that were written between two times (database time), the oldest first.

        Raises:
            Unavailable: the database cannot be asked.
        """
        between = {"$lte": until} if since is None else {"$gt": since, "$lte": until}
        fields = {"job": 1, "life": 1, "entry": 1, "applied": 1}
        with translated():
            found = self._journal.find({"applied": between}, fields).sort("applied", ASCENDING).limit(most)
            return [JournalRow(row["_id"], row["job"], row["life"], row["entry"], row["applied"]) for row in found]

    def look_for(self, rows: Sequence[JournalRow]) -> Found:
        """Which of these events are in their jobs no more.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            query = {"uuid": {"$in": list({row.job for row in rows})}}
            fields = job_document.presence(sorted({row.entry for row in rows}))
            jobs = {job["uuid"]: job for job in self._jobs.find(query, fields) if isinstance(job["uuid"], str)}
            missing = [row for row in rows if row.entry not in jobs.get(row.job, {}).get("present", ())]
            keys = [job_document.moved_key(row.life, row.entry) for row in missing]
            moved = {row["_id"] for row in self._moved.find({"_id": {"$in": keys}}, {"_id": 1})} if keys else set()
        over = {row.key for row in missing if jobs.get(row.job, {}).get("first") != row.life}
        undone = {row.key for row, key in zip(missing, keys, strict=True) if key not in moved}
        behind = {row.job for row, key in zip(missing, keys, strict=True) if key in moved}
        return Found(undone - over, over, behind)

    def events(self, keys: Collection[str]) -> list[Journaled]:
        """Events by their keys, those of one job in the order in which they were applied.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            found = self._raw.find({"_id": {"$in": list(keys)}}).sort("revision", ASCENDING)
            return [_journaled(verbatim.value(row, self._options)) for row in found]

    def forget(self, keys: Collection[str], until: datetime | None = None) -> None:
        """Takes rows out; where a time (database time) is given, only those that were not written anew since.

        Raises:
            OutcomeUnknown: some of them may still be there, which is no harm.
        """
        as_read: Document = {} if until is None else {"applied": {"$lte": until}}
        with translated(writing=True):
            self._journal.delete_many({"_id": {"$in": list(keys)}, **as_read})

    def is_beside_others(self) -> bool:
        """Whether a gateway has said that another program writes to the database.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            return self._journal.find_one({"_id": _BESIDE_OTHERS}) is not None

    def say_beside_others(self) -> None:
        """Says so, for good.

        Raises:
            OutcomeUnknown: it may not have been written.
        """
        with translated(writing=True):
            self._journal.update_one({"_id": _BESIDE_OTHERS}, {"$setOnInsert": {"said": True}}, upsert=True)

    def waiting(self) -> tuple[int, datetime | None]:
        """How many events are watched, and since when the oldest of them.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            events = {"applied": {"$exists": True}}
            count = self._journal.count_documents(events)
            oldest = self._journal.find_one(events, {"applied": 1}, sort=[("applied", ASCENDING)])
        return count, oldest["applied"] if oldest is not None else None


def _stored(one: Journaled) -> Document:
    event = one.event
    return {
        **{name: getattr(event, name) for name in _EVENT},
        "kind": event.kind.value,
        "life": one.life,
        "attempt": one.attempt,
        "entry": one.entry,
        "execution": one.execution,
        "revision": one.revision,
        "owes": one.owes,
        "tokens": list(one.tokens),
        "trusted": None if one.trusted is None else job_update.from_trusted(one.trusted),
    }


def _journaled(row: dict[str, Any]) -> Journaled:
    trusted = row["trusted"]
    return Journaled(
        event=Event(kind=Kind(row["kind"]), **{name: row[name] for name in _EVENT}),
        life=row["life"],
        attempt=row["attempt"],
        entry=row["entry"],
        execution=row["execution"],
        revision=row["revision"],
        owes=row["owes"],
        tokens=tuple(row["tokens"]),
        trusted=None if trusted is None else tuple(Trusted(**one) for one in trusted),
    )
