"""Lists of jobs, with filters and pages, for operators and users."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import bson
from bson import DatetimeMS, ObjectId
from bson.errors import BSONError
from pymongo import DESCENDING
from pymongo.database import Database

from pipelinejobs.messages.fields import is_uuid
from pipelinejobs.store.connection import Document, translated
from pipelinejobs.store.outbox import FAILED
from pipelinejobs.util.errors import Malformed

LONGEST_TEXT: Final = 200
"""The most characters of a text to search for."""
LONGEST_CURSOR: Final = 500

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
_VERSION: Final = 1
_KEYS: Final = {"o": ObjectId, "s": str, "i": int}
"""The types of `_id` that a cursor can contain. python-datacatalog and this project use only the first."""
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
        failed: only jobs with a failed outbox message.
        hidden: also jobs that python-datacatalog has marked as deleted (`_visible: false`).
    """

    states: tuple[str, ...] = ()
    pipeline: str | None = None
    text: str | None = None
    updated_since: datetime | None = None
    updated_before: datetime | None = None
    failed: bool = False
    hidden: bool = False

    @property
    def may_be_undated(self) -> bool:
        """Whether jobs without a date can match."""
        return self.updated_since is None and self.updated_before is None

    def conditions(self) -> list[Document]:
        """The filter as MongoDB queries. Values of users are only compared, never used as operators.

        Raises:
            Malformed: the text is empty, too long, or not printable.
        """
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


@dataclass(frozen=True, slots=True)
class _Position:
    """The job after which a page begins: its date (None if it has none) and its `_id`."""

    updated: DatetimeMS | None
    key: ObjectId | str | int


class Listing:
    """Reads lists of jobs."""

    def __init__(self, database: Database[Document]) -> None:
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
        conditions = wanted.conditions()
        position = _position(cursor) if cursor is not None else None
        found: list[Document] = []
        with translated():
            if position is None or position.updated is not None:
                found = self._sorted([*conditions, _DATED, *_behind(position)], "updated", limit + 1)
                position = None
            if len(found) <= limit and wanted.may_be_undated:
                key = [_below(position.key)] if position is not None else []
                found += self._sorted([*conditions, _UNDATED, *key], None, limit + 1 - len(found))
        following = _cursor(found[limit - 1]) if len(found) > limit else None
        return JobPage([_shown(job) for job in found[:limit]], following)

    def _sorted(self, conditions: list[Document], first: str | None, limit: int) -> list[Document]:
        order = [(name, DESCENDING) for name in (first, "_id") if name is not None]
        return list(self._jobs.find({"$and": conditions}, _SHOWN).sort(order).limit(limit))

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


def _behind(position: _Position | None) -> list[Document]:
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


def _cursor(job: Document) -> str | None:
    """The cursor of the page after this job; None if its `_id` has a type that a cursor cannot contain."""
    key = job["_id"]
    kind = next((kind for kind in _KEYS.values() if isinstance(key, kind) and not isinstance(key, bool)), None)
    if kind is None:
        return None
    return _written(_Position(_latest(job.get("updated")), kind(key)))


def _latest(updated: Any) -> DatetimeMS | None:
    """The date by which MongoDB sorts a job. For years after 9999 the driver returns `DatetimeMS`."""
    values = updated if isinstance(updated, list) else [updated]
    dates = [DatetimeMS(value) for value in values if isinstance(value, datetime)]
    dates += [value for value in values if isinstance(value, DatetimeMS)]
    return max(dates, key=int, default=None)


def _written(position: _Position) -> str:
    moment = int(position.updated) if position.updated is not None else None
    kind = next(name for name, kind in _KEYS.items() if type(position.key) is kind)
    text = json.dumps([_VERSION, moment, kind, str(position.key)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _position(cursor: str) -> _Position:
    """The position in a cursor. The client may have changed it, so only a date and a key are read from it."""
    try:
        if len(cursor) > LONGEST_CURSOR:
            raise ValueError
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        _, moment, kind, key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if isinstance(moment, bool):
            raise TypeError
        position = _Position(DatetimeMS(moment) if moment is not None else None, _KEYS[kind](key))
        bson.encode({"": position.key})  # a number of more than 64 bits, or half a character, is no key
        if _written(position) != cursor:
            raise ValueError
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, binascii.Error, BSONError):
        raise Malformed("parameter cursor", "is not the cursor of a page") from None
    return position
