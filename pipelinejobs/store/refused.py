"""Refused deliveries, stored with their reasons in `jobs_refused`.

They tell an operator or a sender why a delivery had no effect. Their number per job and their size are limited, and
MongoDB removes them after some days. All times are the database's: a host with a wrong clock would otherwise have its
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
    """The settings `refused.*`: refusals per job, bytes of data in each, and days until they are removed."""

    per_job: int = 100
    size: int = 4096
    days: int = 30


class RefusedDeliveries:
    """The collection `jobs_refused`."""

    def __init__(self, database: Database[Document], limits: RefusedLimits) -> None:
        self._refused = database["jobs_refused"]
        self.limits = limits

    def row(self, event: Event, verdict: Verdict, reason: str, state: str, execution: str) -> Document:
        """The document for one refusal, without its date. It contains no token, and data only up to the limit.

        Args:
            event: the refused event; its name is empty if it could not be read.
            verdict, reason: the answer to the sender.
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
        """Stores one refusal, and deletes the job's oldest refusals beyond the limit.

        Args:
            row: the document (see `row`).
            key: the refusal's `_id`, if several processes may store the same one.

        Returns:
            Whether it is new; False if one with the same key was stored before.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated(writing=True):
            kept = self._refused.update_one(
                {"_id": key or ObjectId()}, {"$set": row, "$currentDate": {"date": True}}, upsert=True
            )  # an update, because only an update can set the database's date
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
    """The data as JSON text, cut after `size` characters of ASCII; no more than that is encoded."""
    if data is None:
        return None
    text = ""
    for piece in _ENCODER.iterencode(data):
        text += piece
        if len(text) > size:
            return text[: size - 3] + "..."
    return text
