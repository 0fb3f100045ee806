"""Cursors of pages of jobs: the position of the job after which a page begins, as text."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import bson
from bson import DatetimeMS, ObjectId
from bson.errors import BSONError

from pipelinejobs.store.connection import Document
from pipelinejobs.util.errors import Malformed

LONGEST: Final = 500
"""The most characters of a cursor."""

_VERSION: Final = 1
_KEYS: Final = {"o": ObjectId, "s": str, "i": int}
"""The types of `_id` that a cursor can contain. python-datacatalog and this project use only the first."""


@dataclass(frozen=True, slots=True)
class Position:
    """The job after which a page begins: its date (None if it has none) and its `_id`."""

    updated: DatetimeMS | None
    key: ObjectId | str | int


def after(job: Document) -> str | None:
    """The cursor of the page after this job; None if its `_id` has a type that a cursor cannot contain."""
    key = job["_id"]
    kind = next((kind for kind in _KEYS.values() if isinstance(key, kind) and not isinstance(key, bool)), None)
    if kind is None:
        return None
    return _written(Position(_latest(job.get("updated")), kind(key)))


def _latest(updated: Any) -> DatetimeMS | None:
    """The date by which MongoDB sorts a job. For years after 9999 the driver returns `DatetimeMS`."""
    values = updated if isinstance(updated, list) else [updated]
    dates = [DatetimeMS(value) for value in values if isinstance(value, datetime)]
    dates += [value for value in values if isinstance(value, DatetimeMS)]
    return max(dates, key=int, default=None)


def _written(position: Position) -> str:
    moment = int(position.updated) if position.updated is not None else None
    kind = next(name for name, kind in _KEYS.items() if type(position.key) is kind)
    text = json.dumps([_VERSION, moment, kind, str(position.key)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(cursor: str) -> Position:
    """The position in a cursor. The client may have changed it, so only a date and a key are read from it."""
    try:
        if len(cursor) > LONGEST:
            raise ValueError
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        _, moment, kind, key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if isinstance(moment, bool):
            raise TypeError
        position = Position(DatetimeMS(moment) if moment is not None else None, _KEYS[kind](key))
        bson.encode({"": position.key})  # a number of more than 64 bits, or half a character, is no key
        if _written(position) != cursor:
            raise ValueError
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, binascii.Error, BSONError):
        raise Malformed("parameter cursor", "is not the cursor of a page") from None
    return position
