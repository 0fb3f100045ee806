"""Outbox messages: messages to other actors, stored as rows of `_outbox` in the job document until they are delivered.

A message is pending until it is delivered, when its row is removed, or has failed: then its last attempt failed, and
the row stays for operators. A process that sends a message first takes a lease on it: it moves `next` into the future
and names its lease in `holder`. While the lease lasts, no other process sends the message; when it is over, this
process can no longer change the row. All times are the database's.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pymongo
from pymongo import ReturnDocument
from pymongo.database import Database

from pipelinejobs.core.tokens import job_token
from pipelinejobs.store.connection import Document, database_time, translated
from pipelinejobs.util.record import shown
from pipelinejobs.util.secret import Secret

PENDING: Final = "pending"
FAILED: Final = "undelivered"
"""The status of a message whose last attempt failed. Earlier versions called this status undelivered."""

_SHOWN_ERROR: Final = 300
_FIELDS: Final[dict[str, Any]] = {
    "id": str,
    "name": str,
    "life": str,
    "status": str,
    "attempts": int,
    "next": datetime,
    "created": datetime,
    "error": str | None,
}


class OutboxMessage(NamedTuple):
    """One message as it is stored.

    Attributes:
        job: the job's uuid.
        key: the message's key, the same at every attempt.
        name: the name in the message, `index`.
        status: `PENDING` or `FAILED`.
        attempts: the number of attempts that were begun.
        next: when the message is due, or when the lease on it ends.
        leased: whether a process has a lease on it, or died while it had one.
        created: when the event was written that made the message.
        error: why the newest failed attempt failed; None if none has failed.
    """

    job: str
    key: str
    name: str
    status: str
    attempts: int
    next: datetime
    leased: bool
    created: datetime
    error: str | None

    @property
    def next_attempt(self) -> datetime | None:
        """When the message is sent again; None before the first attempt, which is due at once."""
        return self.next if self.attempts else None

    def is_held(self, now: datetime) -> bool:
        """Whether a process has a lease on the message at the time `now`."""
        return self.leased and self.status == PENDING and self.next > now


class Leased(NamedTuple):
    """One message that this process may send now.

    Attributes:
        job, key, name: see `OutboxMessage`.
        attempts: the number of this attempt, from 1.
        holder: the name of the lease.
        token: the job's token for the present `_salt`, which is never stored; None for a job without salt.
    """

    job: str
    key: str
    name: str
    attempts: int
    holder: str
    token: Secret | None

    def __repr__(self) -> str:
        return shown(self, "token")


class Depth(NamedTuple):
    """The messages of one status.

    Attributes:
        status: `PENDING` or `FAILED`.
        messages: their number.
        oldest: the age of the oldest in seconds; 0 if there are none.
    """

    status: str
    messages: int
    oldest: float


class OutboxRows:
    """The messages in all jobs' `_outbox`."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._jobs = database["jobs"]

    def now(self) -> datetime:
        """The database's time, on which hosts agree. Raises `Unavailable` if the database cannot be asked."""
        with translated():
            return database_time(self._database)

    def rows(
        self, *, job: str | None = None, due: datetime | None = None, statuses: tuple[str, ...] = (PENDING,)
    ) -> Iterator[OutboxMessage]:
        """The messages, the longest due first.

        Args:
            job: only messages of the job with this uuid.
            due: only messages that are due at this time.
            statuses: only messages with one of these statuses.

        Raises:
            Unavailable: the database cannot be asked.
        """
        query = rows_query(job, due, statuses)
        with translated():
            for document in self._jobs.find(query, {"uuid": 1, "_outbox": 1}).sort("_outbox.next", pymongo.ASCENDING):
                rows = document["_outbox"] if isinstance(document.get("uuid"), str) else ()
                for row in rows:
                    if _is_ours(row) and row["status"] in statuses and (due is None or row["next"] <= due):
                        yield _message(document["uuid"], row)

    def depths(self) -> list[Depth]:
        """The number of messages and the age of the oldest, for each status.

        Raises:
            Unavailable: the database cannot be asked.
        """
        statuses = [PENDING, FAILED]
        stages: list[dict[str, Any]] = [
            {"$match": {"_outbox.status": {"$in": statuses}}},
            {"$project": {"_outbox.status": 1, "_outbox.created": 1}},
            {"$unwind": "$_outbox"},
            {"$group": {"_id": "$_outbox.status", "messages": {"$sum": 1}, "oldest": {"$min": "$_outbox.created"}}},
        ]
        now = self.now()
        with translated():
            found = {row["_id"]: row for row in self._jobs.aggregate(stages)}
        return [_depth(status, found.get(status), now) for status in statuses]

    def lease(self, message: OutboxMessage, now: datetime, seconds: float) -> Leased | None:
        """Takes the lease on a message.

        Args:
            message: the message as it was read.
            now: the database's time.
            seconds: how long the lease lasts; it has to be longer than sending may take.

        Returns:
            What to send; None if the message is gone, if another process has the lease, or if the message belongs to a
            former life of the job (it is then removed).

        Raises:
            Unavailable: the database cannot be asked.
        """
        holder = uuid4().hex
        with translated(writing=True):
            document = self._jobs.find_one_and_update(
                {
                    "uuid": {"$eq": message.job},
                    "_outbox": {"$elemMatch": {"id": {"$eq": message.key}, "next": {"$eq": message.next}}},
                },
                {
                    "$set": {
                        "_outbox.$.next": now + timedelta(seconds=seconds),
                        "_outbox.$.holder": holder,
                        "_outbox.$.status": PENDING,
                    },
                    "$inc": {"_outbox.$.attempts": 1},
                },
                projection={"uuid": 1, "_admin": 1, "_salt": 1, "_outbox": 1, "history": {"$slice": 1}},
                return_document=ReturnDocument.AFTER,
            )
            if document is None:
                return None
            row = next(row for row in document["_outbox"] if _is_ours(row) and row["id"] == message.key)
            if row["life"] != _life(document.get("history")):
                self._jobs.update_one({"_id": document["_id"]}, {"$pull": {"_outbox": {"id": {"$eq": message.key}}}})
                return None
        return Leased(
            job=message.job,
            key=message.key,
            name=row["name"],
            attempts=row["attempts"],
            holder=holder,
            token=_token(document),
        )

    def delivered(self, leased: Leased) -> None:
        """Removes a delivered message, if this process still has the lease.

        Raises:
            Unavailable: the database cannot be asked; the message will be sent again under the same key.
        """
        mine = {"id": leased.key, "holder": leased.holder}
        with translated(writing=True):
            self._jobs.update_one(
                {"uuid": {"$eq": leased.job}, "_outbox": {"$elemMatch": mine}}, {"$pull": {"_outbox": mine}}
            )

    def failed(self, leased: Leased, error: str, due: datetime | None) -> None:
        """Ends the lease on a message that was not delivered, if this process still has it.

        Args:
            leased: the message.
            error: why it was not delivered, without secrets; cut after 300 characters.
            due: when to send it again; None: never, the message has failed.

        Raises:
            Unavailable: the database cannot be asked; the message is due again when its lease is over.
        """
        fields: dict[str, Any] = {"_outbox.$.error": error[:_SHOWN_ERROR], "_outbox.$.holder": None}
        if due is None:
            fields["_outbox.$.status"] = FAILED
        else:
            fields["_outbox.$.next"] = due
        with translated(writing=True):
            self._jobs.update_one(
                {
                    "uuid": {"$eq": leased.job},
                    "_outbox": {"$elemMatch": {"id": leased.key, "holder": leased.holder}},
                },
                {"$set": fields},
            )


