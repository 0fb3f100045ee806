"""Applied events that another program may still undo: the collection `jobs_journal`.

python-datacatalog replaces whole documents without a guard, and so removes what was written since it read the job. So
applied events are stored here as well, until they have been seen in their jobs after the longest time that such a write
may take (`pipelinejobs.service.reapply`).

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
"""The `_id` of the one document that is not an event: it says that another program writes to the database."""
_EVENT: Final = ("job", "name", "id", "external", "data", "status", "sender")
"""The fields of an event that a row contains. Tokens and the original message are not needed again."""


class JournalRow(NamedTuple):
    """The part of a row that is needed to check whether the event is still in its job.

    Attributes:
        key: the row's `_id`.
        job: the job's uuid.
        life: the life of the job in which the event was applied.
        entry: the uuid of the event's history entry.
        applied: when the row was written; None for an event that is not in the journal.
    """

    key: str
    job: str
    life: str
    entry: str
    applied: datetime | None = None


class Found(NamedTuple):
    """The result of looking for events in their jobs.

    Attributes:
        undone: the keys of events whose entry is no longer in the job.
        over: the keys of events whose job is gone or was made again, so that they no longer matter.
        moved: the uuids of jobs with an entry that is only in `jobs_history`. No other program removes it there, but
            the job's state may have been set back all the same.
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
        """Adds events, at least one. If an event is there already, only its time is set anew.

        Raises:
            OutcomeUnknown, Unavailable: some of the events may be missing.
        """
        operations = [
            UpdateOne({"_id": one.key}, {"$setOnInsert": _stored(one), "$currentDate": {"applied": True}}, upsert=True)
            for one in applied
        ]
        with translated(writing=True):
            self._journal.bulk_write(operations, ordered=False)

    def rows(self, since: datetime | None, until: datetime, most: int) -> list[JournalRow]:
        """The `most` oldest rows that were written after `since` (None: at any time) and not after `until`.

        Raises:
            Unavailable: the database cannot be asked.
        """
        between = {"$lte": until} if since is None else {"$gt": since, "$lte": until}
        fields = {"job": 1, "life": 1, "entry": 1, "applied": 1}
        with translated():
            found = self._journal.find({"applied": between}, fields).sort("applied", ASCENDING).limit(most)
            return [JournalRow(row["_id"], row["job"], row["life"], row["entry"], row["applied"]) for row in found]

    def look_for(self, rows: Sequence[JournalRow]) -> Found:
        """Looks whether these events are still in their jobs.

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
        """The events with these keys, those of one job in the order in which they were applied.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            found = self._raw.find({"_id": {"$in": list(keys)}}).sort("revision", ASCENDING)
            return [_journaled(verbatim.value(row, self._options)) for row in found]

    def forget(self, keys: Collection[str], until: datetime | None = None) -> None:
        """Removes rows; with `until`, only those that were not written again after that time.

        Raises:
            OutcomeUnknown: some rows may still be there, which does no harm.
        """
        as_read: Document = {} if until is None else {"applied": {"$lte": until}}
        with translated(writing=True):
            self._journal.delete_many({"_id": {"$in": list(keys)}, **as_read})

    def is_beside_others(self) -> bool:
        """Whether a process has stored that another program writes to the database.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            return self._journal.find_one({"_id": _BESIDE_OTHERS}) is not None

    def say_beside_others(self) -> None:
        """Stores, for good, that another program writes to the database.

        Raises:
            OutcomeUnknown: it may not have been stored.
        """
        with translated(writing=True):
            self._journal.update_one({"_id": _BESIDE_OTHERS}, {"$setOnInsert": {"said": True}}, upsert=True)

    def waiting(self) -> tuple[int, datetime | None]:
        """The number of events in the journal, and when the oldest was written; None if there are none.

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
