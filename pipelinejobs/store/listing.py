"""Lists of jobs, for those who operate the manager and for those who watch their jobs."""

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
"""Characters of a text that is looked for."""
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
"""The kinds of `_id` that a cursor can name; python-datacatalog and we have nothing but the first."""
_BELOW: Final = {
    int: ["minKey", "null"],
    str: ["minKey", "null", "number"],
    ObjectId: ["minKey", "null", "number", "string", "object", "binData"],
}
"""The kinds of `_id` that MongoDB sorts below all of one kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which jobs to list. What is None does not matter.

    Attributes:
        states: in one of these; none: in any.
        text: to be found in the job's names and paths, in whatever case; a whole uuid is compared as such.
        updated_since: changed at this time or later.
        updated_before: changed before this time.
        hidden: also those that were deleted softly.
    """

    states: tuple[str, ...] = ()
    pipeline: str | None = None
    text: str | None = None
    updated_since: datetime | None = None
    updated_before: datetime | None = None
    undelivered: bool = False
    hidden: bool = False

    @property
    def may_be_undated(self) -> bool:
        """Whether jobs without a date can fit."""
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
        if self.undelivered:
            conditions.append({"_outbox.status": {"$eq": FAILED}})
        if not self.hidden:
            conditions.append({"_visible": {"$ne": False}})
        return conditions


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the jobs that fit, and the cursor of those that come after them; None: there are none."""

    jobs: list[dict[str, Any]]
    next: str | None


@dataclass(frozen=True, slots=True)
class _Place:
    """Behind which job a page begins: its date, None for one without, and its `_id`."""

    updated: DatetimeMS | None
    key: ObjectId | str | int


class Listing:
    """Reads many jobs, and looks for those that need a person."""

    def __init__(self, database: Database[Document]) -> None:
        self._jobs = database["jobs"]

    def page(self, wanted: Filter, limit: int, cursor: str | None = None) -> Page:
        """The newest-changed jobs that fit, without history and without secrets. Those without a date come last.

        Going on from cursor to cursor meets each job once, but for those that change meanwhile.

        Args:
            limit: at most so many.
            cursor: `next` of the page before.

        Raises:
            Malformed: the cursor, or the text of the filter, is not one.
            Unavailable: the database cannot be asked.
        """
        conditions = wanted.conditions()
        place = _place(cursor) if cursor is not None else None
        found: list[Document] = []
        with translated():
            if place is None or place.updated is not None:
                found = self._sorted([*conditions, _DATED, *_behind(place)], "updated", limit + 1)
                place = None
            if len(found) <= limit and wanted.may_be_undated:
                key = [_below(place.key)] if place is not None else []
                found += self._sorted([*conditions, _UNDATED, *key], None, limit + 1 - len(found))
        following = _cursor(found[limit - 1]) if len(found) > limit else None
        return Page([_shown(job) for job in found[:limit]], following)

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
    """Whether a text can be looked for in jobs."""
    return 0 < len(text) <= LONGEST_TEXT and text.isprintable()


def _containing(text: str) -> Document:
    if not is_searchable(text):
        raise Malformed("parameter text", f"must be 1 to {LONGEST_TEXT} printable characters")
    if is_uuid(text):
        return {"$or": [{"uuid": {"$eq": text}}, {"pipeline_uuid": {"$eq": text}}]}
    # Escaped, so that it is looked for as it is: no pattern of a caller's reaches the database.
    pattern = {"$regex": re.escape(text), "$options": "i"}
    return {"$or": [{field: pattern} for field in _SEARCHED]}


def _behind(place: _Place | None) -> list[Document]:
    """The jobs with a date that come after a place.

    An array, which a foreign writer may have stored, is sorted by the latest of its dates; so all of them have to be
    earlier, which `$lt` does not say.
    """
    if place is None:
        return []
    earlier = {"updated": {"$not": {"$gte": place.updated}}}
    same = {"updated": {"$eq": place.updated, "$not": {"$gt": place.updated}}}
    return [{"$or": [earlier, {"$and": [same, _below(place.key)]}]}]


def _below(key: ObjectId | str | int) -> Document:
    """The jobs whose `_id` sorts below this one, of whatever kind it is."""
    return {"$or": [{"_id": {"$lt": key}}, {"_id": {"$type": _BELOW[type(key)]}}]}


def _shown(job: Document) -> dict[str, Any]:
    """A job in a list."""
    admin = job.pop("_admin", None)
    job.pop("_id", None)
    return job | ({"owner": admin.get("owner")} if isinstance(admin, dict) else {})


def _cursor(job: Document) -> str | None:
    """The cursor of the page behind this job; None where its `_id` is of a kind that nobody uses."""
    key = job["_id"]
    kind = next((kind for kind in _KEYS.values() if isinstance(key, kind) and not isinstance(key, bool)), None)
    if kind is None:
        return None
    return _written(_Place(_latest(job.get("updated")), kind(key)))


def _latest(updated: Any) -> DatetimeMS | None:
    """The date that a job is sorted by. Of the years after 9999 the driver makes no `datetime`."""
    values = updated if isinstance(updated, list) else [updated]
    dates = [DatetimeMS(value) for value in values if isinstance(value, datetime)]
    dates += [value for value in values if isinstance(value, DatetimeMS)]
    return max(dates, key=int, default=None)


def _written(place: _Place) -> str:
    moment = int(place.updated) if place.updated is not None else None
    kind = next(name for name, kind in _KEYS.items() if type(place.key) is kind)
    text = json.dumps([_VERSION, moment, kind, str(place.key)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(cursor: str) -> _Place:
    """What a cursor says. It comes from outside, so that nothing but a date and a key is taken from it."""
    try:
        if len(cursor) > LONGEST_CURSOR:
            raise ValueError
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        _, moment, kind, key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if isinstance(moment, bool):
            raise TypeError
        place = _Place(DatetimeMS(moment) if moment is not None else None, _KEYS[kind](key))
        bson.encode({"": place.key})  # a number of more than 64 bits, or half a character, is no key
        if _written(place) != cursor:
            raise ValueError
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, binascii.Error, BSONError):
        raise Malformed("parameter cursor", "is not one that was given out") from None
    return place
