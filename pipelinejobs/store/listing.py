"""Lists of jobs, for operators and for users."""

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
"""Characters of a text that is searched for."""
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
# Comparisons only meet values of the same kind. These two, unlike $type, MongoDB finds by an index.
_DATED: Final[Document] = {"updated": {"$gte": DatetimeMS(-(2**63))}}
_UNDATED: Final[Document] = {"updated": {"$not": {"$gte": DatetimeMS(-(2**63))}}}
_VERSION: Final = 1
_KEYS: Final = {"o": ObjectId, "s": str, "i": int}
"""The kinds of `_id` that a cursor can name; python-datacatalog and this project use only the first."""
_BELOW: Final = {
    int: ["minKey", "null"],
    str: ["minKey", "null", "number"],
    ObjectId: ["minKey", "null", "number", "string", "object", "binData"],
}
"""The kinds of `_id` that MongoDB sorts below all of one kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which jobs to list. A field that is None does not restrict them.

    Attributes:
        states: in one of these; none: in any.
        text: to be found in the job's names and paths, ignoring case; a whole uuid is compared as such.
        updated_since: changed at this time or later.
        updated_before: changed before this time.
        failed: with an outbox message that was given up.
        hidden: also those that were deleted softly.
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
        """The filter in MongoDB's terms; every value is only ever compared.

        Raises:
            Malformed: the text is too long, or none.
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
    """Some of the jobs that match, and the cursor of those after them; None if there are none."""

    jobs: list[dict[str, Any]]
    next: str | None


@dataclass(frozen=True, slots=True)
class _Position:
    """The job after which a page begins: its date, None without one, and its `_id`."""

    updated: DatetimeMS | None
    key: ObjectId | str | int


class Listing:
    """Reads many jobs."""

    def __init__(self, database: Database[Document]) -> None:
        self._jobs = database["jobs"]

    def page(self, wanted: Filter, limit: int, cursor: str | None = None) -> JobPage:
        """The newest-changed jobs that match, without history and without secrets. Those without a date come last.

        Following the cursors meets each job once, except those that change meanwhile.

        Args:
            limit: at most so many.
            cursor: `next` of the page before.

        Raises:
            Malformed: the cursor, or the text of the filter, is not one.
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


def is_searchable(text: str) -> bool:
    """Whether jobs can be searched for a text."""
    return 0 < len(text) <= LONGEST_TEXT and text.isprintable()


def _containing(text: str) -> Document:
    if not is_searchable(text):
        raise Malformed("parameter text", f"must be 1 to {LONGEST_TEXT} printable characters")
    if is_uuid(text):
        return {"$or": [{"uuid": {"$eq": text}}, {"pipeline_uuid": {"$eq": text}}]}
    # Escaped, so that the text is searched for literally: no pattern of a sender reaches the database.
    pattern = {"$regex": re.escape(text), "$options": "i"}
    return {"$or": [{field: pattern} for field in _SEARCHED]}


def _behind(position: _Position | None) -> list[Document]:
    """The jobs with a date that come after a position.

    An array, which a foreign writer may have stored, is sorted by the latest of its dates; so all of them have to be
    earlier, which `$lt` does not say.
    """
    if position is None:
        return []
    earlier = {"updated": {"$not": {"$gte": position.updated}}}
    same = {"updated": {"$eq": position.updated, "$not": {"$gt": position.updated}}}
    return [{"$or": [earlier, {"$and": [same, _below(position.key)]}]}]


def _below(key: ObjectId | str | int) -> Document:
    """The jobs whose `_id` sorts below this one, of whatever kind it is."""
    return {"$or": [{"_id": {"$lt": key}}, {"_id": {"$type": _BELOW[type(key)]}}]}


def _shown(job: Document) -> dict[str, Any]:
    """A job in a list."""
    admin = job.pop("_admin", None)
    job.pop("_id", None)
    return job | ({"owner": admin.get("owner")} if isinstance(admin, dict) else {})


def _cursor(job: Document) -> str | None:
    """The cursor of the page behind this job; None if its `_id` is of a kind that no writer uses."""
    key = job["_id"]
    kind = next((kind for kind in _KEYS.values() if isinstance(key, kind) and not isinstance(key, bool)), None)
    if kind is None:
        return None
    return _written(_Position(_latest(job.get("updated")), kind(key)))


def _latest(updated: Any) -> DatetimeMS | None:
    """The date that a job is sorted by. Of the years after 9999 the driver makes no `datetime`."""
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
    """The position in a cursor. A sender can change it, so only a date and a key are read from it."""
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
