"""Refused deliveries, kept with their reason in `jobs_refused`.

They tell an operator or a sender why a delivery had no effect. Their number for each job and their size are limited,
and MongoDB removes them after some days. All times are the database's: with a wrong clock a host would have its
refusals removed too early or too late.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from bson import ObjectId
from pymongo.database import Database

from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from pipelinejobs.messages.values import storable
from pipelinejobs.store.connection import Document, translated

_ENCODER: Final = json.JSONEncoder()


class RefusedLimits(NamedTuple):
    """The settings `refused.*`."""

    per_job: int = 100
    size: int = 4096
    days: int = 30


class RefusedDeliveries:
    """The collection `jobs_refused`."""

    def __init__(self, database: Database[Document], limits: RefusedLimits) -> None:
        self._refused = database["jobs_refused"]
        self.limits = limits

    def row(self, event: Event, verdict: Verdict, reason: str, state: str, execution: str) -> Document:
        """What is kept of one refusal, but for its date. The token is not kept, and data only up to the limit.

        Args:
            event: what was refused; without a name where that could not be read.
            verdict, reason: what its sender was told.
            state: the job's state at that time.
            execution: the id of the execution.
        """
        return {
            "job": event.job,
            "verdict": verdict.value,
            "reason": reason[:1024],
            "event": event.name or None,
            "kind": event.kind.value if event.name else None,
            "status": storable(event.status[:64]) if event.status else None,
            "state": state,
            "sender": event.sender[:128] if event.sender else None,
            "execution": execution[:128],
            "data": _cut(event.data, self.limits.size),
        }

    def keep(self, row: Document, key: str | None = None) -> bool:
        """Keeps one refusal, and deletes the oldest ones of its job beyond the limit.

        Args:
            key: names the refusal where several processes may keep the same one.

        Returns:
            Whether it is new; False if one of the same key was kept before.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated(writing=True):
            kept = self._refused.update_one(
                {"_id": key or ObjectId()}, {"$set": row, "$currentDate": {"date": True}}, upsert=True
            )  # an insert, dated by the database
            newest = self._refused.find({"job": {"$eq": row["job"]}}, {"_id": 1}).sort([("date", -1), ("_id", -1)])
            surplus = [old["_id"] for old in newest.skip(self.limits.per_job).limit(1000)]
            if surplus:
                self._refused.delete_many({"_id": {"$in": surplus}})
        return kept.upserted_id is not None

    def of(self, uuid: str) -> Iterator[dict[str, Any]]:
        """The refusals of a job, oldest first.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            yield from self._refused.find({"job": {"$eq": uuid}}, {"_id": 0}).sort([("date", 1), ("_id", 1)])


def _cut(data: Any, size: int) -> str | None:
    """The data as JSON text, at most `size` bytes of it; nothing is encoded beyond that."""
    if data is None:
        return None
    text = ""
    for piece in _ENCODER.iterencode(data):
        text += piece
        if len(text) > size:
            return text[: size - 3] + "..."
    return text
