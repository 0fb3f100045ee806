"""Lists of jobs, with filters and pages, for operators and users."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from bson import DatetimeMS, ObjectId
from pymongo import DESCENDING
from pymongo.database import Database

from fsm.lifecycle import OPEN
from pipelinejobs.messages.fields import is_uuid
from pipelinejobs.store import cursors
from pipelinejobs.store.connection import Document, database_time, translated
from pipelinejobs.store.job_document import OF_PRESENT_ATTEMPT
from pipelinejobs.store.outbox import FAILED
from pipelinejobs.util.errors import Malformed

LONGEST_TEXT: Final = 200
"""The most characters of a text to search for."""

_SHOWN: Final = {
    "uuid": 1,
    "state": 1,
    "last_event": 1,
    "updated": 1,
    "pipeline_uuid": 1,
    "archive_path": 1,
    "session": 1,
    "_admin.owner": 1,
}
_SEARCHED: Final = ("uuid", "session", "agent", "task", "archive_path", "pipeline_uuid", "_admin.owner")
# Comparisons match only values of the same type. Unlike $type, MongoDB evaluates these two by an index.
_DATED: Final[Document] = {"updated": {"$gte": DatetimeMS(-(2**63))}}
_UNDATED: Final[Document] = {"updated": {"$not": {"$gte": DatetimeMS(-(2**63))}}}
_BELOW: Final = {
    int: ["minKey", "null"],
    str: ["minKey", "null", "number"],
    ObjectId: ["minKey", "null", "number", "string", "object", "binData"],
}
"""For each of these types: the types of `_id` that MongoDB sorts below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which jobs to list. A field that is None matches every job.

    Attributes:
        states: jobs in one of these states; empty: in any state.
        pipeline: jobs of the pipeline with this uuid.
        text: jobs with this text in one of their names or paths, ignoring case. A whole uuid is compared with the
            job's and the pipeline's uuid.
        updated_since: jobs that changed at this time or later.
        updated_before: jobs that changed before this time.
        quiet_for: jobs that wait for a report, CREATED or RUNNING, and have not changed for this many seconds.
        overdue: only jobs that RUN for longer than the job system's own limit (`core.time_limit`).
        failed: only jobs with a failed outbox message.
        hidden: also jobs that python-datacatalog has marked as deleted (`_visible: false`).
    """

    states: tuple[str, ...] = ()
    pipeline: str | None = None
    text: str | None = None
    updated_since: datetime | None = None
    updated_before: datetime | None = None
    quiet_for: float | None = None
    overdue: bool = False
    failed: bool = False
    hidden: bool = False

    @property
    def may_be_undated(self) -> bool:
        """Whether jobs without a date can match."""
        return self.updated_since is None and self.updated_before is None and self.quiet_for is None

    @property
    def needs_time(self) -> bool:
        """Whether it depends on the time which jobs match."""
        return self.quiet_for is not None or self.overdue

    def query(self, now: datetime, *more: Document) -> Document:
        """The filter as a MongoDB query. Values of users are only compared, never used as operators.

        Args:
            now: the time; the database's, if `needs_time`.
            more: further conditions.

        Raises:
            Malformed: the text is empty, too long, or not printable.
        """
        conditions = [*self._conditions(now), *more]
        if self.quiet_for is None:
            return {"$and": conditions} if conditions else {}
        # An `$or` on top, of states alone: only then MongoDB uses the index of each open state, and merges the two.
        return {"$or": [{"$and": [{"state": {"$eq": state}}, *conditions]} for state in OPEN]}

    def _conditions(self, now: datetime) -> list[Document]:
        conditions: list[Document] = []
        if self.states:
            conditions.append({"state": {"$in": list(self.states)}})
        if self.pipeline is not None:
            conditions.append({"pipeline_uuid": {"$eq": self.pipeline}})
        if self.text is not None:
            conditions.append(_containing(self.text))
        if self.updated_since is not None:
            conditions.append({"updated": {"$gte": self.updated_since}})
        if self.updated_before is not None:
            conditions.append({"updated": {"$lt": self.updated_before}})
        if self.quiet_for is not None:
            conditions.append({"updated": {"$lt": _earlier(now, self.quiet_for)}})
        if self.overdue:
            conditions += [
                {"state": {"$eq": "RUNNING"}},
                {"_time_limit.overdue_from": {"$lt": now}},
                OF_PRESENT_ATTEMPT,
            ]
        if self.failed:
            conditions.append({"_outbox.status": {"$eq": FAILED}})
        if not self.hidden:
            conditions.append({"_visible": {"$ne": False}})
        return conditions


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of matching jobs, and the cursor of the next page; None if there is none."""

    jobs: list[dict[str, Any]]
    next: str | None


