"""Lists of jobs, for operators."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.database import Database

from pipelinejobs.store.connection import Document, translated
from pipelinejobs.store.outbox import UNDELIVERED

_SHOWN = {
    "_id": 0,
    "uuid": 1,
    "state": 1,
    "last_event": 1,
    "updated": 1,
    "pipeline_uuid": 1,
    "archive_path": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which jobs to list. What is None does not matter."""

    state: str | None = None
    pipeline: str | None = None
    updated_since: datetime | None = None
    undelivered: bool = False
    hidden: bool = False

    def query(self) -> Document:
        """The filter in MongoDB's terms; every value is only ever compared."""
        query: Document = {}
        if self.state is not None:
            query["state"] = {"$eq": self.state}
        if self.pipeline is not None:
            query["pipeline_uuid"] = {"$eq": self.pipeline}
        if self.updated_since is not None:
            query["updated"] = {"$gte": self.updated_since}
        if self.undelivered:
            query["_outbox.status"] = {"$eq": UNDELIVERED}
        if not self.hidden:
            query["_visible"] = {"$ne": False}
        return query


class Listing:
    """Reads many jobs, and looks for those that need a person."""

    def __init__(self, database: Database[Document]) -> None:
        self._jobs = database["jobs"]

    def jobs(self, wanted: Filter, limit: int) -> Iterator[dict[str, Any]]:
        """The newest-changed jobs that fit, at most `limit`, without history and without secrets.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            yield from self._jobs.find(wanted.query(), _SHOWN).sort("updated", -1).limit(limit)

    def rotated_before_first_seen(self, limit: int) -> list[str]:
        """Jobs whose salt was changed by a foreign writer before we first wrote to them: the token in their callbacks
        cannot be known (see `tokens.trust_on_first_use`).

        Raises:
            Unavailable: the database cannot be asked.
        """
        query = {"_salts": {"$exists": False}, "_properties.revision": {"$gt": 0}}
        with translated():
            return [job["uuid"] for job in self._jobs.find(query, {"uuid": 1}).limit(limit) if "uuid" in job]

    def repeated_uuids(self, limit: int) -> list[str]:
        """Uuids that more than one document has.

        Raises:
            Unavailable: the database cannot be asked.
        """
        counted = {"$group": {"_id": "$uuid", "n": {"$sum": 1}}}
        with translated():
            rows = self._jobs.aggregate([counted, {"$match": {"n": {"$gt": 1}}}, {"$limit": limit}])
            return [str(row["_id"]) for row in rows]

    def uuids(self) -> Iterator[str]:
        """The uuid of every job.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            for job in self._jobs.find({}, {"uuid": 1, "_id": 0}):
                if isinstance(job.get("uuid"), str):
                    yield job["uuid"]