def rows_query(job: str | None, due: datetime | None, statuses: tuple[str, ...]) -> Document:
    """The filter for jobs that have such messages; see `OutboxRows.rows`."""
    row: Document = {"status": {"$in": list(statuses)}}
    if due is not None:
        row["next"] = {"$lte": due}
    # The second condition implies the first, but without the first MongoDB does not use the partial index.
    query: Document = {"_outbox.status": row["status"], "_outbox": {"$elemMatch": row}}
    if job is not None:
        query["uuid"] = {"$eq": job}
    return query


def _depth(status: str, row: Document | None, now: datetime) -> Depth:
    if row is None:
        return Depth(status, 0, 0.0)
    oldest = row["oldest"]  # of any type, if another program wrote it
    age = (now - oldest).total_seconds() if isinstance(oldest, datetime) else 0.0
    return Depth(status, row["messages"], max(0.0, age))


def _token(document: Document) -> Secret | None:
    salt = document.get("_salt")
    if not isinstance(salt, str):
        return None
    return Secret(job_token(document["uuid"], salt, document.get("_admin"), has_admin="_admin" in document))


def _is_ours(row: Any) -> bool:
    """Whether a row has this project's fields; rows of other programs are skipped."""
    return isinstance(row, dict) and all(isinstance(row.get(name), kind) for name, kind in _FIELDS.items())


def _life(history: Any) -> str | None:
    """The uuid of the `create` entry; None for a damaged history."""
    first = history[0] if isinstance(history, list) and history else None
    uuid = first.get("uuid") if isinstance(first, dict) else None
    return uuid if isinstance(uuid, str) else None


def _message(job: str, row: dict[str, Any]) -> OutboxMessage:
    return OutboxMessage(
        job=job,
        key=row["id"],
        name=row["name"],
        status=row["status"],
        attempts=row["attempts"],
        next=row["next"],
        leased=row.get("holder") is not None,
        created=row["created"],
        error=row["error"],
    )