class Listing:
    """Reads lists of jobs."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._jobs = database["jobs"]

    def page(self, wanted: Filter, limit: int, cursor: str | None = None) -> JobPage:
        """A page of matching jobs, the most recently changed first, without history and secrets.

        Jobs without a date come last. A client that follows the cursors gets each job once, except those that change
        meanwhile.

        Args:
            wanted: the filter.
            limit: the most jobs in the page.
            cursor: `next` of the page before; None for the first page.

        Raises:
            Malformed: the cursor is not one, or the text of the filter cannot be searched for.
            Unavailable: the database cannot be asked.
        """
        position = cursors.read(cursor) if cursor is not None else None
        found: list[Document] = []
        with translated():
            query = partial(wanted.query, self._now(wanted))
            if position is None or position.updated is not None:
                found = self._sorted(query(_DATED, *_behind(position)), "updated", limit + 1)
                position = None
            if len(found) <= limit and wanted.may_be_undated:
                key = [_below(position.key)] if position is not None else []
                found += self._sorted(query(_UNDATED, *key), None, limit + 1 - len(found))
        following = cursors.after(found[limit - 1]) if len(found) > limit else None
        return JobPage([_shown(job) for job in found[:limit]], following)

    def count(self, wanted: Filter, most: int) -> int:
        """The number of matching jobs, at most `most`.

        Raises:
            Malformed: the text of the filter cannot be searched for.
            Unavailable: the database cannot be asked.
        """
        with translated():
            return self._jobs.count_documents(wanted.query(self._now(wanted)), limit=most)

    def _now(self, wanted: Filter) -> datetime:
        return database_time(self._database) if wanted.needs_time else datetime.now(UTC)

    def _sorted(self, query: Document, first: str | None, limit: int) -> list[Document]:
        order = [(name, DESCENDING) for name in (first, "_id") if name is not None]
        return list(self._jobs.find(query, _SHOWN).sort(order).limit(limit))

    def repeated_uuids(self, limit: int) -> list[str]:
        """At most `limit` uuids that more than one document has.

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


def _earlier(now: datetime, seconds: float) -> datetime:
    """The time so many seconds before `now`, or the earliest time there is."""
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def is_searchable(text: str) -> bool:
    """Whether jobs can be searched for this text."""
    return 0 < len(text) <= LONGEST_TEXT and text.isprintable()


def _containing(text: str) -> Document:
    if not is_searchable(text):
        raise Malformed("parameter text", f"must be 1 to {LONGEST_TEXT} printable characters")
    if is_uuid(text):
        return {"$or": [{"uuid": {"$eq": text}}, {"pipeline_uuid": {"$eq": text}}]}
    # Escaped, so that the database searches for the text literally and never runs a user's pattern.
    pattern = {"$regex": re.escape(text), "$options": "i"}
    return {"$or": [{field: pattern} for field in _SEARCHED]}


def _behind(position: cursors.Position | None) -> list[Document]:
    """The condition for jobs with a date that come after a position.

    Another program may have stored an array of dates. MongoDB sorts it by its latest date, so all its dates have to be
    earlier; `$lt` would match if only one is.
    """
    if position is None:
        return []
    earlier = {"updated": {"$not": {"$gte": position.updated}}}
    same = {"updated": {"$eq": position.updated, "$not": {"$gt": position.updated}}}
    return [{"$or": [earlier, {"$and": [same, _below(position.key)]}]}]


def _below(key: ObjectId | str | int) -> Document:
    """The condition for jobs whose `_id`, of any type, sorts below this one."""
    return {"$or": [{"_id": {"$lt": key}}, {"_id": {"$type": _BELOW[type(key)]}}]}


def _shown(job: Document) -> dict[str, Any]:
    """A job in a list."""
    admin = job.pop("_admin", None)
    job.pop("_id", None)
    return job | ({"owner": admin.get("owner")} if isinstance(admin, dict) else {})
